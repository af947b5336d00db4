"""How agencies fare and who uses their data, as callers of a real gateway are told of it over HTTP, or are not.

Most tests only read what one gateway tells of the three requests that it answered first.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.edge.server import running_server
from policies.publicity import CHINA
from tests.gateway.conftest import Signer
from tests.gateway.editions.test_reload import COMPANY, PATIENCE, Office, environment, listening_office, settings_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "91330100TEXT00025M"
OFFICE = """
  standards-office:
    name: Office of Standards
    name_zh: 标准局办公室
    roles: [policy.admin, clerk]
    purposes: [policy.administration]
    administers: standards
"""
HEALTH = "health { state calls failures timeouts openings p50 p95 p99 rows dropped unreadable wanted kept }"
USAGE = "usage(days: 3) { day record organisation purpose requests answers failed companies }"
ACCESS = "access { coordinate decision mask reason agency { id } }"
WITHHELD = {"decision": "WITHHELD", "mask": None, "reason": "NOT_AVAILABLE"}
ASKING = "query ($code: CreditCode!) { enterprise(code: $code) { certifications { status } honours { status } } }"


@dataclass
class Callers:
    """Callers of a gateway on a socket, by organisation, and the audit log that it keeps."""

    client: httpx.AsyncClient
    signer: Signer
    log: Path
    offices: Office

    async def ask(
        self,
        query: str,
        organisation: str = "first-bank",
        role: str = "bank.officer",
        purpose: str = "",
        **variables: Any,
    ) -> dict[str, Any]:
        token = self.signer.token(org=organisation, roles=[role])
        headers = {"Authorization": f"Bearer {token}", "X-Timeout-Ms": "30000"}
        headers |= {"X-Purpose": purpose} if purpose else {}
        answer = await self.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def agencies(self, selection: str, *caller: str, **more: Any) -> dict[str, Any]:
        """What an office is told of agencies, by their ids."""
        answer = await self.ask(f"{{ agencies {{ id {selection} }} }}", *(caller or OWN), **more)
        assert "errors" not in answer, answer
        return {agency.pop("id"): agency for agency in answer["data"]["agencies"]}

    def records(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]


OWN, CENTRE = ("standards-office", "policy.admin"), ("policy-office", "policy.admin")


@asynccontextmanager
async def answering(place: Path, signer: Signer, more_rules: str = "") -> AsyncIterator[Callers]:
    settings = settings_in(place).model_copy(update={"issuers": (signer.settings,)})
    policies = Path(settings.policies)
    for name, changed in {
        "organisations.yaml": lambda text: text + OFFICE,
        "trees.yaml": lambda text: text.replace("roles:\n", "roles:\n  clerk: any\n", 1),
        "rules/nation.yaml": lambda text: text + more_rules,
    }.items():
        (policies / name).write_text(changed((policies / name).read_text("utf-8")), "utf-8")
    async with AsyncExitStack() as stack:
        offices = [await stack.enter_async_context(listening_office()) for _ in range(2)]
        url = await stack.enter_async_context(running_server(settings, environment((offices[0], offices[1]), settings)))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE))
        yield Callers(client, signer, settings.audit_file, offices[0])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> AsyncIterator[Callers]:
    """Of a gateway that was asked by a bank about two companies, and by a tax bureau about one of them."""
    async with answering(tmp_path_factory.mktemp("told"), signer) as callers:
        await callers.ask(ASKING, purpose="credit", code=COMPANY)
        await callers.ask(ASKING, purpose="credit", code=OTHER)
        await callers.ask(ASKING, "tax-bureau-zhejiang", "tax.inspector", code=COMPANY)
        yield callers


def today() -> str:
    return dt.datetime.now(CHINA).date().isoformat()


def use(record: str = "Certification", **more: Any) -> dict[str, Any]:
    usual = {"organisation": "first-bank", "purpose": "credit", "requests": 1, "answers": 1, "failed": 0}
    return {"day": today(), "record": record, **usual, "companies": None, **more}


async def test_administrators_of_an_agency_see_how_it_fares_and_nothing_of_how_others_do(callers: Callers) -> None:
    told = await callers.agencies(f"{HEALTH} {ACCESS}")
    p50, p95, p99 = (told["standards"]["health"].pop(name) for name in ("p50", "p95", "p99"))
    assert 0 < p50 <= p95 <= p99
    assert told["standards"]["health"] == {
        "state": "ASKED",
        "calls": 3,
        "failures": 0,
        "timeouts": 0,
        "openings": 0,
        "rows": 3,
        "dropped": 0,
        "unreadable": 0,
        "wanted": 0,
        "kept": 0,
    }
    assert told["standards"]["access"] == []
    withheld = {"coordinate": "AgencyHealth", **WITHHELD, "agency": {"id": "honours"}}
    assert told["honours"] == {"health": None, "access": [withheld]}


async def test_who_administers_all_sees_how_all_fare_and_what_the_cache_kept(callers: Callers) -> None:
    told = await callers.agencies("health { calls wanted kept }", *CENTRE)
    assert told["honours"]["health"] == {"calls": 2, "wanted": 3, "kept": 1}
    assert told["standards"]["health"] == {"calls": 3, "wanted": 0, "kept": 0}


async def test_an_agency_that_fails_shows_it_to_its_administrators(tmp_path: Path, signer: Signer) -> None:
    async def fail(_: object) -> tuple[int, dict[str, str]]:
        return 500, {}

    async with answering(tmp_path, signer) as callers:
        callers.offices.answer = fail
        for _ in range(5):
            await callers.ask(ASKING, code=COMPANY)
        health = (await callers.agencies("health { state openings failures calls }"))["standards"]["health"]
    assert (health["state"], health["openings"]) == ("LEFT_ALONE", 1)
    assert health["failures"] == health["calls"] >= 5


async def test_all_others_are_told_only_that_it_is_withheld(callers: Callers) -> None:
    bank, clerk = ("first-bank", "bank.officer", "credit"), ("standards-office", "clerk")
    for caller in (bank, clerk, ("zhejiang-regulator", "regulator.provincial")):
        told = await callers.agencies(f"{HEALTH} {USAGE} {ACCESS}", *caller)
        for agency, answer in told.items():
            entries = [
                {"coordinate": name, **WITHHELD, "agency": {"id": agency}} for name in ("AgencyHealth", "AgencyUsage")
            ]
            assert answer == {"health": None, "usage": None, "access": entries}
    for caller in (bank, clerk):
        introspected = await callers.ask('{ __type(name: "Agency") { fields { name } } }', *caller)
        names = {field["name"] for field in introspected["data"]["__type"]["fields"]}
        assert names == {"id", "name", "nameZh", "records", "access"}


async def test_an_agencys_administrators_see_who_used_its_data_and_not_about_whom(callers: Callers) -> None:
    told = await callers.agencies(f"{USAGE} {ACCESS}")
    assert told["standards"]["usage"] == [
        use(requests=2, answers=2),
        use(organisation="tax-bureau-zhejiang", purpose=None),
    ]
    withheld = {**WITHHELD, "agency": {"id": "standards"}}
    assert told["standards"]["access"] == [{"coordinate": "AgencyUsage.companies", **withheld}]
    assert told["honours"]["usage"] is None
    assert COMPANY not in json.dumps(told)


OPEN = """
  - {id: companies, allow: AgencyUsage.companies, of: standards, to: policy.admin, for: policy.administration,
     given: self, note: For the test.}
