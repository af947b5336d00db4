"""How long a record may be shown: publicity periods and repair, by dated rules in `publicity/*.yaml`.

The rules in force today decide on every record, whenever it was made: to show is to publish anew. Days are China's.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from enum import StrEnum
from typing import Final

from policies.errors import PublicityInvalid
from policies.located import Findings, Located, read
from schema.catalogue import RecordType
from schema.values import Code, Value

_FOLDER: Final = "publicity/"

CHINA: Final = timezone(timedelta(hours=8), "CST")
"""China Standard Time, in which days are counted (no summer time since 1991)."""

PUBLISHED_FROM: Final = "publishedFrom"
PUBLISHED_UNTIL: Final = "publishedUntil"


class Standing(StrEnum):
    """Whether a record may be shown: yes; no longer (past its period or repaired); not yet; nobody can tell."""

    PUBLISHED = "PUBLISHED"
    OVER = "OVER"
    NOT_YET = "NOT_YET"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class Period:
    """How long the records of one type are public: months by the code in the field `by` (the longest for any other
    code), counted from the date in the field `counted_from`. `months` holds the least and the most; the most ends it.
    """

    counted_from: str
    by: str
    months: Mapping[str, tuple[int, int]]

    def last_day(self, start: date, code: str | None) -> date:
        """The last day on which a record may be shown."""
        longest = max(most for _, most in self.months.values())
        _, most = self.months.get(code or "", (0, longest))
        return _add_months(start, most)


@dataclass(frozen=True, slots=True)
class Regime:
    """The rules in force from a day on. `ended_by`: the fields whose date ends publicity; `periods` by record type."""

    starts: date
    source: str
    ended_by: tuple[str, ...]
    periods: Mapping[str, Period]


@dataclass(frozen=True, slots=True)
class Publicity:
    """Every regime, the earliest first."""

    regimes: tuple[Regime, ...]

    def regime(self, today: date) -> Regime:
        """The regime in force on a day; before the earliest, the earliest."""
        return self.regimes[max(bisect_right(self.regimes, today, key=lambda regime: regime.starts) - 1, 0)]

    def control_columns(self, record: RecordType) -> frozenset[str]:
        """The fields of the record type that `standing` looks at, under any regime."""
        names = {PUBLISHED_FROM, PUBLISHED_UNTIL}
        for regime in self.regimes:
            names.update(regime.ended_by)
            if period := regime.periods.get(record.name):
                names.update((period.counted_from, period.by))
        return frozenset(names & record.fields.keys())

    def standing(
        self, record: RecordType, row: Mapping[str, Value], today: date, unreadable: Collection[str] = ()
    ) -> Standing:
        """Whether a row may be shown today. `row` lacks the columns that its supplier does not have; `unreadable` names
        those in which the supplier has something that is no date.

        UNREADABLE: a date that could end the publicity cannot be read; or the type's period is counted from a date, and
        neither that date nor `publishedUntil` is there.
        """
        regime = self.regime(today)
        ended = [_day(row, field) for field in regime.ended_by if field in record.fields]
        starts, until = _day(row, PUBLISHED_FROM), _day(row, PUBLISHED_UNTIL)
        if starts and today < starts:
            return Standing.NOT_YET
        if any(day and day <= today for day in ended) or (until and until < today):
            return Standing.OVER
        if not {PUBLISHED_FROM, PUBLISHED_UNTIL, *regime.ended_by}.isdisjoint(unreadable):
            return Standing.UNREADABLE
        period = regime.periods.get(record.name)
        if period is None:
            return Standing.PUBLISHED
        counted_from = _day(row, period.counted_from)
        if counted_from is None:
            return Standing.PUBLISHED if until else Standing.UNREADABLE
        code = row.get(period.by)
        last = period.last_day(counted_from, code.code if isinstance(code, Code) else None)
        return Standing.OVER if last < today else Standing.PUBLISHED


def _day(row: Mapping[str, Value], field: str) -> date | None:
    value = row.get(field)
    return value if isinstance(value, date) else None


def _add_months(start: date, months: int) -> date:
    """The same day of a later month, or its last day where it is shorter; the last day of all beyond year 9999."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def load_publicity(files: Mapping[str, bytes]) -> Publicity:
    """The regimes among a policy's files, `publicity/*.yaml`. Raises `PublicityInvalid`, which names file and line."""
    regimes = [_read_regime(name, content) for name, content in files.items() if name.startswith(_FOLDER)]
    if not regimes:
        raise PublicityInvalid(f"the policy has no publicity rules ({_FOLDER}*.yaml)")
    return Publicity(tuple(sorted(regimes, key=lambda regime: regime.starts)))


def _read_regime(name: str, content: bytes) -> Regime:
    findings = Findings(name)
    entries = findings.entries(read(content, findings) or Located({}, 1), "publicity")
    try:
        regime = Regime(
            starts=date.fromisoformat(_text(entries, "from", findings)),
            source=_text(entries, "source", findings),
            ended_by=tuple(str(item.value) for item in findings.texts(entries["ended_by"], "ended_by")),
            periods=dict(_period(item, findings) for item in findings.items(entries["periods"], "periods")),
        )
    except (KeyError, ValueError) as error:
        findings.add(1, "BAD_PUBLICITY", f"the rules lack or misspell {error}")
    if findings.found:
        raise PublicityInvalid("\n".join(map(str, findings.found)))
    return regime


def _period(item: Located, findings: Findings) -> tuple[str, Period]:
    entries = findings.entries(item, "periods")
    months = {
        severity: _least_and_most(bounds, findings)
        for severity, bounds in findings.entries(entries["months"], "months").items()
    }
    names = {key: _text(entries, key, findings) for key in ("record", "counted_from", "by")}
    return names["record"], Period(names["counted_from"], names["by"], months)


def _least_and_most(bounds: Located, findings: Findings) -> tuple[int, int]:
    least, most = (int(str(item.value)) for item in findings.texts(bounds, "months"))
    if not 0 <= least <= most:
        findings.add(bounds.line, "BAD_PERIOD", "the least number of months is above the most")
    return least, most


def _text(entries: Mapping[str, Located], key: str, findings: Findings) -> str:
    return findings.text(entries[key], key) or ""
