"""Dotted paths into an agency's answer: `data.list`, `items.0.id`, `^.code` (of the object around the row), and
`columns[@name=code].#text` (of the one in a list that has that name).

The first of what is no list is that itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
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


def follow_through(document: object, path: str) -> object:
    """As `follow`, but a null on the way is one at the end, and the path leads through a list to what each of its items
    has there, one after the other: `edges.node`.
    """
    step, _, rest = path.partition(".")
    if isinstance(document, list) and not step.isdecimal():
        found = [MISSING if isinstance(item, list) else follow_through(item, path) for item in document]
        if any(one is MISSING for one in found):
            return MISSING
        return list(chain.from_iterable(one if isinstance(one, list) else [one] for one in found))
    inner = None if document is None else _step(document, step)
    return follow_through(inner, rest) if rest else inner


def ends_in_null(document: object, path: str) -> bool:
    """Whether there is a null on the way along `path`, or at its end."""
    for step in path.split("."):
        if document is None:
            return True
        document = follow(document, step)
    return document is None


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
    objects = _objects(document if path is None else follow(document, path))
    return None if objects is None else objects[0]


def objects_around(document: object, path: str | None) -> list[RawRow]:
    """The objects at `path` (None: the document itself) in which lists are nested; none where there are no such."""
    return rows_at(document if path is None else follow_through(document, path), None) or []


class Listing(msgspec.Struct, frozen=True):
    """The rows of an answer; the keys of companies that it names without rows; how many items its list has; how many
    of them were no rows; and the keys of companies that have something else in the place of rows.
    """

    rows: list[RawRow]
    seen: frozenset[str] = frozenset()
    items: int = 0
    dropped: int = 0
    failed: frozenset[str] = frozenset()


async def list_rows(
    document: object, rows: str | None, within: Sequence[str], key: str | None, *, null_is_none: bool
) -> Listing | None:
    """The rows at `rows`, or those nested in each object there, at the paths `within`, one within the other; a nested
    row carries the object around it under `AROUND`.

    `key` is the path of the company's key in a row. `null_is_none` says what a null in the place of a list means, or a
    list of nothing else: that there are no rows, or that they are not told. None where they are not told of anybody,
    or where the document has no such places. A null among rows is no row. Others have their turn on the event loop
    between the nested lists.
    """
    objects = _objects(document if rows is None else follow(document, rows))
    if objects is None:
        return None
    items, nulls = objects
    if nulls and not items:
        return Listing([], items=nulls) if null_is_none else None
    if not within:
        return Listing(items, items=len(items) + nulls, dropped=nulls)
    nested = await nest(items, within, null_is_none=null_is_none)
    if nested is None or (nested.untold and key is None):
        return None
    seen, failed = frozenset[str](), frozenset[str]()
    if key is not None:
        key_of = reader(key, nested=True)
        seen, failed = (frozenset(str(key_of(row)) for row in rows) for rows in (nested.empty, nested.untold))
    return Listing(nested.rows, seen, len(items) + nulls, nested.dropped + nulls, failed)


class Nested(msgspec.Struct, frozen=True):
    """Rows nested in objects, and how many nulls stand among them. Of objects without rows, what rows would have around
    them: of those that have none, and of those whose rows are not told.
    """

    rows: list[RawRow]
    dropped: int = 0
    empty: Sequence[RawRow] = ()
    untold: Sequence[RawRow] = ()


async def nest(items: list[RawRow], within: Sequence[str], *, null_is_none: bool) -> Nested | None:
    """What is nested in these objects at the paths `within`, as in `list_rows`; None where they have no such places."""
    turn = Turn()
    found = items
    empty: list[RawRow] = []
    untold: list[RawRow] = []
    dropped = 0
    for path in within:
        around, found = found, []
        empty, untold = [{AROUND: row} for row in empty], [{AROUND: row} for row in untold]
        for row in around:
            objects = _objects(follow_through(row, path))
            if objects is None:
                return None
            nested, nulls = objects
            found += [{**inner, AROUND: row} for inner in nested]
            if nested:
                dropped += nulls
            elif nulls and not null_is_none:
                untold.append({AROUND: row})
            else:
                empty.append({AROUND: row})
            if turn.is_over():
                await turn.pass_on()
    return Nested(found, dropped, empty, untold)


def _objects(found: object) -> tuple[list[RawRow], int] | None:
    """The objects in a list and the number of nulls among them; one object, or null, counts as a list of it."""
    if found is None:
        return [], 1
    if not isinstance(found, list):
        return ([found], 0) if isinstance(found, Mapping) else None
    if set(map(type, found)) <= {dict}:
        return found, 0
    if not all(row is None or isinstance(row, Mapping) for row in found):
        return None
    rows = [row for row in found if row is not None]
    return rows, len(found) - len(rows)


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
