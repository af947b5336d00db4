"""The administration through its schema: who gets in, what is refused and how it is said, and what is kept of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

NOTE = "\n# a remark\n"
DENY = "{id: stop, deny: TaxArrears.balance, of: tax, to: any, for: any, given: any, note: stop}"


def codes(answer):
    return [error["extensions"]["code"] for error in answer.get("errors", ())]


async def test_a_change_goes_from_draft_to_version_by_two_people(administrators) -> None:
    files = await administrators.files()
    draft = (await administrators.propose("al", {"rules/nation.yaml": files["rules/nation.yaml"] + NOTE}))["data"]
    made = draft["propose"]
    assert made["changed"] == ["rules/nation.yaml"]
    publish = "mutation ($draft: ID!) { publish(draft: $draft) { number by approvals { by } } }"
    assert codes(await administrators.ask("al", publish, draft=made["id"])) == ["APPROVAL_MISSING"]
    approve = "mutation ($draft: ID!, $digest: String!) { approve(draft: $draft, digest: $digest) { id } }"
    assert codes(await administrators.ask("al", approve, draft=made["id"], digest=made["digest"])) == [
        "AUTHOR_CANNOT_APPROVE"
    ]
    assert codes(await administrators.ask("bo", approve, draft=made["id"], digest=made["digest"])) == []
    published = await administrators.ask("al", publish, draft=made["id"])
    assert published["data"]["publish"] == {"number": 2, "by": "al", "approvals": [{"by": "bo"}]}
    assert (await administrators.store.latest()).files["rules/nation.yaml"].decode().endswith(NOTE)


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("bank", 403, "NOT_AN_ADMINISTRATOR"),
        ("by password", 401, "LOGIN_INSUFFICIENT"),
        ("of yesterday", 401, "LOGIN_INSUFFICIENT"),
        ("undated", 401, "LOGIN_INSUFFICIENT"),
        ("nobody", 401, "LOGIN_INSUFFICIENT"),
    ],
)
async def test_only_administrators_with_a_fresh_and_strong_login_get_in(administrators, who, status, code) -> None:
    answer = await administrators.send(who, "{ drafts { id } }")
    assert answer.status_code == status
    assert codes(answer.json()) == [code]
    if code == "LOGIN_INSUFFICIENT":
        assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
    assert administrators.audited()[-1]["code"] == code


async def test_an_agencys_administrator_changes_its_own_rules_alone(administrators) -> None:
    files = await administrators.files()
    own = await administrators.propose("tess", {"rules/tax.yaml": files["rules/tax.yaml"] + NOTE})
    assert codes(own) == []
    for name in ("rules/nation.yaml", "rules/market-regulation.yaml", "trees.yaml", "organisations.yaml"):
        assert codes(await administrators.propose("tess", {name: files[name] + NOTE})) == ["BEYOND_DELEGATION"]


async def test_an_emergency_deny_by_one_person_is_published_and_flagged(administrators) -> None:
    answer = await administrators.ask(
        "tess",
        'mutation ($rule: String!) { emergencyDeny(agency: "tax", rule: $rule, why: "a leak") { number emergency } }',
        rule=DENY,
    )
    assert answer["data"]["emergencyDeny"] == {"number": 2, "emergency": True}
    act = next(line for line in administrators.audited() if line.get("act") == "emergency_deny")
    assert (act["subject"], act["agency"], act["version"], act["emergency"]) == ("tess", "tax", 2, True)


async def test_nothing_is_changed_by_get(administrators) -> None:
    headers = {"Authorization": f"Bearer {administrators.tokens['tess']}"}
    query = f'mutation {{ emergencyDeny(agency: "tax", rule: "{DENY}", why: "x") {{ number }} }}'
    answer = await administrators.client.get("/admin/graphql", params={"query": query}, headers=headers)
    assert answer.status_code == 405
    assert await administrators.store.latest_number() == 1
    reading = await administrators.client.get("/admin/graphql", params={"query": "{ inForce }"}, headers=headers)
    assert reading.json()["data"]["inForce"].startswith("1-")


async def test_each_request_is_kept_with_who_made_it_and_what_it_ran(administrators) -> None:
    await administrators.ask("bo", "{ drafts { id } inForce }")
    await administrators.ask("bo", '{ draft(id: "none") { id } }')
    first, second = administrators.audited()
    assert (first["subject"], first["organisation"], first["outcome"]) == ("bo", "policy-office", "ADMINISTERED")
    assert (sorted(first["fields"]), first["errors"]) == (["drafts", "inForce"], [])
    assert (second["fields"], second["errors"]) == (["draft"], ["DRAFT_UNKNOWN"])


async def test_an_act_is_kept_before_it_takes_effect(administrators) -> None:
    files = await administrators.files()
    await administrators.propose("al", {"rules/nation.yaml": files["rules/nation.yaml"] + NOTE})
    acts = [line.get("act") or line["outcome"] for line in administrators.audited()]
    assert acts[-2:] == ["propose", "ADMINISTERED"]


async def test_a_draft_that_does_not_load_is_refused_with_every_mistake_and_its_line(administrators) -> None:
    files = await administrators.files()
    broken = files["rules/nation.yaml"].replace("to: bank", "to: banc", 1)
    made = (await administrators.propose("al", {"rules/nation.yaml": broken}))["data"]["propose"]
    approve = "mutation ($draft: ID!, $digest: String!) { approve(draft: $draft, digest: $digest) { id } }"
    answer = await administrators.ask("bo", approve, draft=made["id"], digest=made["digest"])
    findings = answer["errors"][0]["extensions"]["findings"]
    finding = next(one for one in findings if one["code"] == "UNKNOWN_ROLE")
    line = broken.splitlines().index("    to: banc") + 1
    assert (finding["file"], finding["line"]) == ("rules/nation.yaml", line)
    assert finding["hint"] == "did you mean `bank`?"


async def test_versions_are_listed_newest_first_and_page_by_page(administrators) -> None:
    for number in (2, 3):
        rule = DENY.replace("stop,", f"stop-{number},").replace("any, for", f"{['bank', 'regulator'][number - 2]}, for")
        query = 'mutation ($rule: String!) { emergencyDeny(agency: "tax", rule: $rule, why: "x") { number } }'
        assert codes(await administrators.ask("al", query, rule=rule)) == []
    query = "query ($before: Int) { versions(first: 2, before: $before) { number } }"
    assert (await administrators.ask("al", query))["data"]["versions"] == [{"number": 3}, {"number": 2}]
    assert (await administrators.ask("al", query, before=2))["data"]["versions"] == [{"number": 1}]


async def test_what_is_not_graphql_is_refused_before_it_is_run(administrators) -> None:
    answer = await administrators.send("al", "{ nothing }")
    assert codes(answer.json()) == ["OPERATION_INVALID"]
    assert "data" not in answer.json()
    deep = "{ __schema { types " + "{ fields { type { ofType " * 8 + "{ name }" + "} } }" * 8 + " } }"
    assert codes((await administrators.send("al", deep)).json()) == ["OPERATION_INVALID"]


async def test_an_edited_workbook_becomes_a_draft(administrators) -> None:
    exported = await administrators.ask("al", "{ workbook }")
    query = 'mutation ($content: String!) { proposeWorkbook(content: $content, why: "x") { id } }'
    answer = await administrators.ask("al", query, content=exported["data"]["workbook"])
    assert codes(answer) == ["NOTHING_CHANGED"]
    assert codes(await administrators.ask("al", query, content="no workbook")) == ["WORKBOOK_UNREADABLE"]


@pytest.mark.parametrize("policy", ["{ version: 0 }", '{ draft: "" }', "{ files: [] }"])
async def test_what_is_no_policy_is_never_taken_for_the_latest(administrators, policy) -> None:
    answer = await administrators.ask("al", f"{{ lint(policy: {policy}) {{ severity }} }}")
    found = {one["severity"] for one in (answer["data"] or {"lint": ()})["lint"]}
    assert codes(answer) or "error" in found


@pytest.mark.parametrize("days", [0, -1, 2_000_000_000])
async def test_days_that_nobody_can_look_back_over_are_refused(administrators, days) -> None:
    for query in ("simulate(after: { version: 1 }, days: $days) { requests }", "suggest(days: $days) { rule }"):
        answer = await administrators.ask("al", f"query ($days: Int!) {{ {query} }}", days=days)
        assert codes(answer) == ["DAYS_OUT_OF_RANGE"]


async def test_no_version_comes_before_the_first(administrators) -> None:
    for before in (1, 0, -1):
        answer = await administrators.ask("al", "query ($n: Int!) { versions(before: $n) { number } }", n=before)
        assert answer["data"]["versions"] == []


async def test_subscriptions_are_refused_for_what_they_are(administrators) -> None:
    answer = await administrators.ask("al", "subscription { drafts { id } }")
    assert codes(answer) == ["OPERATION_INVALID"]


async def test_an_analysis_that_nobody_waits_for_any_longer_holds_up_nobody(administrators) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await administrators.process.run(time.sleep, 3_600)
    assert await administrators.process.run(abs, -1) == 1


async def test_an_emergency_deny_waits_for_no_analysis(administrators) -> None:
    endless = asyncio.create_task(administrators.process.run(time.sleep, 3_600))
    deny = 'mutation ($rule: String!) { emergencyDeny(agency: "tax", rule: $rule, why: "a leak") { number } }'
    answer = await administrators.ask("tess", deny, rule=DENY)
    assert answer["data"]["emergencyDeny"] == {"number": 2}
    assert not endless.done()
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless


def answered(agency, coordinate, rule, purpose="credit"):
    """The audit line of a bank's request for one coordinate."""
    decision = {"agency": agency, "act": "read", "coordinate": coordinate, "rule": rule}
    caller = {"roles": ["bank.officer"], "organisation": "first-bank", "purpose": purpose}
    asked = {"bases": [], "scope": [], "companies": 1, "decisions": [decision]}
    at = datetime.now(UTC).isoformat()
    return orjson.dumps({"at": at, "outcome": "ANSWERED", **caller, "classes": [asked]}) + b"\n"


