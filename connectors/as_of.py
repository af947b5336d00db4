"""The agency's own date of its data, wherever its manifest says that it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.contract import RawRow
from connectors.dates import read_moment
from connectors.manifest import AsOf
from connectors.paths import follow, reader


def moment_at(document: object, as_of: AsOf | None) -> datetime | None:
    """The moment at `as_of.path` of an answer, None where the manifest names none or it cannot be read."""
    if as_of is None or as_of.path is None:
        return None
    return _read(follow(document, as_of.path), as_of.formats)


def constant_moment(as_of: AsOf | None) -> datetime | None:
    """The moment that the manifest itself states."""
    return _read(as_of.constant, as_of.formats) if as_of is not None and as_of.constant is not None else None


def latest_moment(rows: Sequence[RawRow], as_of: AsOf | None, *, nested: bool) -> datetime | None:
    """The latest moment in `as_of.column` of a company's rows."""
    if as_of is None or as_of.column is None:
        return None
    read = reader(as_of.column, nested=nested)
    return max((moment for row in rows if (moment := _read(read(row), as_of.formats))), default=None)


def _read(raw: object, formats: Sequence[str]) -> datetime | None:
    try:
        return read_moment(raw, formats)
    except (ValueError, ArithmeticError):
        return None
