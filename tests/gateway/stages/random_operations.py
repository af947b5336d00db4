"""Random operations over any schema of this contract, and values for their variables."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, get_named_type, is_composite_type
from hypothesis import strategies as st

from gateway.stages.cursor import Position, encode
from gateway.stages.document import OF_AGENCIES_ALONE
from schema.catalogue import Catalogue
from tests.gateway.stages.conftest import BEIJING, GUANGZHOU, HANGZHOU, NINGBO, SHENZHEN

LINKS = 2
"""How many links an operation follows, one after the other."""

FIELDS = 120
"""After so many fields an operation only gets leaves."""

CODES = st.sampled_from([HANGZHOU, HANGZHOU, NINGBO, SHENZHEN, GUANGZHOU, BEIJING, f" {HANGZHOU.lower()}", "nonsense"])
REPRESENTATIONS = st.one_of(
    st.fixed_dictionaries({"__typename": st.just("Enterprise"), "creditCode": CODES}),
    st.sampled_from(
        [{"__typename": "Agency", "creditCode": HANGZHOU}, {"__typename": "Enterprise"}, {"creditCode": 5}]
    ),
)


_GIVEN = {
    "code": CODES,
    "codes": st.lists(CODES, max_size=4),
    "representations": st.lists(REPRESENTATIONS, max_size=3),
}

_TOLD = ("__schema", "__type")
_TYPE_SELECTIONS = ("{ name kind fields { name } }", "{ __typename called: name fields { __typename name } }")
_LARGE = frozenset({*_TOLD, "me", "agencies", "access"})
_USED = re.compile(r"\$(\w+)")
_DIRECTIVES = (
    *("",) * 16,
    "@skip(if: $yes)",
    "@skip(if: $no)",
    "@skip(if: false)",
    "@include(if: $yes)",
    "@include(if: $no)",
    "@include(if: false)",
    "@skip(if: $no) @include(if: $yes)",
    "@include(if: true) @skip(if: $yes)",
)


@dataclass(frozen=True)
class Variable:
    """A variable as it is declared, and what it may be given (`left_out`: nothing too)."""

    declared: str
    values: st.SearchStrategy[Any]
    left_out: bool = True


def variables_over(today: dt.date) -> Mapping[str, Variable]:
    """The variables that an operation may use."""
    day = (today - dt.timedelta(days=40)).isoformat()
    return {
        "yes": Variable("Boolean!", st.booleans(), left_out=False),
        "no": Variable("Boolean! = false", st.booleans()),
        "number": Variable("Int", st.integers(1, 3)),
        "size": Variable("Int! = 2", st.integers(1, 3)),
        "after": Variable("String", st.one_of(st.none(), cursors(today))),
        "day": Variable("Date", st.sampled_from([None, day])),
        "code": Variable("CreditCode!", _GIVEN["code"], left_out=False),
        "codes": Variable("[CreditCode!]!", _GIVEN["codes"], left_out=False),
        "representations": Variable("[_Any!]!", _GIVEN["representations"], left_out=False),
        "purpose": Variable("String", st.sampled_from([None, "credit", "supervision", "nonsense"])),
    }


def cursors(today: dt.date) -> st.SearchStrategy[str]:
    """Cursors that stand somewhere among the records."""
    days = st.sampled_from([None, *(today + dt.timedelta(days=days) for days in (-100, -40, -1, 2))])
    agencies, digests = st.sampled_from(["court", "registry", "tax"]), st.sampled_from(["4" * 16, "8" * 16, "c" * 16])
    return st.builds(lambda *parts: encode(Position(*parts)), days, agencies, digests)


@dataclass(frozen=True)
class Operation:
    """An operation's text, with the variables that it uses."""

    text: str
    variables: Mapping[str, Variable]

    @property
    def values(self) -> st.SearchStrategy[dict[str, Any]]:
        """Values for the variables."""
        needed = {name: one.values for name, one in self.variables.items() if not one.left_out}
        return st.fixed_dictionaries(
            needed, optional={name: one.values for name, one in self.variables.items() if one.left_out}
        )


