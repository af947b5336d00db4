"""Random rules and random operations."""

from __future__ import annotations

import re
from datetime import timedelta

from graphql import GraphQLObjectType, get_named_type, is_composite_type
from hypothesis import strategies as st

from gateway.stages.document import OF_AGENCIES_ALONE
from schema.agency import AGENCY
from schema.contract import national
from schema.records import catalogue
from tests.gateway.stages.conftest import DATASETS, HANGZHOU, SHENZHEN
from tests.security.marked_rows import MARKERS, TODAY

SCHEMA = national().schema(frozenset())
SEALED = national().catalogue.sealed()
"""The fields that can open to few, so that hardly an operation that names one is answered."""

RULE = (
    "\n  - {{id: fuzzed-{number}, {effect}: {thing}, of: {agency}, to: {role}, for: {purpose}, given: {basis}"
    "{more}, note: Fuzzed.}}\n"
)
FIELDS = sorted({marker.coordinate for marker in MARKERS} - {"Penalty.informant"})
NAMED = ["Penalty", "Shareholder", "Registration", "TaxArrears", "Penalty.informant", "Penalty.decidedOn"]
THINGS = [*NAMED, "Shareholder.holder", "Penalty.*", "Registration.*", "PUBLIC", "AUTHORISED", "RESTRICTED", *FIELDS]


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A few rules more than those of the demonstration."""
    made = []
    for number in range(draw(st.integers(0, 3))):
        effect = draw(st.sampled_from(["allow", "deny"]))
        thing = draw(st.sampled_from(THINGS))
        act = draw(st.sampled_from(["", "", ", act: read_expired", ", act: any"]))
        masked = ", masked: redact" if effect == "allow" and "." in thing and not draw(st.integers(0, 3)) else ""
        made.append(
            RULE.format(
                number=number,
                effect=effect,
                thing=thing,
                agency=draw(st.sampled_from(["any", "any", "market-regulation", "tax", "zhejiang-penalties"])),
                role=draw(st.sampled_from(["any", "any", "bank", "regulator", "company"])),
                purpose=draw(st.sampled_from(["any", "any", "credit", "supervision"])),
                basis=draw(st.sampled_from(["any", "any", "none", "consent", "jurisdiction", "self"])),
                more=masked + act,
            )
        )
    return "".join(dict.fromkeys(made))


RECORDS = {record.name for record in catalogue().records.values()}
ANSWERS = {
    record.field for record in catalogue().records.values() if record.name in {d.record for d in DATASETS.values()}
}


def whole(type_: GraphQLObjectType) -> str:
    """Every field of a type that holds values alone; of an agency those that may be asked for here."""
    parts = []
    for name, field in type_.fields.items():
        if type_.name == AGENCY and name in OF_AGENCIES_ALONE:
            continue
        named = get_named_type(field.type)
        parts.append(f"{name} {whole(named)}" if is_composite_type(named) else name)
    return f"{{ {' '.join(parts)} }}"


def chosen(type_: GraphQLObjectType, links: int) -> st.SearchStrategy[list[str]]:
    """Some fields of a type, or of a record all; always those that lead on to records."""
    if type_.name == "Enterprise":
        always, others = ["penalties"], ["creditCode", "identity", "honours", *sorted(ANSWERS)]
    else:
        leading = ["records", "record", *(["holder"] if links else [])]
        always = [name for name in leading if name in type_.fields]
        others = [name for name in type_.fields if name != "holder" and f"{type_.name}.{name}" not in SEALED]
    if type_.name in RECORDS:
        return st.lists(st.sampled_from(others), min_size=1, max_size=6).map(
            lambda names: [*(others if len(names) == 1 else names), *always]
        )
    return st.lists(st.sampled_from(others), min_size=1, max_size=6).map(lambda names: [*names, *always])


@st.composite
def selections(draw: st.DrawFn, type_: GraphQLObjectType, links: int = 1) -> str:
    """A random selection set: aliases, repeated fields, fragments on the type and its interface, directives."""
    parts = []
    for name in draw(chosen(type_, links)):
        named = get_named_type(type_.fields[name].type)
        below, arguments = "", draw(slices(name)) if type_.name == "Enterprise" else ""
        if named.name in RECORDS | {"Enterprise"} or named.name.endswith("Answer"):
            below = draw(selections(named, links - (named.name == "Enterprise")))
        elif is_composite_type(named):
            below = whole(named)
        # One key never stands for two fields, nor for one with two slices: that is refused before anything is asked.
        key = draw(st.sampled_from(["", f"{name}A: ", f"{name}B: "]))
        key = f"{name}{re.sub(r'[^0-9a-zA-Z]', '', arguments)}: " if arguments else key
        directive = draw(st.sampled_from(["", "", "", "@include(if: $yes)", "@skip(if: $yes)", "@skip(if: false)"]))
        part = f"{key}{name}{arguments} {directive} {below}"
        on_interface = [one.name for one in type_.interfaces if name in one.fields]
        wrapping = draw(st.sampled_from(["", "", "...", f"...on {type_.name}", *(f"...on {i}" for i in on_interface)]))
        parts.append(f"{wrapping} {{ {part} }}" if wrapping else part)
    return f"{{ {' '.join(parts)} }}"


def slices(name: str) -> st.SearchStrategy[str]:
    """Arguments of an answer's field: pages and filters."""
    if name != "penalties":
        return st.just("")
    days = st.integers(0, 700).map(lambda number: (TODAY - timedelta(days=number)).isoformat())
    return (
        st.just("")
        | st.sampled_from(["(first: 1)", "(first: 2)"])
        | days.map(lambda day: f'(decidedFrom: "{day}")')
        | days.map(lambda day: f'(first: 3, decidedTo: "{day}")')
    )


@st.composite
def operations(draw: st.DrawFn) -> str:
    """A random operation about the companies that have rows."""
    company = draw(st.sampled_from([HANGZHOU, SHENZHEN]))
    root = draw(
        st.sampled_from(
            [
                f'enterprise(code: "{company}") %s',
                f'enterprises(codes: ["{HANGZHOU}", "{SHENZHEN}"]) %s',
                f'_entities(representations: [{{__typename: "Enterprise", creditCode: "{company}"}}]) {{ ...E }}',
            ]
        )
    )
    informed = draw(st.sampled_from(["", "", "", "", "penalties { records { informant } }"]))
    selection = f"{{ {informed} ...on Enterprise {draw(selections(SCHEMA.type_map['Enterprise']))} }}"
    yes = str(draw(st.booleans())).lower()
    fragment = f" fragment E on Enterprise {selection}" if "..." in root else ""
    asked = root if fragment else root % selection
    return f"query ($yes: Boolean = {yes}) {{ {asked} me @include(if: $yes) {{ subject }} }}{fragment}"
