"""GraphQL text: selection sets, and constant arguments as literals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = r"[_A-Za-z][_0-9A-Za-z]*"
"""A name (GraphQL specification, section 2.1.9)."""

_ENUM: Final = "enum"

Selection = dict[str, "Selection"]
"""A selection set: each field with its own, empty for a leaf."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in the place of an argument's value."""

    name: str


def selection_of(paths: Iterable[str]) -> Selection:
    """The selection set of these dotted paths."""
    top: Selection = {}
    for path in sorted(paths):
        inner = top
        for step in path.split("."):
            inner = inner.setdefault(step, {})
    return top


def has_all(value: object, selection: Selection) -> bool:
    """Whether there is a value, if a null, for each field of the selection."""
    if isinstance(value, dict):
        if not selection.keys() <= value.keys():
            return False
        for name, inner in selection.items():  # noqa: SIM110  (for each row: a generator takes three times as long)
            if inner and not has_all(value[name], inner):
                return False
        return True
    if isinstance(value, list):
        return all(has_all(item, selection) for item in value)
    return value is None or not selection


def written(selection: Selection, arguments: Mapping[str, Mapping[str, Any]], place: str = "") -> str:
    """The selection set; `arguments` are those of fields in it, by path; `place` is what leads to it."""
    fields = (
        name
        + (given(arguments[place + name]) if place + name in arguments else "")
        + (f" {written(inner, arguments, f'{place}{name}.')}" if inner else "")
        for name, inner in selection.items()
    )
    return "{ " + " ".join(fields) + " }"


def given(values: Mapping[str, Any]) -> str:
    """Arguments in parentheses."""
    return f"({', '.join(f'{name}: {_literal(value)}' for name, value in values.items())})" if values else ""


def _literal(value: object) -> str:
    """A value as GraphQL writes it (GraphQL specification, section 2.10). `{enum: NAME}` is a name without quotes."""
    if isinstance(value, Variable):
        return f"${value.name}"
    if isinstance(value, Mapping):
        if value.keys() == {_ENUM}:
            return str(value[_ENUM])
        return "{" + ", ".join(f"{name}: {_literal(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value)


def check_literal(value: object) -> None:
    """Raises `ValueError` for what cannot be written, as names with other characters cannot."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not re.fullmatch(NAME, str(inner if name == _ENUM and len(value) == 1 else name), re.ASCII):
                raise ValueError(f"{name!r} is no name of GraphQL, or has none")
            check_literal(inner)
    elif isinstance(value, list):
        for inner in value:
            check_literal(inner)
