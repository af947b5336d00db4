"""Random operations over the nation's contract give what graphql-core gives.

The plan has no part in what graphql-core reads: `reference.py` works that out of the rows, the decisions and the
contract.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_composite_type
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import FailureCode, Outcome
from gateway.limits import Limits
from gateway.stages.caller import Caller
from gateway.stages.document import OF_AGENCIES_ALONE, SchemaView
from policies.decision import CallerClass
from policies.publicity import CHINA
from schema.credit_code import CreditCode
from schema.records import catalogue
from schema.values import Code, Count, DateSpan, Money
from tests.gateway.stages.core import executed
from tests.gateway.stages.reference import Reference

LEVELS = 2
PURPOSES = {"bank": "credit.underwriting", "regulator": "supervision.inspection"}
TODAY = dt.datetime.now(dt.UTC).date()
DAY = TODAY - dt.timedelta(days=40)
EXPIRED = """
  - {id: expired-rows, allow: [Penalty, Penalty.recordId, Registration, Registration.name, Registration.status],
     of: any, to: any, for: any, given: any, act: read_expired, note: Anybody may look back.}
  - {id: expired-people, allow: [Penalty.responsiblePerson, Penalty.decidedOn], of: any, to: bank,
     for: credit, given: any, act: read_expired, masked: redact, note: A bank may look back without names.}
