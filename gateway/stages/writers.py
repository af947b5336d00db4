"""What the contract's objects are written by: one writer for each selection, composed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from gateway.stages.selection import Selection

TYPENAME: Final = "__typename"

Writer = Callable[[Any], Any]
"""A value that is not None -> what orjson writes."""


def keyed_writer(selections: tuple[Selection, ...], getter: Callable[[Selection], Writer]) -> Writer:
    """Writes an object by its selections, each read by what `getter` makes for it; `__typename` is answered here."""
    constant = constants(selections)
    fields = tuple((part.key, getter(part)) for part in selections if part.name != TYPENAME)

    def write(value: object) -> dict[str, Any]:
        written = constant.copy()
        for key, read in fields:
            written[key] = read(value)
        return written

    return write


def object_writer(selections: tuple[Selection, ...], getters: Mapping[str, Writer]) -> Writer:
    """Writes an object whose fields are read by `getters`, by field name."""
    return keyed_writer(selections, lambda selection: getters[selection.name])


def constants(selections: tuple[Selection, ...]) -> dict[str, Any]:
    """The object as it is before anything is read: its keys in order, and what its `__typename` says."""
    return {part.key: part.parent if part.name == TYPENAME else None for part in selections}


def code_writer(selections: tuple[Selection, ...]) -> Writer:
    """Writes an entry of a code table."""
    return object_writer(selections, {"code": attrgetter("code"), "label": attrgetter("label")})
