"""Dotted paths into an agency's answer: `data.list`, `items.0.id`, `^.code` (of the object around the row), and
`columns[@name=code].#text` (of the one in a list that has that name).

The first of what is no list is that itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.contract import RawRow
from connectors.turns import Turn

AROUND: Final = "^"
"""The key under which a nested row carries the object around it."""

ASKED_KEY: Final = "^key"
"""The key under which a row carries the company's code as it was asked, where rows do not name their company."""

_FIRST: Final = "0"
_TEXT: Final = "#text"

MISSING: Final = object()
"""What a path leads to where the document does not go on: not the same as a null."""


def follow(document: object, path: str) -> object:
    """The value at `path`, `MISSING` where the document has no such place; never raises."""
    for step in path.split("."):
        document = _step(document, step)
    return document


def reader(path: str, *, nested: bool) -> Callable[[RawRow], object]:
    """A function that reads the value at `path` in a row, None where there is none; it never raises.

    Where the path names no position in a list on its way, that is the list: several values must not pass for none.
    Without `nested` the whole path is one column's name, dots and all.
    """
    if not nested or "." not in path:
        return lambda row: row.get(path)

    def read(row: RawRow) -> object:
        value = follow(row, path)
        return _list_on_the_way(row, path) if value is MISSING else value

    return read


def put(document: dict[str, Any], path: str, value: object) -> None:
    """Sets the value at a dotted path. Objects on the way are made, or copied: constants of the manifest stay."""
    *steps, last = path.split(".")
    for step in steps:
        inner = document.get(step)
        document[step] = dict(inner) if isinstance(inner, Mapping) else {}
        document = document[step]
    document[last] = value


def rows_at(document: object, path: str | None) -> list[RawRow] | None:
    """The objects listed at `path` (None: the document itself); one object counts as a list of it, nulls as nothing.

    None where the document has no such place, or something else there.
    """
    found = document if path is None else follow(document, path)
    if found is None:
        return []
    if isinstance(found, Mapping):
        return [found]
    if isinstance(found, list) and set(map(type, found)) <= {dict}:
        return found
    if isinstance(found, list) and all(row is None or isinstance(row, Mapping) for row in found):
        return [row for row in found if row is not None]
    return None


class Listing(msgspec.Struct, frozen=True):
    """The rows of an answer; the keys of companies that it names without rows; how many items its list has; how many
    of them were no rows; and the keys of companies that have something else in the place of rows.
    """

    rows: list[RawRow]
    seen: frozenset[str] = frozenset()
    items: int = 0
    dropped: int = 0
    failed: frozenset[str] = frozenset()


async def list_rows(document: object, rows: str | None, within: Sequence[str], key: str | None) -> Listing | None:
    """The rows at `rows`, or those nested in each object there, at the paths `within`, one within the other; a nested
    row carries the object around it under `AROUND`.

    `key` is the path of the company's key in a row. None where the document has no such places. Others have their turn
    on the event loop between the nested lists.
    """
    items = rows_at(document, rows)
    if items is None or not within:
        return None if items is None else Listing(items, items=len(items))
    nested = await nest(items, within, key)
    return None if nested is None else Listing(nested.rows, nested.seen, len(items))


async def nest(items: Sequence[RawRow], within: Sequence[str], key: str | None) -> Listing | None:
    """The rows nested in these objects, as in `list_rows`."""
    turn = Turn()
    found = list(items)
    empty: list[RawRow] = []
    for path in within:
        around, found, empty = found, [], [{AROUND: row} for row in empty]
        for row in around:
            nested = rows_at(row, path)
            if nested is None:
                return None
            found += [{**inner, AROUND: row} for inner in nested]
            if not nested:
                empty.append({AROUND: row})
            if turn.is_over():
                await turn.pass_on()
    seen = frozenset(str(reader(key, nested=True)(row)) for row in empty) if key is not None else frozenset[str]()
    return Listing(found, seen, len(items))


def _step(document: Any, step: str) -> object:  # noqa: ANN401  (an agency's document has any shape)
    if isinstance(document, Mapping):
        # Where lists of one come as what they hold (all XML, and JSON made out of it), that is the first of them.
        found = document.get(step, document if step == _FIRST else MISSING)
        return _named(document, step) if found is MISSING and step.endswith("]") else found
    if isinstance(document, list) and step.isdecimal() and step.isascii() and int(step) < len(document):
        return document[int(step)]
    # An element of XML without attributes comes as its text alone.
    return document if step in {_FIRST, _TEXT} and isinstance(document, str) else MISSING


def _named(document: Mapping[str, Any], step: str) -> object:
    """Of the objects in a list, the one whose member is as the step says; all of them where several are."""
    name, _, condition = step[:-1].partition("[")
    member, _, value = condition.partition("=")
    listed = document.get(name)
    items = listed if isinstance(listed, list) else [listed]
    found = [item for item in items if isinstance(item, Mapping) and str(item.get(member)) == value]
    return (found if len(found) > 1 else found[0]) if found else MISSING


def _list_on_the_way(document: object, path: str) -> list[Any] | None:
    for step in path.split("."):
        if isinstance(document, list) and document and not step.isdecimal():
            return document
        document = _step(document, step)
    return None
