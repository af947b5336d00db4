"""The order of a company's records: newest first as the caller sees their dates, then by agency, then by a digest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from connectors.contract import Row
from gateway.authorise import IDENTITY, Sight
from gateway.cursor import Position, newest_first
from gateway.origin import Record
from policies.decision import Effect
from policies.masks import Masks
from schema.catalogue import RecordType
from schema.credit_code import CreditCode


def ordered(found: Sequence[Record], code: CreditCode) -> Sequence[Record]:
    """A company's records in order; their digests are made only where dates and agencies leave it open."""
    keys = [(newest_first(origin.date(row)), origin.agency) for origin, row in found]
    if len(set(keys)) == len(keys):
        return _sorted(found, keys)
    return _sorted(found, list(zip(keys, _digests(found, code), strict=True)))


def placed(found: Sequence[Record], code: CreditCode) -> list[tuple[Position, Record]]:
    """A company's records in order, each with its place."""
    places = [
        (Position(record[0].date(record[1]), record[0].agency, digest), record)
        for record, digest in zip(found, _digests(found, code), strict=True)
    ]
    return sorted(places, key=lambda one: one[0].key())


def date_reader(record: RecordType, sight: Sight, masks: Masks) -> Callable[[Row], dt.date | None]:
    """Reads the date by which a record is sorted, as the caller sees it; None where it sees none."""
    field, decision = record.ordered_by, sight.ordered_by
    if decision is None or field is None:
        return lambda _: None
    if decision.effect is not Effect.MASKED:
        return lambda row: _date(row.get(field))
    mask = masks(decision.mask or "", f"{record.name}.{field}")
    return lambda row: _date(mask(row.get(field)))


def _date(value: object) -> dt.date | None:
    return value if isinstance(value, dt.date) else None


def _digests(found: Sequence[Record], code: CreditCode) -> list[str]:
    """What tells each record from the company's others: its id, or its content and how often that was there."""
    seen: dict[tuple[str, str], int] = {}
    digests = []
    for origin, row in found:
        identity = row.get(IDENTITY)
        if identity is None:
            content = (origin.supplier.dataset.id, repr(sorted(row.items())))
            seen[content] = seen.get(content, 0) + 1
            identity = f"{content[1]}\0{seen[content]}"
        digests.append(origin.digest(code.text, str(identity)))
    return digests


def _sorted(found: Sequence[Record], keys: Sequence[tuple[int, str] | tuple[tuple[int, str], str]]) -> list[Record]:
    return [found[index] for index in sorted(range(len(found)), key=keys.__getitem__)]
