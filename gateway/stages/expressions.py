"""Writers of records, as Python expressions that are compiled once: one step for a record where a call for each field
took many.

Nothing that a caller or a manifest wrote stands in an expression. Keys, names and whatever else it needs are constants
of its own, numbered in the order of their use; so expressions of one form are one text, which is compiled only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from gateway.stages.selection import Selection
from gateway.stages.writers import TYPENAME
from schema.values import Kind

_FORMS: Final = 1_000
"""How many texts are kept compiled; each takes a few kilobytes."""

Get = Callable[[str], Any]
"""A row's `get`: the value of a column, None where it is absent."""

Make = Callable[..., Callable[[Get], dict[str, Any]]]
"""What is bound for one request, in the order in which it was named -> the writer of a row."""


class Expressions:
    """Makes the expressions of one writer, and keeps their constants."""

    def __init__(self) -> None:
        self._constants: dict[str, Any] = {"__builtins__": {}}
        self._bound = 0

    def constant(self, value: object) -> str:
        """A value that stays the same."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def bound(self) -> str:
        """A value of which each request has its own."""
        self._bound += 1
        return f"b{self._bound}"

    def column(self, name: str) -> str:
        """The value in a row's column."""
        return f"get({self.constant(name)})"

    def object(self, members: Iterable[tuple[str, str]]) -> str:
        """An object of these keys and expressions."""
        return f"{{{', '.join(f'{self.constant(key)}: {value}' for key, value in members)}}}"

    def value(self, read: str, kind: Kind, selections: tuple[Selection, ...]) -> str:
        """What is selected of the value of this kind that the expression `read` reads."""
        if kind is Kind.DECIMAL:
            return self._text(read, "v")
        if kind not in _ATTRIBUTES:
            return read
        members = ((part.key, self._attribute(part, kind)) for part in selections)
        return f"None if (v := {read}) is None else {self.object(members)}"

    def _attribute(self, selection: Selection, kind: Kind) -> str:
        if selection.name == TYPENAME:
            return self.constant(selection.parent)
        read = f"v.{_ATTRIBUTES[kind][selection.name]}"
        return self._text(read, "w") if (kind, selection.name) in _DECIMALS else read

    def _text(self, read: str, name: str) -> str:
        return f"None if ({name} := {read}) is None else {self.constant(decimal_text)}({name})"

    def make(self, members: Iterable[tuple[str, str]]) -> Make:
        """The writer of a row as an object of these members."""
        written = self.object(members)
        bound = ", ".join(f"b{number}" for number in range(1, self._bound + 1))
        text = f"lambda {bound}: lambda get: {written}"
        make: Make = eval(_compiled(text), self._constants)  # noqa: S307 - made above, of fixed words and numbers alone
        return make


@lru_cache(maxsize=_FORMS)
def _compiled(text: str) -> CodeType:
    return compile(text, "<writer>", "eval")


def decimal_text(value: Decimal) -> str:
    """A decimal as a string, never with an exponent."""
    text = str(value)
    return format(value, "f") if "E" in text else text


_ATTRIBUTES: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.DATE_SPAN: {"date": "date", "from": "start", "to": "end"},
    Kind.MONEY: {"amount": "amount", "from": "lower", "to": "upper", "currency": "currency"},
    Kind.COUNT: {"value": "value", "from": "lower", "to": "upper"},
    Kind.CODE: {"code": "code", "label": "label"},
}
"""The value's attributes, by field name."""

_DECIMALS: Final = frozenset((Kind.MONEY, name) for name in ("amount", "from", "to"))
