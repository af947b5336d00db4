"""The agency's own date of its data, wherever its manifest says that it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from connectors.columns import values_at
from connectors.contract import RawRow
from connectors.dates import read_moment
from connectors.manifest import AsOf
from connectors.paths import follow


def moment_at(document: object, as_of: AsOf | None) -> datetime | None:
    """The moment at `as_of.path` of an answer, None where the manifest names none or it cannot be read."""
    if as_of is None or as_of.path is None:
        return None
    return readable_moment(follow(document, as_of.path), as_of.formats)


def constant_moment(as_of: AsOf | None) -> datetime | None:
    """The moment that the manifest itself states."""
    return readable_moment(as_of.constant, as_of.formats) if as_of is not None and as_of.constant is not None else None


def latest_moments(as_of: AsOf | None, *, nested: bool) -> Callable[[Sequence[RawRow]], datetime | None] | None:
    """A function that gives the latest moment in `as_of.column` of a company's rows, None where the manifest names
    none. For the rows of one call: it reads equal texts once.
    """
    if as_of is None or as_of.column is None:
        return None
    column = values_at(as_of.column, nested=nested)
    known: dict[object, datetime | None] = {}

    def read(raw: object) -> datetime | None:
        if not isinstance(raw, str):
            return readable_moment(raw, as_of.formats)
        if raw not in known:
            known[raw] = readable_moment(raw, as_of.formats)
        return known[raw]

    return lambda rows: max(filter(None, map(read, column(rows))), default=None)


def readable_moment(raw: object, formats: Sequence[str] = ()) -> datetime | None:
    """The moment, None where it cannot be read."""
    try:
        return read_moment(raw, formats)
    except (ValueError, ArithmeticError):
        return None
