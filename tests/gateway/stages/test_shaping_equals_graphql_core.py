"""Where the plan and graphql-core could both run an operation, they give the same.

Everything there is about some companies is asked for once, through the plan; then random operations are run both
through the plan and by graphql-core over that whole, and their results compared.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    execute_sync,
    get_named_type,
    is_composite_type,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import FailureCode, Outcome
from gateway.limits import Limits
from schema.values import Code, Count, DateSpan, Money

LEVELS = 2
TODAY = dt.datetime.now(dt.UTC).date()
DAY = TODAY - dt.timedelta(days=40)
NOT_COMPARED = {"access"}
"""What was decided on the selected fields: it depends on the selection by its nature."""


def rows(codes):
    fine = {"decidedOn": DAY, "severity": Code("serious", "严重"), "objection": True}
    return {
        ("registry/Registration", codes.hangzhou): (
            {
                "recordId": "r1",
                "name": "Invented Company",
                "legalRepresentative": "甲乙",
                "registeredCapital": Money(Decimal("1000000.50")),
                "paidInCapital": Money(Decimal(70000), "USD"),
                "status": Code("active", "存续"),
                "establishedOn": dt.date(2001, 2, 3),
                "employees": Count(42),
                "telephone": "00000000000",
            },
        ),
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
        ),
        ("tax/TaxArrears", codes.hangzhou): (
            {"recordId": "t1", "taxKind": Code("vat"), "balance": Money(Decimal(123456)), "dueOn": DAY},
        ),
        ("tax/TaxCredit", codes.shenzhen): ({"recordId": "c1", "year": 2025, "grade": Code("A"), "ratedOn": DAY},),
    }


def everything(schema: GraphQLSchema, type_: GraphQLObjectType, links: int) -> str:
    """Every field of a type, links followed so many times."""
    parts = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if name in NOT_COMPARED or (named.name == "Enterprise" and links == 0):
            continue
        below = everything(schema, named, links - (named.name == "Enterprise")) if is_composite_type(named) else ""
        parts.append(f"{name} {below}")
    return f"{{ {' '.join(parts)} }}"


@st.composite
def selections(draw, schema: GraphQLSchema, type_: GraphQLObjectType, links: int) -> str:
    """A random selection set: aliases, repeated fields, fragments on the type and its interface, directives."""
    fields = [
        name
        for name, field in type_.fields.items()
        if name not in NOT_COMPARED and not (get_named_type(field.type).name == "Enterprise" and links == 0)
    ]
    parts = []
    for name in draw(st.lists(st.sampled_from([*fields, "__typename"]), min_size=1, max_size=4)):
        alias = draw(st.sampled_from(["", f"{name}A: ", f"{name}B: "]))
        directive = draw(st.sampled_from(["", "", "", "@include(if: $yes)", "@skip(if: $yes)", "@skip(if: false)"]))
        below = ""
        if name != "__typename":
            named = get_named_type(type_.fields[name].type)
            if is_composite_type(named):
                below = draw(selections(schema, named, links - (named.name == "Enterprise")))
        part = f"{alias}{name} {directive} {below}"
        on_interface = [i for i in type_.interfaces if name in i.fields]
        wrapping = draw(
            st.sampled_from(["", "", "...", f"...on {type_.name}", *(f"...on {i.name}" for i in on_interface)])
        )
        parts.append(f"{wrapping} {{ {part} }}" if wrapping else part)
    return f"{{ {' '.join(parts)} __typename }}"


@dataclass(frozen=True)
class Whole:
    """A world, one caller, and everything that the caller may see of its companies."""

    world: Any
    principal: Any
    purpose: str | None
    schema: GraphQLSchema
    data: dict[str, Any]


@pytest.fixture
def whole_of(make_world, codes, principals) -> Callable[[str], Whole]:
    world = make_world(
        rows(codes),
        limits=Limits(tokens=100_000, fields=100_000, depth=100, aliases=100_000),
        failing={"court/JudgmentDefault": FailureCode.AGENCY_TIMEOUT},
        outcomes={("tax/TaxArrears", codes.shenzhen): Outcome.UNKNOWN_COMPANY},
    )

    def whole(who: str) -> Whole:
        principal = getattr(principals, who)
        purpose = {"bank": "credit.underwriting", "regulator": "supervision.inspection"}.get(who)
        hidden = asyncio.run(world.gateway.editions.current.tables.openable(principal.roles, principal.organisation))
        schema = world.gateway.views.view(hidden).schema
        query = f"""query ($codes: [CreditCode!]!) {{ enterprises(codes: $codes)
                    {everything(schema, schema.type_map["Enterprise"], LEVELS)} }}"""
        answer = asyncio.run(world.ask(query, principal, purpose=purpose, codes=[codes.hangzhou, codes.shenzhen]))
        return Whole(world, principal, purpose, schema, answer["data"])

    return whole


@pytest.mark.parametrize("who", ["bank", "regulator", "anybody", "company"])
def test_any_selection_is_what_graphql_core_reads_out_of_the_whole(whole_of, codes, who: str) -> None:
    whole = whole_of(who)
    enterprise = whole.schema.type_map["Enterprise"]

    @given(selections(whole.schema, enterprise, LEVELS), st.booleans())
    @settings(max_examples=60, deadline=None)
    def holds(selection: str, yes: bool) -> None:  # noqa: FBT001 - drawn
        query = f"query ($codes: [CreditCode!]!, $yes: Boolean = false) {{ enterprises(codes: $codes) {selection}"
        query += " me @include(if: $yes) { subject } }"
        variables = {"codes": [codes.hangzhou, codes.shenzhen], "yes": yes}
        ours = asyncio.run(whole.world.ask(query, whole.principal, purpose=whole.purpose, **variables))
        root = {**whole.data, "me": {"subject": whole.principal.subject}}
        theirs = execute_sync(whole.schema, parse(query), root, variable_values=variables)
        assert theirs.errors is None
        assert ours.get("data") == theirs.data, ours.get("errors")

    holds()