"""


def rows(codes):
    registration = {
        "recordId": "r1",
        "name": "Invented Company",
        "legalRepresentative": "甲乙",
        "registeredCapital": Money(Decimal("1000000.50")),
        "paidInCapital": Money(Decimal(70000), "USD"),
        "status": Code("active", "存续"),
        "establishedOn": dt.date(2001, 2, 3),
        "employees": Count(42),
        "telephone": "00000000000",
    }
    fine = {"decidedOn": DAY, "severity": Code("serious", "严重"), "objection": True}
    return {
        ("registry/Registration", codes.hangzhou): ({**registration, "publishedUntil": TODAY - dt.timedelta(days=1)},),
        ("registry/Registration", codes.shenzhen): (registration,),
        ("registry/Shareholder", codes.hangzhou): (
            {"recordId": "s1", "holder": codes.shenzhen, "share": Decimal("12.5"), "name": "丙丁"},
            {"recordId": "s2", "holder": None, "heldSince": DateSpan(dt.date(2011, 5, 6))},
        ),
        ("registry/Shareholder", codes.shenzhen): ({"recordId": "s3", "holder": codes.hangzhou},),
        ("zhejiang-penalties/Penalty", codes.hangzhou): (
            {**fine, "recordId": "p1", "amount": Money(Decimal("0.1")), "responsiblePerson": "戊己庚"},
            {
                **fine,
                "recordId": "p2",
                "facts": "Facts, “quoted” and\n折行",
                "responsiblePersonId": "999999199902301234",
            },
            *past_penalties(),
        ),
        ("tax/TaxArrears", codes.hangzhou): (
            {"recordId": "t1", "taxKind": Code("vat"), "balance": Money(Decimal(123456)), "dueOn": DAY},
        ),
        ("tax/TaxCredit", codes.shenzhen): ({"recordId": "c1", "year": 2025, "grade": Code("A"), "ratedOn": DAY},),
    }


def past_penalties():
    """Over, by repair and by date; not begun; without the day that the period is counted from."""
    shown = {"severity": Code("minor"), "objection": False, "responsiblePerson": "壬癸", "authority": "Authority"}
    return (
        {**shown, "recordId": "p3", "decidedOn": DAY, "repairedOn": DAY},
        {**shown, "recordId": "p4", "decidedOn": TODAY - dt.timedelta(days=1_000)},
        {**shown, "recordId": "p5", "decidedOn": DAY, "publishedFrom": TODAY + dt.timedelta(days=9)},
        {**shown, "recordId": "p6"},
    )


def elsewhere(type_: GraphQLObjectType, name: str) -> bool:
    """Whether the field may not be asked for below an enterprise."""
    return type_.name == "Agency" and name in OF_AGENCIES_ALONE


VARIABLES = {"$number": "Int", "$day": "Date"}
ARGUMENTS = {"A": "(first: 1)", "B": "(first: $number)", "C": "(first: 9, decidedFrom: $day)"}
"""Those that an answer is given under an alias: the same each time, so that its fields can be merged."""


@st.composite
def selections(draw, schema: GraphQLSchema, type_: GraphQLObjectType, links: int) -> str:
    """A random selection set: aliases, repeated fields, fragments on the type and its interface, directives."""
    fields = [
        name
        for name, field in type_.fields.items()
        if not elsewhere(type_, name) and not (get_named_type(field.type).name == "Enterprise" and links == 0)
    ]
    # Most answers have no rows here.
    often = [name for name in ("penalties", "registration", "shareholders", "records", "record") if name in fields]
    aliases = ["", "A", "B", *("C" for _ in [0] if type_.name == "Enterprise")]
    parts = []
    for name in draw(
        st.lists(st.sampled_from([*fields, *often, *often, *often, "__typename"]), min_size=1, max_size=4)
    ):
        alias = draw(st.sampled_from(aliases))
        if alias == "C" and name != "penalties":
            alias = ""
        taken = ARGUMENTS.get(alias, "") if name in type_.fields and type_.fields[name].args else ""
        directive = draw(st.sampled_from(["", "", "", "@include(if: $yes)", "@skip(if: $yes)", "@skip(if: false)"]))
        below = ""
        if name != "__typename":
            named = get_named_type(type_.fields[name].type)
            if is_composite_type(named):
                nested = links - (named.name == "Enterprise")
                below = draw(selections(schema, named, nested))
        part = f"{f'{name}{alias}: ' if alias else ''}{name}{taken} {directive} {below}"
        on_interface = [i for i in type_.interfaces if name in i.fields]
        wrapping = draw(
            st.sampled_from(["", "", "...", f"...on {type_.name}", *(f"...on {i.name}" for i in on_interface)])
        )
        parts.append(f"{wrapping} {{ {part} }}" if wrapping else part)
    return f"{{ {' '.join(parts)} __typename }}"


@pytest.fixture
def world(make_world, codes):
    return make_world(
        rows(codes),
        limits=Limits(tokens=100_000, fields=100_000, depth=100, aliases=100_000),
        more_rules=EXPIRED,
        failing={"court/JudgmentDefault": FailureCode.AGENCY_TIMEOUT},
        outcomes={("tax/TaxArrears", codes.shenzhen): Outcome.UNKNOWN_COMPANY},
    )


@pytest.fixture
def reference_of(world, codes, principals) -> Callable[[str], tuple[SchemaView, Reference]]:
    edition, supply, secrets = world.gateway.editions.current, world.supply, world.gateway.secrets

    def reference(who: str) -> tuple[SchemaView, Reference]:
        principal, purpose = getattr(principals, who), PURPOSES.get(who)
        openable = asyncio.run(edition.tables.openable(principal.roles, principal.organisation))
        caller = Caller(edition.policy, principal, purpose, (), ())
        of_code = {
            code: asyncio.run(edition.tables.table(caller.class_with(caller.bases()(CreditCode(code)))))
            for code in (codes.hangzhou, codes.shenzhen)
        }
        unbased = CallerClass(principal.roles, principal.organisation, purpose)
        return edition.provision.views.view(openable, frozenset()), Reference(
            catalogue=catalogue(),
            datasets=supply.datasets,
            agencies=edition.provision.agencies,
            said={(id_, code): supply.said(id_, code) for id_ in supply.datasets for code in of_code},
            tables=of_code,
            unbased=asyncio.run(edition.tables.table(unbased)),
            openable=openable,
            policy=edition.policy,
            publicity=edition.publicity,
            today=dt.datetime.now(CHINA).date(),
            principal=principal,
            purpose=purpose,
            mask_key=secrets.masks,
            cursor_key=secrets.cursors,
        )

    return reference


@pytest.mark.parametrize("who", ["bank", "regulator", "anybody", "company"])
def test_any_selection_is_what_graphql_core_reads_out_of_a_plain_reference(
    world, reference_of, codes, who: str
) -> None:
    view, reference = reference_of(who)
    schema = view.schema
    enterprise, first = schema.type_map["Enterprise"], [codes.hangzhou, codes.shenzhen, codes.hangzhou]

    @given(
        selections(schema, enterprise, LEVELS),
        st.booleans(),
        st.integers(1, 3),
        st.sampled_from([None, DAY, DAY + dt.timedelta(days=1)]),
    )
    @settings(max_examples=60, deadline=None)
    def holds(selection: str, yes: bool, number: int, day: dt.date | None) -> None:  # noqa: FBT001 - drawn
        declared = "".join(f", {name}: {kind}" for name, kind in VARIABLES.items() if name in selection)
        query = f"""query ($codes: [CreditCode!]!, $yes: Boolean = false{declared}) {{
          __typename @skip(if: $yes) enterprises(codes: $codes) {{ ...first ...second @include(if: $yes) }}
          me @include(if: $yes) {{ __typename }} agencies @skip(if: true) {{ id }} }}
          fragment first on Enterprise {selection} fragment second on Enterprise {{ ...first creditCode }}"""
        variables = {"codes": first, "yes": yes, "number": number, "day": day and day.isoformat()}
        ours = asyncio.run(world.ask(query, reference.principal, purpose=reference.purpose, **variables))
        theirs = executed(view, reference, query, variables)
        assert orjson.dumps(ours.get("data")) == orjson.dumps(theirs["data"]), ours.get("errors")
        assert ours.get("errors", []) == theirs["errors"]

    holds()
