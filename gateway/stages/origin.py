"""Records that are shown, each with where it came from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from connectors.contract import Row
from gateway.stages.authorise import Sight, Supplier
from policies.decision import Effect


class Origin(msgspec.Struct, frozen=True, eq=False):
    """What records of one supplier have in common in one request: what the caller sees of them, the date of the
    supplier's data (with an offset), and what reads the date by which they are sorted, as the caller sees it.
    """

    supplier: Supplier
    sight: Sight
    as_of: dt.datetime | None
    date: Callable[[Row], dt.date | None]


Record = tuple[Origin, Row]
"""A row that is shown, with where it came from. A plain tuple, for there is one for every row."""


def linked(record: Record, field: str) -> str | None:
    """The code of the company that a shown record leads to; None where there is none or the caller may not follow."""
    origin, row = record
    decision, value = origin.sight.decisions.get(field), row.get(field)
    if decision is None or decision.effect is not Effect.CLEAR or not isinstance(value, str):
        return None
    return value
