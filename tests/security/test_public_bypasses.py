"""The bypasses of access control that other gateways were published for, each over every route to a field.

A protected value stands nowhere in the bytes that leave, and no agency is asked for its column; where the rule that
protects it is left out, the same route shows it.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from connectors.contract import Row
from gateway.limits import Limits
from schema.contract import national
from schema.records import catalogue
from schema.values import Code, DateSpan, Money
from tests.gateway.stages.conftest import BANK, BEIJING, COMPANY, GUANGZHOU, HANGZHOU, REGULATOR, SHENZHEN
from tests.security.routes import (
    DOCUMENTS,
    ONE,
    ROUTES,
    Target,
    ask,
    by_route,
    guarded_world,
    parsed,
)

TODAY = dt.datetime.now(dt.UTC).date()
PENALTIES = "zhejiang-penalties/Penalty"
FACTS = "SECRET-facts"
DENY = "\n  - {id: guard, deny: %s, of: any, to: anonymous, for: any, given: any, note: Guarded.}\n"
OPEN = "\n  - {id: open, allow: %s, of: any, to: anonymous, for: any, given: any, note: Opened.}\n"

every_route = pytest.mark.parametrize("route", ROUTES)
every_route_without_links = pytest.mark.parametrize("route", [route for route in ROUTES if route != "by a link"])


def penalty(id_: str = "p1", days: int = 30, **fields: Any) -> Row:
    return {
        "recordId": id_,
        "decidedOn": TODAY - dt.timedelta(days=days),
        "severity": Code("serious"),
        "authority": "Authority",
        "facts": FACTS,
        "responsiblePerson": "甲乙丙",
        "responsiblePersonId": "999999199902301234",
        **fields,
    }


def penalties(*rows: Row) -> dict[tuple[str, str], tuple[Row, ...]]:
    return {(PENALTIES, HANGZHOU): rows or (penalty(),)}


def status_of(body: bytes) -> set[str]:
    return {text.decode() for text in re.findall(rb'"status":"(\w+)"', body)}


# Public bug CVE-2025-64530: a rule on an interface's field did not hold where a fragment named the type itself.
@every_route
async def test_interface_rule_bypassed_by_fragment(route: str) -> None:
    guarded = guarded_world(penalties(), DENY % "Penalty")
    body = await by_route(guarded, route, Target())
    assert FACTS.encode() not in body
    assert status_of(body) == {"WITHHELD"}
    assert not guarded.supply.columns(PENALTIES)
    assert FACTS.encode() in await by_route(guarded_world(penalties()), route, Target())


# Public bug CVE-2025-64173: a rule on a type's field did not hold where the field was reached through its interface.
@every_route
async def test_concrete_rule_bypassed_through_interface(route: str) -> None:
    guarded, open_ = guarded_world(penalties(), DENY % "Penalty.facts"), guarded_world(penalties())
    target = Target(fields=("facts", "authority"))
    body = await by_route(guarded, route, target)
    assert FACTS.encode() not in body
    assert b'"Authority"' in body
    assert "facts" not in guarded.supply.columns(PENALTIES)
    assert FACTS.encode() in await by_route(open_, route, target)
    assert route == "out of the cache" or "facts" in open_.supply.columns(PENALTIES)


# Public bug CVE-2025-64347: directives that were imported under another name were not enforced.
@every_route
@pytest.mark.parametrize("directive", ["@include(if: true)", "@skip(if: false)", "@public", "@federation__policy"])
async def test_renamed_directive_not_enforced(route: str, directive: str) -> None:
    guarded = guarded_world(penalties(), DENY % "Penalty.facts")
    target = Target(fields=(f"facts {directive}",))
    assert FACTS.encode() not in await by_route(guarded, route, target)
    assert "facts" not in guarded.supply.columns(PENALTIES)
    if directive.startswith(("@include", "@skip")):
        assert FACTS.encode() in await by_route(guarded_world(penalties()), route, target)


def test_no_directive_of_the_contract_is_left_to_a_router_to_enforce() -> None:
    assert not re.search(r"@(authenticated|requiresScopes|policy)\b", national().subgraph_sdl(()))


# Public bug GHSA-m8jr-fxqx-8xx6: a field derived from a protected one could be read by those who could not read that.
@every_route_without_links
async def test_derived_field_reading_a_protected_one(route: str) -> None:
    held = {("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "holder": BEIJING},)}
    named = {("registry/Registration", BEIJING): ({"recordId": "r1", "name": "SECRET holder"},)}
    below = "holder { creditCode identity { organisationCode } registration { record { name } } }"
    target = Target("shareholders", "ShareholderAnswer", (below,))
    guarded = guarded_world({**held, **named}, DENY % "Shareholder.holder")
    body = await by_route(guarded, route, target)
    assert BEIJING.encode() not in body
    assert BEIJING[8:17].encode() not in body
    assert b"SECRET" not in body
    assert "holder" not in guarded.supply.columns("registry/Shareholder")
    assert not guarded.supply.columns("registry/Registration")
    shown = await by_route(guarded_world({**held, **named}), route, target)
    assert b"SECRET holder" in shown
    assert BEIJING[8:17].encode() in shown


# The same: whatever a record, an answer or a company has beside its classified fields is derived, and tested here.
def test_derived_fields_are_these_and_no_others() -> None:
    types = national().schema(frozenset()).type_map
    records = tuple(catalogue().of_companies())
    for record in records:
        contents = {"record"} if record.single else {"records", "hasMore", "endCursor"}
        assert set(types[record.answer].fields) == {"status", "sources", "access"} | contents
        assert set(types[record.name].fields) == {*record.fields, "source"}
    assert {f"{record.name}.{field.name}" for record in records for field in record.fields.values() if field.link} == {
        "Shareholder.holder"
    }
    assert set(types["Enterprise"].fields) == {"creditCode", "identity"} | {record.field for record in records}


# The same: the dispute mark, the source and the cursor come from the rows, and stay behind with them.
@every_route
async def test_derived_field_of_withheld_rows(route: str) -> None:
    target = Target(
        fields=("objection", "source { asOf agency { id } }"), around="status hasMore endCursor sources { asOf }"
    )
    disputed = penalties(penalty(objection=True))
    guarded = guarded_world(disputed, DENY % "Penalty")
    body = await by_route(guarded, route, target)
    assert b'"asOf":"' not in body
    assert not re.search(rb"true|false", body)
    assert not re.search(rb'"endCursor":"', body)
    assert not guarded.supply.columns(PENALTIES)
    shown = await by_route(guarded_world(disputed), route, target)
    assert re.search(rb'true,"\w+":\{"asOf":"2026', shown)
    assert re.search(rb'"endCursor":"', shown)


# The same: a cursor says of the date and of the record's id no more than the caller sees.
@every_route
async def test_derived_cursor_reading_a_protected_date_or_id(route: str) -> None:
    decided = (TODAY - dt.timedelta(days=30)).isoformat()
    rows = penalties(penalty("SECRET-id"))
    target = Target(fields=("authority",), around="status endCursor")

    def cursors(body: bytes) -> str:
        (cursor,) = set(re.findall(r'"endCursor":"([^"]+)"', body.decode()))
        return base64.urlsafe_b64decode(cursor).decode()

    shown = cursors(await by_route(guarded_world(rows), route, target))
    assert decided in shown
    assert "SECRET-id" not in shown
    hidden = cursors(await by_route(guarded_world(rows, DENY % "[Penalty.decidedOn, Penalty.recordId]"), route, target))
    assert decided not in hidden
    assert "SECRET-id" not in hidden


# Public bug CVE-2025-31481: what one entry point refused, another one answered.
async def test_second_entry_point() -> None:
    documents = [document(Target()) for route, document in DOCUMENTS.items() if "fragment" not in route]
    together = (
        "{ "
        + " ".join(
            re.sub(r"(?<![\w:] )\b(enterprises?|_entities)\(", rf"r{number}: \1(", text.strip()[1:-1], count=1)
            for number, text in enumerate(documents)
            if not text.startswith("{ e:")
        )
        + " }"
    )
    guarded = guarded_world(penalties(), DENY % "Penalty.facts")
    body = await ask(guarded, together)
    assert len(parsed(body)["data"]) == len(documents) - 1
    assert FACTS.encode() not in body
    assert "facts" not in guarded.supply.columns(PENALTIES)
    shown = await ask(guarded_world(penalties()), together)
    assert all(FACTS in str(found) for found in parsed(shown)["data"].values())


@every_route
async def test_second_entry_point_alone(route: str) -> None:
    guarded = guarded_world(penalties(), DENY % "Penalty.facts")
    assert FACTS.encode() not in await by_route(guarded, route, Target())


# Public bug CVE-2025-31485: what was granted on one object was remembered, and held for the next one.
@pytest.mark.parametrize(
    ("who", "purpose"), [(REGULATOR, "supervision.inspection"), (COMPANY, "self.review")], ids=["jurisdiction", "self"]
)
@pytest.mark.parametrize("order", list(permutations((HANGZHOU, SHENZHEN))), ids=["own first", "own last"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
async def test_grant_cached_across_objects(who: Any, purpose: str, order: tuple[str, ...], *, at_once: bool) -> None:
    rows = {(PENALTIES, code): (penalty(responsiblePersonId=f"SECRET-{code}"),) for code in order}
    world = guarded_world(rows)
    asking = 'enterprises(codes: ["%s"]) { penalties { records { responsiblePersonId } } }'
    questions = ['", "'.join(order)] if at_once else order
    bodies = [await ask(world, f"{{ {asking % codes} }}", who, purpose) for codes in questions]
    told = b"".join(bodies)
    assert f"SECRET-{HANGZHOU}".encode() in told
    assert f"SECRET-{SHENZHEN}".encode() not in told
    for request in world.supply.requests:
        if request.dataset == PENALTIES and SHENZHEN in set(request.codes):
            assert "responsiblePersonId" not in request.columns


# Public bug CVE-2024-34708: a masked field was shown unmasked where it was asked for under an alias.
@every_route
async def test_alias_unmasks(route: str) -> None:
    target = Target(fields=("responsiblePerson", "authority: responsiblePerson", "facts: responsiblePerson"))
    body = await by_route(guarded_world(penalties()), route, target)
    assert "甲**" in body.decode()
    assert "甲乙丙" not in body.decode()
    opened = guarded_world(penalties(), OPEN % "Penalty.responsiblePerson")
    assert "甲乙丙" in (await by_route(opened, route, target)).decode()


def filtered(days: int) -> Target:
    bound = (TODAY - dt.timedelta(days=days)).isoformat()
    return Target(fields=("authority",), arguments=f'decidedFrom: "{bound}"', around="status hasMore endCursor")


# Public bug CVE-2023-34235: what could not be read could be filtered by, and so be guessed letter by letter.
@every_route
async def test_filter_on_a_private_field(route: str) -> None:
    guarded = guarded_world(penalties(), DENY % "Penalty.decidedOn")
    hit, miss = [await by_route(guarded, route, filtered(days)) for days in (40, 20)]
    assert hit == miss
    assert status_of(hit) == {"WITHHELD"}
    assert not guarded.supply.columns(PENALTIES)
    hit, miss = [await by_route(guarded_world(penalties()), route, filtered(days)) for days in (40, 20)]
    assert b'"Authority"' in hit
    assert b'"Authority"' not in miss


# The same class: records came in the order of a field that could not be read.
@every_route
async def test_order_leak(route: str) -> None:
    target = Target(fields=("recordId", "authority"), around="status hasMore endCursor")
    orders = [
        penalties(penalty("a", first, authority="A"), penalty("b", second, authority="B"))
        for first, second in ((20, 50), (50, 20))
    ]
    one, other = [await by_route(guarded_world(rows, DENY % "Penalty.decidedOn"), route, target) for rows in orders]
    assert one == other
    one, other = [await by_route(guarded_world(rows), route, target) for rows in orders]
    assert one != other


# The same class: groups and counts were made of what could not be read. Here a page is all that there is to count.
@every_route
async def test_group_and_count_leak(route: str) -> None:
    target = Target(
        fields=("recordId",),
        arguments="first: 1",
        around="status hasMore endCursor sources { status asOf } access { coordinate decision }",
    )
    many = penalties(*(penalty(f"p{number}") for number in range(5)))
    none, five = [await by_route(guarded_world(rows, DENY % "Penalty"), route, target) for rows in ({}, many)]
    assert none == five
    over = penalties(*(penalty(f"p{n}", publishedUntil=TODAY - dt.timedelta(days=1)) for n in range(5)))
    none, past = [await by_route(guarded_world(rows), route, target) for rows in ({}, over)]
    assert none == past
    assert b'"hasMore":true' in await by_route(guarded_world(many), route, target)


def test_nothing_in_the_contract_groups_or_counts() -> None:
    assert not re.search(r"^  \w*([cC]ount|[gG]roup|[tT]otal)\w*\(", national().subgraph_sdl(()), re.MULTILINE)


# Public bug GHSA-p77w-8qqv-26rm: an answer that was kept for one caller was given to another.
@pytest.mark.parametrize("route", [route for route in ROUTES if route != "by GET"])
async def test_cache_ignoring_the_principal(route: str) -> None:
    query = DOCUMENTS[route](Target(fields=("facts", "responsiblePerson")))
    guarded = guarded_world(penalties(), DENY % "Penalty.facts" + OPEN.replace("anonymous", "bank") % "Penalty.*")
    before = await ask(guarded, query)
    seen = await ask(guarded, query, BANK)
    again = await ask(guarded, query)
    assert FACTS.encode() in seen
    assert FACTS.encode() not in before + again
    assert "甲乙丙" not in (before + again).decode()
    assert before == again


# Public bug CVE-2026-47707: fields were counted as they were written, and fragments multiplied them afterwards.
@pytest.mark.parametrize(
    ("limits", "levels"),
    [(Limits(fields=200), 8), (Limits(aliases=50), 8), (Limits(depth=12), 16)],
    ids=["fields", "aliases", "depth"],
)
async def test_limits_evaded_through_fragments(limits: Limits, levels: int) -> None:
    def document(levels: int) -> str:
        fragments = "".join(
            f"fragment F{n} on Enterprise {{ a: shareholders {{ records {{ x: holder {{ ...F{n + 1} }} }} }}"
            f" b: shareholders {{ records {{ x: holder {{ ...F{n + 1} }} }} }} }} "
            for n in range(levels)
        )
        return f"{{ {ONE} {{ ...F0 }} }} {fragments} fragment F{levels} on Enterprise {{ creditCode }}"

    world = guarded_world({}, limits=limits)
    body = await ask(world, document(levels))
    assert parsed(body)["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "data" not in parsed(body)
    assert not world.supply.requests
    assert "data" in parsed(await ask(world, document(1)))


# The class: a null below a non-null field emptied its parent, by which one could tell that there was something.
@every_route_without_links
async def test_existence_oracle_through_non_null_propagation(route: str) -> None:
    capital = "subscribedCapital { currency amount }"
    target = Target("shareholders", "ShareholderAnswer", ("recordId", "holder { creditCode }", capital, "share"))
    there = {"holder": SHENZHEN, "subscribedCapital": Money(Decimal(1)), "heldSince": DateSpan(TODAY)}
    worlds = [{("registry/Shareholder", HANGZHOU): ({"recordId": "s1", **more},)} for more in ({}, there)]
    rule = DENY % "[Shareholder.holder, Shareholder.subscribedCapital]"
    without, with_ = [await by_route(guarded_world(rows, rule), route, target) for rows in worlds]
    assert without == with_
    assert b'"s1"' in with_
    assert "errors" not in parsed(with_)
    without, with_ = [await by_route(guarded_world(rows), route, target) for rows in worlds]
    assert without != with_


# The class: of two fragments with one response key the first was judged and the second was read.
@every_route
async def test_two_fragments_with_one_response_key(route: str) -> None:
    target = Target(
        fields=("...on Penalty { x: facts }", "...on Penalty { y: authority }", "...on Penalty { x: facts }")
    )
    clashing = Target(fields=("...on Penalty { x: authority }", "...on Penalty { x: facts }"))
    guarded = guarded_world(penalties(), DENY % "Penalty.facts")
    body = await by_route(guarded, route, target)
    refused = await by_route(guarded, route, clashing)
    assert FACTS.encode() not in body + refused
    assert b'"x":null,"y":"Authority"' in body
    assert b"OPERATION_INVALID" in refused
    assert "facts" not in guarded.supply.columns(PENALTIES)
    assert f'"x":"{FACTS}","y":"Authority"'.encode() in await by_route(guarded_world(penalties()), route, target)


@pytest.mark.parametrize("order", list(permutations(("...A", "...B"))), ids=["denied last", "denied first"])
async def test_two_fragments_with_one_response_key_in_records_under_two_keys(order: tuple[str, ...]) -> None:
    """One key (`h`) in two aliases of the records is two fields: a name, and a link that is denied or not."""
    rows = {
        ("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "holder": SHENZHEN, "share": None, "name": "丁戊"},),
        ("registry/Registration", SHENZHEN): ({"recordId": "r1", "name": "SECRET"},),
    }
    query = f"""{{ {ONE} {{ shareholders {{ {" ".join(order)} }} }} }}
        fragment A on ShareholderAnswer {{
          one: records {{ h: recordId }} two: records {{ h: holder {{ creditCode }} }} }}
        fragment B on ShareholderAnswer {{
          three: records {{ h: holder {{ registration {{ record {{ name }} }} }} }} four: records {{ h: name }} }}"""
    found = parsed(await ask(guarded_world(rows), query))["data"]["enterprise"]["shareholders"]
    assert {key: records[0]["h"] for key, records in found.items()} == {
        "one": "s1",
        "two": {"creditCode": SHENZHEN},
        "three": {"registration": {"record": {"name": "SECRET"}}},
        "four": "丁**",
    }
    body = await ask(guarded_world(rows, DENY % "Shareholder.holder"), query)
    assert b"SECRET" not in body
    assert SHENZHEN.encode() not in body
    assert b'"one":[{"h":"s1"}]' in body


# The class: a field that can never open told by its error, its place or its absence that it was there.
@every_route
async def test_sealed_field_is_as_if_it_were_not_there(route: str) -> None:
    rows = penalties(penalty(informant="SECRET informant"))
    target = Target(fields=("informant", "authority"), around="access { coordinate }")
    world = guarded_world(rows)
    body = await by_route(world, route, target)
    assert b"SECRET" not in body
    assert b"data" not in body
    assert not world.supply.requests
    rule = OPEN.replace("given: any", "given: self") % "Penalty.informant"
    some, none = [await by_route(guarded_world(found, rule), route, target) for found in (rows, penalties())]
    assert some == none
    assert b'"informant":null' in some or b'"x0":null' in some
    assert b"Penalty.informant" not in some
    opened = guarded_world(rows, OPEN % "Penalty.informant")
    assert b"SECRET informant" in await by_route(opened, route, target)


# The class: what one may see of a company was taken to hold for those that it leads to.
async def test_a_link_gives_the_company_it_leads_to_no_grant_of_the_company_it_leads_from() -> None:
    rows = {
        (PENALTIES, SHENZHEN): (penalty(responsiblePersonId="SECRET"),),
        ("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "holder": SHENZHEN},),
    }
    world = guarded_world(rows)
    below = "penalties { records { responsiblePersonId } }"
    query = f"{{ {ONE} {{ {below} shareholders {{ records {{ holder {{ {below} }} }} }} }} }}"
    assert b"SECRET" not in await ask(world, query, REGULATOR, "supervision.inspection")


# The class: what was fetched for some records was shown of the others that came with them.
@every_route_without_links
async def test_what_opens_of_expired_records_stays_closed_in_current_ones(route: str) -> None:
    over = {"publishedUntil": TODAY - dt.timedelta(days=1)}
    rows = {
        **penalties(penalty(), penalty("p2", facts="Past facts", **over)),
        ("registry/Shareholder", HANGZHOU): (
            {"recordId": "s1", "holder": BEIJING},
            {"recordId": "s2", "holder": GUANGZHOU, **over},
        ),
    }
    past = "[Penalty, Penalty.facts, Shareholder, Shareholder.holder]"
    rules = DENY % "[Penalty.facts, Shareholder.holder]" + (OPEN % past).replace("note:", "act: read_expired, note:")
    world = guarded_world(rows, rules)
    facts = await by_route(world, route, Target())
    assert FACTS.encode() not in facts
    assert b"Past facts" in facts
    holder = Target("shareholders", "ShareholderAnswer", ("holder { identity { organisationCode } }",))
    holders = await by_route(world, route, holder)
    assert BEIJING[8:17].encode() not in holders
    assert GUANGZHOU[8:17].encode() in holders
