"""Rows in which every value occurs nowhere else, so that an answer tells by its bytes what it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from connectors.contract import Row
from policies.policy import Act
from schema.records import catalogue
from schema.values import Code, Count, DateSpan, Kind, Money, Value
from tests.gateway.stages.conftest import BEIJING, DATASETS, GUANGZHOU, HANGZHOU, SHENZHEN

TODAY = dt.datetime.now(dt.UTC).date()
HOLDERS = {HANGZHOU: GUANGZHOU, SHENZHEN: BEIJING}
"""Who holds the companies that the tests ask about; asked about by nobody, so that only a link tells of them."""

ENDS = {"repairedOn", "removedOn"}
UNMARKED = {"objection", "severity", "publishedFrom", "publishedUntil", *ENDS}
"""Values that all rows have in common, because publicity goes by them."""


@dataclass(frozen=True)
class Marker:
    """The text by which one value shows itself, and whose value it is. `act` is how its record must be read."""

    text: bytes
    dataset: str
    company: str
    field: str
    act: Act

    @property
    def coordinate(self) -> str:
        return f"{DATASETS[self.dataset].record}.{self.field}"


def marked() -> tuple[Mapping[tuple[str, str], tuple[Row, ...]], tuple[Marker, ...]]:
    """A current record and one past its publicity period, of every dataset for every company, and all their markers."""
    numbers = count(1)
    rows: dict[tuple[str, str], tuple[Row, ...]] = {}
    markers: list[Marker] = []
    for id_, dataset in DATASETS.items():
        fields = catalogue().records[dataset.record].fields
        for company in (HANGZHOU, SHENZHEN, GUANGZHOU, BEIJING):
            made = []
            for act in Act:
                row: dict[str, Value] = {**dict.fromkeys(fields), "severity": Code("serious"), "objection": False}
                row["publishedUntil"] = TODAY + dt.timedelta(days=-1 if act is Act.READ_EXPIRED else 5_000)
                for name in sorted(fields.keys() - UNMARKED):
                    kind = fields[name].kind
                    if kind is Kind.CREDIT_CODE:
                        row[name], text = (None, "") if act is Act.READ_EXPIRED else _holder(company)
                    else:
                        row[name], text = _value(kind, next(numbers))
                    if text:
                        markers.append(Marker(text.encode(), id_, company, name, act))
                made.append({name: value for name, value in row.items() if name in fields})
            rows[id_, company] = tuple(made)
    return rows, tuple(markers)


def _holder(company: str) -> tuple[str | None, str]:
    holder = HOLDERS.get(company)
    return holder, holder[8:17] if holder else ""


def _value(kind: Kind, number: int) -> tuple[Value, str]:
    """A value of this kind, and the text by which it shows itself in JSON."""
    day = TODAY - dt.timedelta(days=20 + number)
    digits = f"77{number:05}3"
    values: Mapping[Kind, tuple[Value, str]] = {
        Kind.TEXT: (f"mark{digits}ed", f"mark{digits}ed"),
        Kind.INTEGER: (int(digits), digits),
        Kind.DECIMAL: (Decimal(f"1.{digits}"), f"1.{digits}"),
        Kind.BOOLEAN: (True, ""),
        Kind.DATE: (day, day.isoformat()),
        Kind.DATE_SPAN: (DateSpan(day), day.isoformat()),
        Kind.MONEY: (Money(Decimal(f"{digits}.07")), f"{digits}.07"),
        Kind.COUNT: (Count(int(digits)), digits),
        Kind.CODE: (Code(f"code{digits}"), f"code{digits}"),
    }
    return values[kind]


ROWS, MARKERS = marked()