async def test_an_agencys_administrator_learns_of_no_requests_for_others_data(administrators) -> None:
    log = administrators.audit_file
    log.with_name(f"{log.name}.1").write_bytes(
        answered("court", "JudgmentDefault", "public-rows", "no.such.purpose")
        + answered("court", "JudgmentDefault", "public-rows")
        + answered("tax", "TaxArrears.balance", "bank-arrears-in-buckets")
    )
    query = "{ simulate(after: { version: 1 }) { requests unreplayed { requests } } }"
    told = (await administrators.ask("tess", query))["data"]["simulate"]
    assert told == {"requests": 1, "unreplayed": []}
    told = (await administrators.ask("al", query))["data"]["simulate"]
    assert told == {"requests": 2, "unreplayed": [{"requests": 1}]}


async def test_an_agency_sees_who_uses_its_data_for_what_and_nothing_of_others_or_of_companies(administrators) -> None:
    bank = {"agency": "tax", "record": "TaxArrears", "organisation": "first-bank", "purpose": "credit.underwriting"}

    def used(minutes: int, *outcomes: Any, organisation: str = "first-bank", purpose: Any = bank["purpose"]) -> bytes:
        sources = [{"dataset": dataset, "status": status, "answers": answers} for dataset, status, answers in outcomes]
        at = (datetime(2026, 11, 2, 15, 30, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()
        who = {"organisation": organisation, "purpose": purpose, "companies": ["91330100TEXT00025M"]}
        return orjson.dumps({"at": at, "outcome": "ANSWERED", **who, "agencies": sources}) + b"\n"

    log = administrators.audit_file
    log.with_name(f"{log.name}.1").write_bytes(
        used(
            0, ("tax/TaxArrears", "ANSWERED", 3), ("tax/TaxArrears", "FAILED", 2), ("court/JudgmentDefault", "STALE", 5)
        )
        + used(20, ("tax/TaxArrears", "INCOMPLETE", 1))
        + used(40, ("tax/TaxArrears", "ANSWERED", 1))  # the next day in China
        + used(5, ("tax/TaxCredit", "ANSWERED", 1), organisation="second-bank", purpose=None)
        + used(5, ("tax/TaxPayment", "WITHHELD", 9), ("tax/TaxCredit", "NOT_ASKED", 9))
        + used(-60 * 24 * 400, ("tax/TaxArrears", "ANSWERED", 7))
        + b"nonsense\n"
    )
    query = "{ usage(days: 365) { day agency record organisation purpose requests answers failed } }"
    told = (await administrators.ask("tess", query))["data"]["usage"]
    assert told == [
        {"day": "2026-11-03", **bank, "requests": 1, "answers": 1, "failed": 0},
        {"day": "2026-11-02", **bank, "requests": 2, "answers": 6, "failed": 2},
        {
            "day": "2026-11-02",
            "agency": "tax",
            "record": "TaxCredit",
            "organisation": "second-bank",
            "purpose": None,
            "requests": 1,
            "answers": 1,
            "failed": 0,
        },
    ]
    told = (await administrators.ask("al", query))["data"]["usage"]
    assert {one["agency"] for one in told} == {"tax", "court"}


async def test_nobody_is_told_to_narrow_a_rule_for_what_its_use_elsewhere_cannot_be_seen(administrators) -> None:
    await administrators.ask("al", "{ inForce }")  # so that something is recorded
    files = {one["file"] for one in (await administrators.ask("tess", "{ suggest { file } }"))["data"]["suggest"]}
    assert files == {"rules/tax.yaml"}
    files = {one["file"] for one in (await administrators.ask("al", "{ suggest { file } }"))["data"]["suggest"]}
    assert "rules/nation.yaml" in files


async def test_a_diff_tells_what_opens_later_and_what_publicity_shows_longer(administrators) -> None:
    files = await administrators.files()
    grant = (
        "{id: later, allow: TaxArrears.balance, of: tax, to: bank, for: any, given: none, from: 2099-01-01, note: x}"
    )
    regime = files["publicity/2026-04-01.yaml"]
    query = "query ($id: ID!) { diff(after: { draft: $id }) { widens publicity changes { direction begins } } }"

    async def told(changes) -> dict:
        draft = (await administrators.propose("al", changes))["data"]["propose"]["id"]
        return (await administrators.ask("al", query, id=draft))["data"]["diff"]

    found = await told({"rules/tax.yaml": files["rules/tax.yaml"] + f"\n  - {grant}\n"})
    assert found["widens"] == ["tax"]
    assert {(one["direction"], one["begins"]) for one in found["changes"]} == {("WIDER", "2099-01-01T00:00:00+08:00")}
    found = await told({"publicity/2026-04-01.yaml": regime.replace("minor: [0, 3]", "minor: [0, 9]")})
    assert found["publicity"] == ["publicity/2026-04-01.yaml"]
    assert "zhejiang-penalties" in found["widens"]
    assert found["changes"] == []


async def test_administrators_are_told_of_refused_manifests_within_their_reach(administrators) -> None:
    query = "{ refusedManifests { file agency reasons since } }"
    everything = (await administrators.ask("al", query))["data"]["refusedManifests"]
    assert [refused["file"] for refused in everything] == ["tax.yaml", "court.yaml", "new.yaml"]
    own = (await administrators.ask("tess", query))["data"]["refusedManifests"]
    assert own == [
        {
            "file": "tax.yaml",
            "agency": "tax",
            "reasons": ["line 3: kind: unknown kind 'rset'"],
            "since": "2026-11-01T00:00:00+00:00",
        }
    ]


async def test_administrators_are_told_how_the_agencies_within_their_reach_fare(administrators) -> None:
    query = "{ agencies { agency state calls failures timeouts openings p50 rows dropped unreadable wanted kept } }"
    everything = (await administrators.ask("al", query))["data"]["agencies"]
    assert [one["agency"] for one in everything] == ["tax", "court"]
    (own,) = (await administrators.ask("tess", query))["data"]["agencies"]
    assert (own.pop("agency"), own.pop("state"), own.pop("p50")) == ("tax", "LEFT_ALONE", None)
    assert list(own.values()) == [9, 2, 1, 1, 8, 1, 2, 10, 6]
