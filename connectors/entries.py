"""Entries of the cache's second level: what one dataset said of one company, as bytes, and exactly that again.

MessagePack, decoded into the very types that the record type declares: whatever else is there is no entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypedDict, TypeVar

import msgspec

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from schema.values import PYTHON_TYPES, Kind

FORMAT: Final = 1
"""Raised whenever entries change, or what a manifest makes of an agency's rows: then older ones are not read."""

RowType = TypeVar("RowType")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a dataset said of a company, in these columns, when it was asked: in seconds of the Unix epoch."""

    asked_at: float
    columns: frozenset[str]
    rows: CompanyRows


class _Written(msgspec.Struct, Generic[RowType], array_like=True, frozen=True, gc=False):
    """An entry as it is written. `as_of` is in ISO 8601, for the moments of MessagePack have no offset."""

    asked_at: float
    columns: frozenset[str]
    outcome: Outcome
    rows: tuple[RowType, ...]
    as_of: str | None
    failure: FailureCode | None
    retryable: bool
    unmapped: int
    unreadable: Mapping[int, frozenset[str]]


class EntryFormat:
    """How the entries of one dataset are written and read, by the kinds of its fields."""

    def __init__(self, fields: Mapping[str, Kind]) -> None:
        # Types made of data, which type checkers cannot follow.
        typed_dict: Any = TypedDict
        written: Any = _Written
        row = typed_dict("row", {name: PYTHON_TYPES[kind] | None for name, kind in fields.items()}, total=False)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[_Written[Row]] = msgspec.msgpack.Decoder(written[row])

    def write(self, entry: Entry) -> bytes | None:
        """The entry as bytes; None where there is a value that they cannot hold (half a character, a vast number)."""
        rows = entry.rows
        written = _Written(
            entry.asked_at,
            entry.columns,
            rows.outcome,
            rows.rows,
            rows.as_of.isoformat() if rows.as_of else None,
            rows.failure,
            rows.retryable,
            rows.unmapped,
            rows.unreadable,
        )
        try:
            return self._encoder.encode(written)
        except (ValueError, TypeError, OverflowError):
            return None

    def read(self, content: bytes) -> Entry | None:
        """The entry that the bytes hold; None where they hold none."""
        try:
            written = self._decoder.decode(content)
            as_of = datetime.fromisoformat(written.as_of) if written.as_of else None
        except (ValueError, ArithmeticError):
            return None
        rows = CompanyRows(
            written.outcome,
            written.rows,
            as_of,
            failure=written.failure,
            retryable=written.retryable,
            unmapped=written.unmapped,
            unreadable=written.unreadable,
        )
        return Entry(written.asked_at, written.columns, rows)