@st.composite
def operations(draw, schema: GraphQLSchema, catalogue: Catalogue, today: dt.date, links: int = LINKS) -> Operation:
    """A random operation: some roots, and below them aliases, fragments, directives, arguments and at most so many
    links, one after the other.

    A response key stands for one field with the same arguments wherever it is, so that all that is merged fits. In a
    `disguised` operation each field takes the name of another of its type.
    """
    writing = _Writing(draw, schema, catalogue, today, disguised=draw(st.booleans()))
    body = writing.selections(schema.query_type, links)
    text = body + "".join(f" fragment {name} on {on} {below}" for name, (on, below) in writing.fragments.items())
    used = {name: one for name, one in variables_over(today).items() if name in _USED.findall(text)}
    declared = ", ".join(f"${name}: {one.declared}" for name, one in used.items())
    return Operation(f"query Random{f'({declared})' if declared else ''} {text}", used)


@cache
def _one_of(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def leads_on(type_: GraphQLObjectType, name: str) -> bool:
    """Whether the field leads to records: an answer of an enterprise, an answer's records, a record's link."""
    if name not in type_.fields:
        return False
    named = get_named_type(type_.fields[name].type).name
    return named in ("Enterprise", "_Entity") or named.endswith("Answer") or f"{named}Answer" == type_.name


@dataclass
class _Writing:
    """An operation while it is written."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    schema: GraphQLSchema
    catalogue: Catalogue
    today: dt.date
    disguised: bool
    fragments: dict[str, tuple[str, str]] = field(default_factory=dict)
    alike: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    arguments: dict[tuple[str, str], str] = field(default_factory=dict)
    fields: int = 0

    def pick(self, *values: Any) -> Any:
        return self.draw(_one_of(values))

    def selections(self, type_: GraphQLObjectType, links: int) -> str:
        """A selection set on an object type."""
        names = self.names(type_, links)
        chosen = self.draw(st.lists(_one_of(names), min_size=1, max_size=4))
        if leading := [name for name in names if leads_on(type_, name)]:
            chosen.append(self.pick(*leading))
        return f"{{ {' '.join(self.part(type_, name, links) for name in chosen)} }}"

    def names(self, type_: GraphQLObjectType, links: int) -> tuple[str, ...]:
        """The fields to choose from; those often that lead to records."""
        if type_.name == "Query":
            # What `_service` tells is the project's own contract.
            return (*["enterprises", "enterprise", "_entities"] * 4, "me", "agencies", *_TOLD, "__typename")
        leads = {name: get_named_type(one.type) for name, one in type_.fields.items()}
        leaves = self.fields > FIELDS
        names = [
            name
            for name, named in leads.items()
            if not (named.name == "Enterprise" and links == 0)
            and not (leaves and is_composite_type(named))
            and not (type_.name == "Agency" and name in OF_AGENCIES_ALONE)
        ]
        return (*names, *[name for name in names if leads_on(type_, name)] * 3, "__typename")

    def part(self, type_: GraphQLObjectType, name: str, links: int) -> str:
        """One field of a selection set, bare or in fragments."""
        self.fields += 1
        written = self.field(type_, name, links)
        for condition in self.pick((), (), (), ("bare",), ("type",), ("abstract",), ("named",), ("named", "bare")):
            on = f"on {self.condition(type_, name)}" if condition == "abstract" else f"on {type_.name}"
            if condition == "named":
                self.fragments[spread := f"f{len(self.fragments)}"] = (on.removeprefix("on "), f"{{ {written} }}")
                self.alike.setdefault((type_.name, links), []).append(spread)
                written = f"...{spread} {self.directives()}"
            else:
                written = f"... {'' if condition == 'bare' else on} {self.directives()} {{ {written} }}"
        again = self.alike.get((type_.name, links))
        if again and self.pick("", "", "again"):
            written += f" ...{self.pick(*again)} {self.directives()}"
        return written

    def condition(self, type_: GraphQLObjectType, name: str) -> str:
        """An interface of the type that has the field, else the type."""
        return next((one.name for one in type_.interfaces if name in one.fields), type_.name)

    def directives(self) -> str:
        return self.pick(*_DIRECTIVES)

    def key(self, type_: GraphQLObjectType, name: str) -> str:
        """The response key of a field."""
        alias = self.pick("", "", "A", "B")
        if name in _LARGE:
            # One operation may have them five times.
            alias = "A" if alias and type_.name == "Query" else ""
        if alias or not self.disguised or name not in type_.fields or type_.name == "Query":
            return f"{name}{alias}"
        names = list(type_.fields)
        return names[(names.index(name) + 1) % len(names)]

    def field(self, type_: GraphQLObjectType, name: str, links: int) -> str:
        key = self.key(type_, name)
        alias = "" if key == name else f"{key}: "
        if name in _TOLD:
            return f"{alias}{self.told(name, key, self.directives())}"
        if name == "__typename":
            return f"{alias}{name} {self.directives()}"
        of: GraphQLField = type_.fields[name]
        named = get_named_type(of.type)
        below = ""
        if named.name == "_Entity":
            below = f"{{ ... on Enterprise {self.selections(self.schema.type_map['Enterprise'], links)} __typename }}"
        elif is_composite_type(named):
            below = self.selections(named, links - (named.name == "Enterprise" and type_.name != "Query"))
        return f"{alias}{name}{self.given(type_.name, key, of, name)} {self.directives()} {below}"

    def told(self, name: str, key: str, directives: str) -> str:
        """Introspection."""
        if name == "__schema":
            return f"__schema {directives} {{ queryType {{ name }} }}"
        return f"__type{self.once('Query', key, self.type_name)} {directives} {self.pick(*_TYPE_SELECTIONS)}"

    def type_name(self) -> str:
        records = self.catalogue.records.values()
        names = [name for record in records for name in (record.name, record.answer)]
        return f'(name: "{self.pick(*names, "Enterprise", "Nothing")}")'

    def given(self, type_name: str, key: str, of: GraphQLField, name: str) -> str:
        """The arguments of a field."""
        return self.once(type_name, key, lambda: self.written(name, of)) if of.args else ""

    def once(self, type_name: str, key: str, write: Callable[[], str]) -> str:
        """The arguments of all fields of a type that have this response key: they must be the same."""
        if (type_name, key) not in self.arguments:
            self.arguments[type_name, key] = write()
        return self.arguments[type_name, key]

    def written(self, name: str, of: GraphQLField) -> str:
        arguments = [(argument, self.argument(name, argument)) for argument in of.args]
        given = ", ".join(f"{argument}: {value}" for argument, value in arguments if value)
        return f"({given})" if given else ""

    def argument(self, name: str, argument: str) -> str:
        """An argument's value, as it is written; empty where it is left out."""
        match argument:
            case "code" | "codes" | "representations":
                return self.pick(f"${argument}", literal(self.draw(_GIVEN[argument])))
            case "purpose":
                return self.pick("", "$purpose", '"credit"', '"nonsense"', "null")
            case "first":
                return self.pick("", "", "1", "2", "$number", "$size")
            case "after":
                return self.pick("", "", "", "null", "$after", literal(self.draw(cursors(self.today))))
        return self.pick("", "", "null", "$day", literal(self.bound(name, argument).isoformat()))

    def bound(self, name: str, argument: str) -> dt.date:
        """A day for a filter; those from which records are asked for are before those up to which they are."""
        (record,) = (one for one in self.catalogue.records.values() if one.field == name)
        _, operator = record.filters[argument]
        return self.today + dt.timedelta(days=self.pick(*(-400, -100, -40) if operator == ">=" else (-40, -1, 9)))


def literal(value: object) -> str:
    """A value as GraphQL writes it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name}: {literal(part)}' for name, part in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value)
