"""The order of a company's records: newest first as the caller sees their dates, then by agency, then by a digest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import count
from operator import itemgetter
from typing import Final

from connectors.contract import Row
from gateway.stages.authorise import IDENTITY, Sight
from gateway.stages.cursor import Digests, Position, newest_first
from gateway.stages.origin import Record
from policies.decision import Effect
from policies.masks import Masks
from schema.catalogue import RecordType
from schema.credit_code import CreditCode

_DAY: Final = itemgetter(0)


def ordered(found: Sequence[Record], code: CreditCode, digests: Digests) -> Sequence[Record]:
    """A company's records in order; their digests are made only where dates and agencies leave it open.

    `found` has the records of each supplier together.
    """
    days = [origin.date(row) for origin, row in found]
    if found[0][0].supplier is found[-1][0].supplier and None not in days and len(set(days)) == len(days):
        return [record for _, record in sorted(zip(days, found, strict=True), key=_DAY, reverse=True)]
    keys = [(newest_first(day), origin.supplier.dataset.agency) for day, (origin, _) in zip(days, found, strict=True)]
    # Numbered, so that records themselves are never compared.
    if len(set(keys)) == len(keys):
        return [record for _, _, record in sorted(zip(keys, count(), found, strict=False))]
    told = zip(keys, _digests(found, code, digests), count(), found, strict=False)
    return [record for _, _, _, record in sorted(told)]


def placed(found: Sequence[Record], code: CreditCode, digests: Digests) -> list[tuple[Position, Record]]:
    """A company's records in order, each with its place."""
    places = [
        (Position(record[0].date(record[1]), record[0].supplier.dataset.agency, digest), record)
        for record, digest in zip(found, _digests(found, code, digests), strict=True)
    ]
    return sorted(places, key=lambda one: one[0].key())


def date_reader(record: RecordType, sight: Sight, masks: Masks) -> Callable[[Row], dt.date | None]:
    """Reads the date by which a record is sorted, as the caller sees it; None where it sees none."""
    field, decision = record.ordered_by, sight.ordered_by
    if decision is None or field is None:
        return lambda _: None
    if decision.effect is not Effect.MASKED:
        return lambda row: day if isinstance(day := row.get(field), dt.date) else None
    mask = masks(decision.mask or "", f"{record.name}.{field}")
    return lambda row: day if isinstance(day := mask(row.get(field)), dt.date) else None


def _digests(found: Sequence[Record], code: CreditCode, digests: Digests) -> list[str]:
    """What tells each record from the company's others: its id, or its content and how often that was there."""
    seen: dict[tuple[str, str], int] = {}
    told = []
    for origin, row in found:
        dataset, identity = origin.supplier.dataset.id, row.get(IDENTITY)
        if identity is None:
            content = repr(sorted(row.items()))
            number = seen[dataset, content] = seen.get((dataset, content), 0) + 1
            identity = f"{content}\0{number}"
        told.append(digests(dataset)(code, str(identity)))
    return told
