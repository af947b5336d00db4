"""Rows that lie otherwise than as a list of objects. Each function gives None for what does not lie so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from connectors.contract import RawRow
from connectors.paths import ASKED_KEY, Listing, nest

VALUE: Final = "value"
"""The name in a row of a bare value that stands for one."""


def from_map(found: Any) -> Mapping[str, Any] | None:  # noqa: ANN401  (an agency's document has any shape)
    """What there is of each company, by its key: the members of an object."""
    if found == []:
        return {}  # what PHP makes of an empty map
    return found if isinstance(found, Mapping) else None


def from_order(found: Any, keys: Sequence[str]) -> Mapping[str, Any] | None:  # noqa: ANN401
    """What there is of each company, by its key: the items of a list that has one for each, in the order asked."""
    return dict(zip(keys, found, strict=True)) if isinstance(found, list) and len(found) == len(keys) else None


def members(found: object) -> object:
    """A list of an object's members, whatever they are called; a list as it is (PHP writes either)."""
    return list(found.values()) if isinstance(found, Mapping) else found


async def list_companies(companies: Mapping[str, Any], within: Sequence[str], *, null_is_none: bool) -> Listing | None:
    """The rows of each company, which carry its key; one that is null is as if it were left out. What a null in the
    place of its nested rows means, or a list of nothing else, `null_is_none` says as in `list_rows`.
    """
    rows: list[RawRow] = []
    seen: set[str] = set()
    failed: set[str] = set()
    dropped = 0
    for key, value in companies.items():
        if value is None:
            continue
        items = value if isinstance(value, list) else [value]
        objects = [item if isinstance(item, Mapping) else {VALUE: item} for item in items if item is not None]
        nulls = len(items) - len(objects)
        nested = await nest(objects, within, null_is_none=null_is_none)
        if nested is None:
            return None
        rows += [{**row, ASKED_KEY: key} for row in nested.rows]
        if nested.untold or (nulls and not objects and not null_is_none):
            failed.add(key)
        elif not nested.rows:
            seen.add(key)
        dropped += nested.dropped + (nulls if objects else 0)
    return Listing(rows, frozenset(seen), len(companies), dropped, frozenset(failed))


def from_arrays(header: Sequence[str] | None, found: Any) -> Listing | None:  # noqa: ANN401
    """Rows out of lists as long as the header."""
    if header is None or not isinstance(found, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(header) for row in found):
        return None
    rows: list[RawRow] = [dict(zip(header, row, strict=True)) for row in found]
    return Listing(rows, items=len(rows))


def from_columns(found: Any, names: Collection[str]) -> Listing | None:  # noqa: ANN401
    """Rows out of lists that are as long as each other, one a column; what else is beside them is left out. One of
    them at least has one of the names that are read.
    """
    if not isinstance(found, Mapping):
        return None
    lists = {name: values for name, values in found.items() if isinstance(values, list)}
    if len({len(values) for values in lists.values()}) != 1 or lists.keys().isdisjoint(names):
        return None
    rows: list[RawRow] = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return Listing(rows, items=len(rows))
