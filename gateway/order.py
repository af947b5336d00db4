"""The order of a company's records: newest first as the caller sees their dates, then by agency, then by a digest."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence

from connectors.contract import Row
from gateway.authorise import IDENTITY, Sight
from gateway.cursor import Position, newest_first, record_digest
from gateway.origin import Record
from policies.decision import Effect
from policies.masks import Masks
from schema.catalogue import RecordType
from schema.credit_code import CreditCode


class Order:
    """Orders the records of one type in one request. Digests are made with `key` for one `audience`, so that no two
    audiences can compare theirs.
    """

    __slots__ = ("_audience", "_dates", "_key", "_masks", "_record")

    def __init__(self, record: RecordType, masks: Masks, key: bytes, audience: str) -> None:
        self._record = record
        self._masks = masks
        self._key = key
        self._audience = audience
        self._dates: dict[Sight, Callable[[Row], dt.date | None]] = {}

    def ordered(self, found: Sequence[Record], code: CreditCode) -> Sequence[Record]:
        """A company's records in order; their digests are made only where dates and agencies leave it open."""
        if len(found) == 1:
            return found
        keys: list[tuple[int, str]] = [(newest_first(date), agency) for date, agency in self._dated(found)]
        if len(set(keys)) == len(keys):
            return _sorted(found, keys)
        digests = self._digests(found, code)
        return _sorted(found, [(*key, digest) for key, digest in zip(keys, digests, strict=True)])

    def placed(self, found: Sequence[Record], code: CreditCode) -> list[tuple[Position, Record]]:
        """A company's records in order, each with its place."""
        digests = self._digests(found, code)
        placed = [
            (Position(date, agency, digest), record)
            for record, (date, agency), digest in zip(found, self._dated(found), digests, strict=True)
        ]
        return sorted(placed, key=lambda one: one[0].key())

    def _dated(self, found: Sequence[Record]) -> list[tuple[dt.date | None, str]]:
        """The date by which each record is sorted, as the caller sees it, and its agency."""
        dates = self._dates
        dated = []
        for origin, row in found:
            sight = origin.sight
            date = dates.get(sight) or dates.setdefault(sight, self._date_reader(sight))
            dated.append((date(row), origin.supplier.dataset.agency))
        return dated

    def _date_reader(self, sight: Sight) -> Callable[[Row], dt.date | None]:
        field, decision = self._record.ordered_by, sight.ordered_by
        if decision is None or field is None:
            return lambda _: None
        if decision.effect is not Effect.MASKED:
            return lambda row: _date(row.get(field))
        mask = self._masks(decision.mask or "", f"{self._record.name}.{field}")
        return lambda row: _date(mask(row.get(field)))

    def _digests(self, found: Sequence[Record], code: CreditCode) -> list[str]:
        """What tells each record from the company's others: its id, or its content and how often that was there."""
        seen: Counter[tuple[str, str]] = Counter()
        digests = []
        for origin, row in found:
            dataset, identity = origin.supplier.dataset.id, row.get(IDENTITY)
            if identity is None:
                content = repr(sorted(row.items()))
                seen[dataset, content] += 1
                identity = f"{content}\0{seen[dataset, content]}"
            digests.append(record_digest(self._key, self._audience, dataset, code.text, str(identity)))
        return digests


def _date(value: object) -> dt.date | None:
    return value if isinstance(value, dt.date) else None


def _sorted(found: Sequence[Record], keys: Sequence[tuple[int, str] | tuple[int, str, str]]) -> list[Record]:
    return [found[index] for index in sorted(range(len(found)), key=keys.__getitem__)]