"""


async def test_a_rule_may_tell_about_which_companies_for_a_purpose(tmp_path: Path, signer: Signer) -> None:
    both = f'{{ enterprises(codes: ["{OTHER}", "{COMPANY}"]) {{ certifications {{ status }} }} }}'
    async with answering(tmp_path, signer, more_rules=OPEN) as callers:
        assert (await callers.agencies(USAGE))["standards"]["usage"] == []
        await callers.ask(both, purpose="credit")
        told = await callers.agencies(f"{USAGE} {ACCESS}", purpose="policy.administration")
        assert told["standards"]["usage"] == [use(answers=2, companies=sorted([OTHER, COMPANY]))]
        assert told["standards"]["access"] == []
        assert callers.records()[-1]["usageRead"][0]["companies"] is True
        told = await callers.agencies(f"{USAGE} access {{ reason }}")
        assert told["standards"] == {"usage": [use(answers=2)], "access": [{"reason": "NEEDS_PURPOSE"}]}
        assert callers.records()[-1]["usageRead"][0]["companies"] is False


async def test_to_read_who_used_the_data_is_in_the_log_and_to_be_withheld_it_too(callers: Callers) -> None:
    await callers.agencies(f"{USAGE} health {{ state }}")
    record = callers.records()[-1]
    since = (dt.datetime.now(CHINA).date() - dt.timedelta(days=2)).isoformat()
    assert record["usageRead"] == [{"agencies": ["standards"], "since": since, "companies": False}]
    decided = {
        (one["bases"] == ["self"], decision["agency"], decision["coordinate"]): (decision["decision"], decision["rule"])
        for one in record["classes"]
        for decision in one["decisions"]
    }
    assert decided[True, "standards", "AgencyUsage.organisation"] == ("CLEAR", "agency-sees-who-uses-its-data")
    assert decided[True, "standards", "AgencyHealth.state"] == ("CLEAR", "agency-sees-how-it-fares")
    assert decided[True, "standards", "AgencyUsage.companies"] == ("WITHHELD", None)
    assert decided[False, "honours", "AgencyUsage"] == ("WITHHELD", None)
    assert (record["organisation"], record["outcome"], record["companies"]) == ("standards-office", "ANSWERED", [])
    await callers.agencies(USAGE, "first-bank", "bank.officer")
    assert "usageRead" not in callers.records()[-1]


async def test_a_log_that_cannot_be_read_is_an_error_and_not_nobody(callers: Callers) -> None:
    unreadable = callers.log.with_name("audit-1.jsonl")
    unreadable.symlink_to("/proc/self/mem")  # its first byte cannot be read
    try:
        answer = await callers.ask("{ agencies { id u: usage { day } access { coordinate } } }", *OWN)
    finally:
        unreadable.unlink()
    (standards,) = (one for one in answer["data"]["agencies"] if one["id"] == "standards")
    assert standards == {"id": "standards", "u": None, "access": []}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["agencies", 1, "u"], "USAGE_UNAVAILABLE")


async def test_days_without_sense_and_other_places_are_refused(callers: Callers) -> None:
    for days in (0, -1, 3_661):
        answer = await callers.ask("query ($days: Int!) { agencies { usage(days: $days) { day } } }", *OWN, days=days)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["ARGUMENT_INVALID"]
        assert "data" not in answer
    honours = f'{{ enterprise(code: "{COMPANY}") {{ honours {{ %s }} }} }}'
    for query in (
        honours % "sources { agency { health { state } } }",
        honours % "records { source { agency { usage { day } } } }",
        "{ me { access { agency { health { state } } } } }",
        "{ agencies { access { agency { access { coordinate } } } } }",
    ):
        answer = await callers.ask(query, *OWN)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["OPERATION_INVALID"]
        assert "in the root 'agencies' alone" in answer["errors"][0]["message"]


async def test_aliases_have_each_their_own_days_and_what_is_asked_too_often_is_refused(callers: Callers) -> None:
    told = await callers.agencies("a: usage(days: 1) { n: requests, __typename } b: usage { requests }")
    named = [{"n": 2, "__typename": "AgencyUsage"}, {"n": 1, "__typename": "AgencyUsage"}]
    assert told["standards"] == {"a": named, "b": [{"requests": 2}, {"requests": 1}]}
    many = " ".join(f"u{n}: usage(days: {n + 1}) {{ day }}" for n in range(6))
    answer = await callers.ask(f"{{ agencies {{ {many} }} }}", *OWN)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["LIMIT_EXCEEDED"]
    answer = await callers.ask("{ me { access { coordinate decision reason agency { id } } } }", *OWN)
    me = {(one["agency"]["id"], one["coordinate"]): one for one in answer["data"]["me"]["access"]}
    assert me["standards", "AgencyHealth.state"]["decision"] == "WITHHELD"  # of an agency that is not in question
