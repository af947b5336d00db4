"""A caller tries to learn of fields that introspection does not show it: by suggestions, by the words of validation, by
`__typename`, by the schema's text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.contract import national
from tests.gateway.stages.conftest import ANYBODY, HANGZHOU
from tests.security.routes import ask, guarded_world, parsed

ONE = f'enterprise(code: "{HANGZHOU}")'
TYPES = {name: record.field for name, record in national().catalogue.records.items() if record.field}
SEALED = sorted(national().catalogue.sealed())
INTROSPECTION = "{ __schema { types { name fields(includeDeprecated: true) { name } } } }"


async def shown() -> dict[str, set[str]]:
    """What introspection shows the public of each type."""
    types = parsed(await ask(guarded_world({}), INTROSPECTION))["data"]["__schema"]["types"]
    return {one["name"]: {field["name"] for field in one["fields"] or ()} for one in types}


def hidden(seen: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The fields of record types that it does not."""
    fields = {name: record.fields for name, record in national().catalogue.records.items() if name in seen}
    return [(name, field) for name, of in fields.items() for field in of if field not in seen[name]]


def suggested(errors: Sequence[Any]) -> set[str]:
    """The names that messages offer."""
    offers = [error["message"].partition("Did you mean")[2] for error in errors]
    return {name for offer in offers for name in re.findall(r"'(\w+)'", offer)}


def near(name: str) -> list[str]:
    """Names from which one would be led to this one."""
    return [f"{name}x", name[:-1], name[1:], name.swapcase(), f"{name[:2]}x{name[2:]}"]


def part(type_: str, field: str) -> str:
    """A query for a field of a record type."""
    record = national().catalogue.records[type_]
    return f"{{ {ONE} {{ {record.field} {{ {'record' if record.single else 'records'} {{ {field} }} }} }} }}"


async def test_something_is_hidden_and_something_shown() -> None:
    seen = await shown()
    assert ("Penalty", "informant") in hidden(seen)
    assert "facts" in seen["Penalty"]


async def test_suggestions_lead_to_nothing_that_introspection_hides() -> None:
    world, seen = guarded_world({}), await shown()
    tried = 0
    for type_, field in hidden(seen):
        if TYPES.get(type_):
            for guess in near(field):
                errors = parsed(await ask(world, part(type_, guess))).get("errors", ())
                assert suggested(errors) <= seen[type_], (type_, guess)
                tried += 1
    assert tried > 20


async def test_they_still_help_with_what_is_shown() -> None:
    errors = parsed(await ask(guarded_world({}), part("Penalty", "fact")))["errors"]
    assert "facts" in suggested(errors)


@pytest.mark.parametrize("coordinate", SEALED)
async def test_a_sealed_field_and_one_that_is_not_there_are_refused_in_the_same_words(coordinate: str) -> None:
    type_, field = coordinate.split(".")
    if not TYPES.get(type_):
        pytest.skip("reached by no root")
    world, absent = guarded_world({}), "z" * len(field)
    forms = [
        "{}",
        "a: {}",
        "{} {{ x }}",
        "{}(a: 1)",
        "{} @include(if: true)",
        "{} @unknown",
        f"...on {type_} {{{{ {{}} }}}}",
        "{0} a: {0} b: {0}(x: $v)",
    ]
    for form in forms:
        sealed, none = [
            (await ask(world, part(type_, form.format(name)))).replace(name.encode(), b"*") for name in (field, absent)
        ]
        assert sealed == none, form


@pytest.mark.parametrize(
    "query",
    [
        '{ __type(name: "Penalty") { name kind description fields { name } } }',
        "{ __schema { types { name possibleTypes { name } interfaces { name } enumValues { name } } } }",
        "{ __schema { directives { name args { name } } } }",
        "{ _service { sdl } }",
        "{ me { access { coordinate } } }",
        f"{{ {ONE} {{ penalties {{ __typename access {{ coordinate }} records {{ __typename }} }} }} }}",
        '{ _entities(representations: [{__typename: "Penalty", recordId: "x"}]) { __typename } }',
        '{ _entities(representations: [{__typename: "Enterprise", creditCode: "x", informant: 1}]) { __typename } }',
        "fragment F on Penalty { informent } { me { subject } }",
        "query ($informant: Penalti) { me { subject } }",
    ],
)
async def test_no_other_answer_names_a_sealed_field(query: str) -> None:
    body = (await ask(guarded_world({}), query)).decode()
    for coordinate in SEALED:
        name = coordinate.rpartition(".")[2]
        assert not re.search(rf"\b{name}\b", body.replace("$informant", "")), (name, body[:500])


names = st.sampled_from([field for coordinate in SEALED for field in near(coordinate.rpartition(".")[2])])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(name for name, field in TYPES.items() if field)), names, st.text("abcinfomrt_", max_size=3)
)
async def test_no_guess_is_confirmed(type_: str, name: str, more: str) -> None:
    """Whatever is near to a sealed field's name: the refusal is that of any unknown name, and offers nothing sealed."""
    sealed = {coordinate.rpartition(".")[2] for coordinate in SEALED}
    guess = name + more
    if not re.fullmatch("[A-Za-z_][A-Za-z_0-9]*", guess) or guess in national().catalogue.records[type_].fields:
        return
    errors = parsed(await ask(guarded_world({}), part(type_, guess), ANYBODY))["errors"]
    assert not suggested(errors) & (sealed - {guess})
