"""Positions in a list of records, and the opaque cursors that carry them."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import orjson

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands among a company's: by date as the caller sees it (None last), agency, and a digest of the
    record's id, so that neither order nor cursor tells what the caller may not see.
    """

    date: dt.date | None
    agency: str
    record: str

    def key(self) -> tuple[int, str, str]:
        """Sorts newest first, then by agency, then by record."""
        return (newest_first(self.date), self.agency, self.record)


def newest_first(date: dt.date | None) -> int:
    """Sorts dates, the newest first and none last."""
    return -date.toordinal() if date else 1


class CursorInvalid(GatewayError):
    """Not a cursor that this gateway made."""

    code = "CURSOR_INVALID"


Digest = Callable[[str, str], str]
"""(company, record's id) -> a short digest."""

Digests = Callable[[str], Digest]
"""Gives the digests of a dataset's records."""


def record_digests(key: bytes, audience: str) -> Digests:
    """Short digests by which records of one date and agency are told apart, ordered as says nothing of their ids. No
    two audiences can compare theirs.

    Keyed, so that a caller from whom the id is withheld cannot test a guess against it.
    """

    @cache
    def of_dataset(dataset: str) -> Digest:
        begun = blake2b(f"{audience}\0{dataset}\0".encode(), key=key, digest_size=8)

        def digest(company: str, record: str) -> str:
            whole = begun.copy()
            whole.update(f"{company}\0{record}".encode())
            return whole.hexdigest()

        return digest

    return of_dataset


def encode(position: Position) -> str:
    """The position as an opaque cursor."""
    return base64.urlsafe_b64encode(orjson.dumps([position.date, position.agency, position.record])).decode()


def decode(text: str) -> Position:
    """The position that a cursor carries. Raises `CursorInvalid`."""
    try:
        date, agency, record = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        parsed = dt.date.fromisoformat(date) if date is not None else None
    except (binascii.Error, ValueError, TypeError):
        raise CursorInvalid("not a cursor of this gateway") from None
    if not isinstance(agency, str) or not isinstance(record, str):
        raise CursorInvalid("not a cursor of this gateway")
    return Position(parsed, agency, record)
