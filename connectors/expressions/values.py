"""Values within expressions: what passes for a list, what their types are called, and why there is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from connectors.text import Unmappable

CHARACTERS_A_STEP: Final = 100
"""How many characters of a text are gone through in one step."""

_TYPE_NAMES: Final = {
    **dict.fromkeys(("str", "string"), "a text"),
    **dict.fromkeys(("int", "Decimal", "number"), "a number"),
    **dict.fromkeys(("bool", "boolean"), "a boolean"),
    **dict.fromkeys(("list", "array"), "a list"),
    **dict.fromkeys(("dict", "object"), "an object"),
    **dict.fromkeys(("NoneType", "null"), "nothing (null)"),
}


class NotEvaluated(Unmappable):
    """An expression that has no value in a row. The message says why, for whoever writes it: with types, no values."""


def listed(value: object) -> object:
    """What is no list, as a list of it; nothing stays nothing."""
    return value if value is None or isinstance(value, list) else [value]


def is_number(value: object) -> bool:
    """Whether it is a number: Python's booleans are none here."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def steps_through(value: object) -> int:
    """How many steps it takes to go through a list, an object or a text once."""
    if isinstance(value, list | dict):
        return len(value)
    return len(value) // CHARACTERS_A_STEP if isinstance(value, str) else 0


def is_scalar(value: object) -> bool:
    """Whether it is a text, a number or a boolean."""
    return isinstance(value, str | int | Decimal)


def rank(value: object) -> str:
    """The type of a value, as far as values of different ones are never equal."""
    return type_name("number" if is_number(value) else type(value).__name__)


def type_name(name: str) -> str:
    """A type's name in words, from Python's name for it or from the library's."""
    return _TYPE_NAMES.get(name, f"a {name}")
