"""What the agencies are asked tells nothing of what the caller may not see.

The first level of a request, and the lookups before it, are asked by the question and the policy alone: whatever the
agencies hold, the same calls leave, with the same columns, for the same companies. A further level is asked about the
companies that the records before it lead to, as they are shown: what is withheld drives no call, and neither does it
show in a status, a source, a count, an order, a cursor, a cost, or what a receipt states. Calls by an identifier of an
agency's own need that identifier to be known: whether it is shows in the status of the very source.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from graphql import GraphQLField, get_named_type, is_composite_type
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.cache import RowCache
from connectors.contract import CompanyKey, CompanyRows, Dataset, FailureCode, FetchRequest, KeyKind, Outcome, Supply
from connectors.lifetimes import Lifetimes
from gateway.messages import Principal, Received
from gateway.pipeline import Gateway
from gateway.stages.document import OF_AGENCIES_ALONE
from policies.decision import DecisionTable, Effect
from policies.publicity import Judge, Standing
from schema.agency import AGENCY
from schema.catalogue import RecordType
from tests.gateway.stages.conftest import (
    BANK,
    DATASETS,
    HANGZHOU,
    NINGBO,
    SHENZHEN,
    FixedEdition,
    KeptAudit,
    build_world,
)
from tests.gateway.stages.conftest import dataset as memory_dataset
from tests.gateway.stages.random_operations import operations
from tests.gateway.stages.random_worlds import (
    COMPANIES,
    CROSSWALK,
    NUMBERS,
    PURPOSE,
    RandomWorld,
    SaidSupply,
    everything_said,
    value_of,
    worlds,
)

OFFICER = Principal("officer", "bank", frozenset({"officer"}))
CALLERS = st.builds(dataclasses.replace, st.just(OFFICER), company=st.sampled_from([None, HANGZHOU, SHENZHEN]))
Said = Mapping[tuple[str, str], CompanyRows]
Call = tuple[str, tuple[CompanyKey, ...], tuple[str, ...], tuple[Any, ...], str]
NEVER_SHOWN = frozenset({Standing.NOT_YET, Standing.OVER})
"""How rows stand that are as if they were not there, save where a rule opens those that are over."""

usual = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Remembering:
    """A supply whose calls are written down as they reach the agencies, the cache before them where there is one."""

    def __init__(self, supply: Supply, cache: RowCache | None = None) -> None:
        self.datasets = supply.datasets
        self.calls: list[Call] = []
        self._supply = supply
        self._cache = cache

    async def fetch(self, request: FetchRequest) -> Mapping[CompanyKey, CompanyRows]:
        if self._cache is None:
            return await self._reach(request)
        ask = lambda codes: self._reach(replace(request, codes=tuple(codes)))  # noqa: E731
        return await self._cache.through(request, Lifetimes(60, 60), ask)

    async def _reach(self, request: FetchRequest) -> Mapping[CompanyKey, CompanyRows]:
        filters = tuple(sorted(request.filters.items()))
        self.calls.append(
            (request.dataset, tuple(request.codes), tuple(sorted(request.columns)), filters, request.partition)
        )
        return await self._supply.fetch(request)


@dataclasses.dataclass(frozen=True)
class Question:
    """An operation with its variables, and who asks it."""

    text: str
    variables: Mapping[str, Any]
    principal: Principal
    purpose: str | None


@dataclasses.dataclass(frozen=True)
class Seen:
    """What came of a question: the calls, the answer, and how the agencies fared as the log and receipts tell it."""

    calls: list[Call]
    body: bytes
    fared: Any


def with_supply(gateway: Gateway, supply: Remembering) -> tuple[Gateway, KeptAudit]:
    edition, audit = gateway.editions.current, KeptAudit()
    provision = dataclasses.replace(edition.provision, supply=supply)
    editions = FixedEdition(dataclasses.replace(edition, provision=provision))
    return dataclasses.replace(gateway, editions=editions, audit=audit), audit


def asked(world: RandomWorld, said: Said, *questions: Question, cached: bool = False) -> Seen:
    """What comes of the last question, after the others, where the agencies say this."""

    async def ask() -> Seen:
        supply = Remembering(SaidSupply(world.supply.datasets, said), RowCache(10_000) if cached else None)
        gateway, audit = with_supply(world.gateway, supply)
        for question in questions:
            deadline = asyncio.get_running_loop().time() + 60.0
            received = Received(
                "test",
                question.text,
                None,
                question.variables,
                question.principal,
                question.purpose,
                (),
                deadline,
                read_only=False,
                tell_cost=True,
            )
            body = (await gateway.answer(received)).body
            assert b'"data"' in body, body  # of what is refused, everything would hold
        return Seen(supply.calls, body, audit.lines[-1].get("agencies"))

    return asyncio.run(ask())


def other_data(world: RandomWorld, seed: int) -> Said:
    """Other things that the agencies might say: other companies known, other records, other failures."""
    datasets = tuple(one for one in world.supply.datasets.values() if one is not CROSSWALK)
    return everything_said(Random(seed), datasets, world.catalogue, world.today)  # noqa: S311 - nothing secret


def drawn_question(data: st.DataObject, world: RandomWorld, links: int) -> Question:
    operation = data.draw(operations(world.view.schema, world.catalogue, world.today, links))
    return Question(
        operation.text, data.draw(operation.values), data.draw(CALLERS), data.draw(st.sampled_from([None, PURPOSE]))
    )


# --- The first level --------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)  # to make a failing example small takes minutes
@usual
@given(st.data())
def test_whatever_the_agencies_hold_the_companies_asked_for_cost_the_same_calls(data: st.DataObject) -> None:
    world = data.draw(worlds())
    question = drawn_question(data, world, links=0)
    one, other = (asked(world, other_data(world, seed), question) for seed in data.draw(seeds()))
    assert one.calls == other.calls


@pytest.mark.timeout(600)
@usual
@given(st.data())
def test_rows_that_are_kept_save_the_same_calls_whatever_they_are(data: st.DataObject) -> None:
    """What is kept is what was asked for before, and answered."""
    world, chance = data.draw(worlds()), Random(data.draw(st.integers(0, 2**32)))  # noqa: S311 - nothing secret
    questions = [widely_asking(chance, world, data.draw(CALLERS), links=0) for _ in range(3)]
    whole = [answering(other_data(world, seed)) for seed in data.draw(seeds())]
    one, other = (asked(world, said, *questions, cached=True) for said in whole)
    assert one.calls == other.calls


def seeds() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 2**32), min_size=2, max_size=2, unique=True)


def answering(said: Said) -> Said:
    """The same where nothing fails and everything can be read."""
    return {
        (id_, code): replace(
            said.get((id_, code), CompanyRows(Outcome.ANSWERED)),
            outcome=Outcome.ANSWERED,
            failure=None,
            unreadable={},
        )
        for id_ in {id_ for id_, _ in said}
        for code in COMPANIES
    }


# --- Lookups and verifications ----------------------------------------------------------------------------------------

BY_NUMBER, SEARCH = "registry/CompanyByRegistrationNumber", "registry/CompanySearch"
OTHER_SEARCH, REGISTRATION = "tax/CompanySearch", "registry/Registration"
NUMBER = NUMBERS[HANGZHOU]
FOUND = frozenset({"creditCode", "name", "division"})
FINDING = {
    BY_NUMBER: memory_dataset(BY_NUMBER, key=KeyKind.REGISTRATION_NUMBER, fields=frozenset({"creditCode"})),
    SEARCH: memory_dataset(SEARCH, key=KeyKind.NAME, fields=FOUND),
    OTHER_SEARCH: memory_dataset(OTHER_SEARCH, key=KeyKind.NAME, fields=FOUND),
}
GUARD = "\n  - {id: guard, deny: [%s], of: tax, to: any, for: any, given: any, note: Guarded.}\n"

DATA: Mapping[str, Mapping[str, Any]] = {
    "nothing is known": {},
    "the company is known": {
        "rows": {
            (BY_NUMBER, NUMBER): ({"creditCode": HANGZHOU},),
            (SEARCH, "若木"): ({"creditCode": HANGZHOU, "name": "若木有限公司"},),
            (OTHER_SEARCH, "若木"): ({"creditCode": NINGBO, "name": "若木"}, {"creditCode": SHENZHEN, "name": "若木"}),
            (REGISTRATION, HANGZHOU): ({"recordId": "r", "name": "若木", "legalRepresentative": "甲"},),
        }
    },
    "others are known": {
        "rows": {
            (SEARCH, "若木"): tuple({"creditCode": code, "name": f"{code}若木"} for code in COMPANIES),
            (REGISTRATION, HANGZHOU): ({"recordId": "r", "name": "扶桑", "legalRepresentative": None},),
        }
    },
    "they fail": {"failing": dict.fromkeys([BY_NUMBER, SEARCH, REGISTRATION], FailureCode.AGENCY_UNAVAILABLE)},
    "the company is unknown": {"outcomes": {(REGISTRATION, HANGZHOU): Outcome.UNKNOWN_COMPANY}},
}

LOOKUPS = {
    "by an identifier": f'{{ enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: "{NUMBER}") {{ creditCode }} }}',
    "by a name": '{ findEnterprises(name: "若木", division: "33") { name division source { agency { id } } } }',
    "verified": f"""{{ verifyEnterprise(code: "{HANGZHOU}", name: "若木", legalRepresentative: "甲") {{
        status creditCode name legalRepresentative sources {{ status }} }} }}""",
}


async def looked_up(query: str, more_rules: str = "", **data: Any) -> Seen:
    world = build_world(datasets={**DATASETS, **FINDING}, more_rules=more_rules, **data)
    deadline = asyncio.get_running_loop().time() + 60.0
    received = Received(
        "test", query, None, {}, BANK, "credit.underwriting", (), deadline, read_only=False, tell_cost=True
    )
    supply = Remembering(world.supply)
    gateway, audit = with_supply(world.gateway, supply)
    body = (await gateway.answer(received)).body
    return Seen(supply.calls, body, audit.lines[-1]["lookups"])


@pytest.mark.parametrize("query", LOOKUPS.values(), ids=LOOKUPS)
async def test_companies_are_looked_for_and_verified_by_the_same_calls_whatever_is_known(query: str) -> None:
    seen = [await looked_up(query, **data) for data in DATA.values()]
    assert seen[0].calls
    assert [one.calls for one in seen] == [seen[0].calls] * len(seen)
    assert len({one.body for one in seen}) > 1


async def test_what_an_agency_knows_that_may_not_be_searched_neither_shows_nor_leads_on() -> None:
    query = '{ findEnterprises(name: "若木") { name enterprise { creditCode penalties { status } } } }'
    rows = dict(DATA["the company is known"]["rows"])
    open_ = await looked_up(query, rows=rows)
    guarded = [
        await looked_up(query, GUARD % "EnterpriseMatch", rows=found)
        for found in (rows, {key: found for key, found in rows.items() if key[0] != OTHER_SEARCH})
    ]
    assert guarded[0] == guarded[1]
    assert OTHER_SEARCH in {call[0] for call in open_.calls}
    assert OTHER_SEARCH not in {call[0] for call in guarded[0].calls}


# --- What is withheld -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
@settings(usual, max_examples=60)
@given(st.data())
def test_what_is_withheld_drives_no_call_and_shows_nowhere_in_the_answer(data: st.DataObject) -> None:
    world, seed = data.draw(worlds()), data.draw(st.integers(0, 2**32))
    chance = Random(seed)  # noqa: S311 - nothing secret
    question = widely_asking(chance, world, data.draw(CALLERS), links=2)
    altered = altering(world, question.principal, seed)
    as_it_is, otherwise = (asked(world, said, question) for said in (world.supply.said, altered))
    assert otherwise.calls == as_it_is.calls
    assert otherwise.body == as_it_is.body
    assert otherwise.fared == as_it_is.fared


def widely_asking(chance: Random, world: RandomWorld, principal: Principal, links: int) -> Question:
    """A question for most of what there is about all companies, and those that they lead to."""
    text = f"{{ enterprises(codes: {json.dumps(COMPANIES)}) {most_of(chance, world, 'Enterprise', links)} }}"
    return Question(text, {}, principal, chance.choice([None, PURPOSE]))


def most_of(chance: Random, world: RandomWorld, of: str, links: int) -> str:
    """Most fields of a type, with some arguments, and of each record where one of its links leads."""
    selected = []
    leading = [
        name
        for name, one in world.view.schema.type_map[of].fields.items()
        if get_named_type(one.type).name == "Enterprise"
    ]
    followed = chance.choice(leading) if leading and links else None
    for name, one in world.view.schema.type_map[of].fields.items():
        named = get_named_type(one.type)
        if chance.random() < (0.1 if is_composite_type(named) else 0.3) or (name in leading and name != followed):
            continue
        if of == AGENCY and name in OF_AGENCIES_ALONE:
            continue
        below = most_of(chance, world, named.name, links - (name == followed)) if is_composite_type(named) else ""
        selected.append(f"{name}{_arguments(chance, world, one)} {below}")
    return f"{{ __typename {' '.join(selected)} }}"


def _arguments(chance: Random, world: RandomWorld, field: GraphQLField) -> str:
    day = world.today - dt.timedelta(days=chance.choice((-1, 40, 400)))
    values = {"first": str(chance.randint(1, 3))} | {
        name: f'"{day}"' for name in field.args if name not in ("first", "after")
    }
    given = [f"{name}: {values[name]}" for name in field.args if name in values and chance.random() < 0.4]
    return f"({', '.join(given)})" if given else ""


def altering(world: RandomWorld, principal: Principal, seed: int) -> Said:
    """The same data as far as the caller may see it, and other data where it may not."""
    chance = Random(seed)  # noqa: S311 - nothing secret
    other = other_data(world, seed)
    province = world.policy.organisations[principal.organisation].division
    altered: dict[tuple[str, str], CompanyRows] = {}
    for id_, one in world.supply.datasets.items():
        if one is CROSSWALK:
            continue
        for code in COMPANIES:
            based = code[2:4] == province or code == principal.company
            table = world.drawn.based if based else world.drawn.unbased
            if table.at(one.agency, one.record).effect is Effect.WITHHELD:
                found = other.get((id_, code))
            else:
                found = _altered(chance, world, one, table, world.supply.said.get((id_, code)))
            if found is not None:
                altered[id_, code] = found
    return altered


def _altered(
    chance: Random, world: RandomWorld, of: Dataset, table: DecisionTable, rows: CompanyRows | None
) -> CompanyRows | None:
    if rows is None:
        return None
    record = world.catalogue.records[of.record]
    control = world.publicity.control_columns(record) | {"recordId", "objection"}
    judge = world.publicity.judge(record, world.today, of.fields)
    over_shown = table.at_expired(of.agency, of.record).effect is not Effect.WITHHELD
    kept, unreadable = [], {}
    for index, row in enumerate(rows.rows):
        standing = _standing(judge, rows, index)
        if standing is Standing.NOT_YET or (standing is Standing.OVER and not over_shown):
            continue  # as if it were not there
        decide = table.at if standing is Standing.PUBLISHED else table.at_expired
        hidden = {
            field
            for field in row.keys() - control
            if standing in (Standing.PUBLISHED, Standing.OVER)
            and not _may_be_seen(record, field, decide(of.agency, f"{of.record}.{field}").effect)
        }
        if index in rows.unreadable:
            unreadable[len(kept)] = rows.unreadable[index]
        kept.append({**row, **{field: _other_value(chance, world, record, field) for field in hidden}})
    return replace(rows, rows=tuple(kept), unreadable=unreadable)


def _standing(judge: Judge | None, rows: CompanyRows, index: int) -> Standing:
    return judge(rows.rows[index], rows.unreadable.get(index, ())) if judge else Standing.PUBLISHED


def _may_be_seen(record: RecordType, field: str, effect: Effect) -> bool:
    # A link is followed where it is clear, and nothing of it shows where it is masked.
    return effect is Effect.CLEAR or (effect is Effect.MASKED and not record.fields[field].link)


def _other_value(chance: Random, world: RandomWorld, record: RecordType, field: str) -> Any:
    return None if chance.random() < 0.2 else value_of(chance, record.fields[field].kind, world.today)
