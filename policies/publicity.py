"""How long a record may be shown: publicity periods and repair, by dated rules in `publicity/*.yaml`.

The rules in force today decide on every record, whenever it was made: to show is to publish anew. Days are China's.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from enum import StrEnum
from typing import Final

from policies.errors import Finding, PublicityInvalid
from policies.located import Findings, Located, read
from policies.vocabulary import check_keys, known
from schema.catalogue import Catalogue, RecordType
from schema.values import Code, Kind, Value

_FOLDER: Final = "publicity/"
_REGIME_KEYS: Final = ("from", "source", "ended_by", "periods")
_PERIOD_KEYS: Final = ("record", "counted_from", "by", "months")
_MONTHS: Final = re.compile(r"[0-9]{1,5}")
_BOUNDS: Final = 2
_NEEDS_DATE: Final = "publicity ends on a day: name a date"

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


Judge = Callable[[Mapping[str, Value], Collection[str]], Standing]
"""(row, its unreadable columns) -> whether it may be shown."""


@dataclass(frozen=True, slots=True)
class Period:
    """How long the records of one type are public: months by the code in the field `by` (the longest for any other
    code), counted from the date in the field `counted_from`. `months` holds the least and the most; the most ends it.
    """

    counted_from: str
    by: str
    months: Mapping[str, tuple[int, int]]

    @property
    def longest(self) -> int:
        """The most months of all codes."""
        return max(most for _, most in self.months.values())

    def most(self, code: str | None) -> int:
        """The most months of this code."""
        _, most = self.months.get(code or "", (0, self.longest))
        return most

    def last_day(self, start: date, code: str | None) -> date:
        """The last day on which a record may be shown."""
        return _add_months(start, self.most(code))

    def first_day(self, today: date, code: str | None) -> date:
        """The earliest day from which a period can be counted that is not over today; the first of all where it lies
        before the year 1.
        """
        year, month = divmod(today.year * 12 + today.month - 1 - self.most(code), 12)
        if year < date.min.year:
            return date.min
        if today.day <= monthrange(year, month + 1)[1]:
            return date(year, month + 1, today.day)
        # That month has no such day: counted from its last, the period ended before today.
        return _add_months(date(year, month + 1, 1), 1)


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
        judge = self.judge(record, today)
        return judge(row, unreadable) if judge else Standing.PUBLISHED

    def judge(self, record: RecordType, today: date, columns: Collection[str] | None = None) -> Judge | None:
        """`standing` for many rows of one record type on one day, that have at most these columns (None: any). There is
        no judge where none of the columns has a say: each of the rows may be shown.
        """
        regime = self.regime(today)
        ends = tuple(field for field in regime.ended_by if field in record.fields)
        limits = frozenset({PUBLISHED_FROM, PUBLISHED_UNTIL, *regime.ended_by})
        there = [name for name in (PUBLISHED_FROM, PUBLISHED_UNTIL, *ends) if columns is None or name in columns]
        nothing = (None,) * len(there)
        period = regime.periods.get(record.name)
        if not there and period is None:
            return None
        in_period = _period_judge(period, today)
        published = Standing.PUBLISHED

        def standing(row: Mapping[str, Value], unreadable: Collection[str]) -> Standing:
            if not unreadable and tuple(map(row.get, there)) == nothing:
                return in_period(row, None) if period else published
            starts, until = _day(row, PUBLISHED_FROM), _day(row, PUBLISHED_UNTIL)
            if starts and today < starts:
                return Standing.NOT_YET
            if (until and until < today) or any(day and day <= today for day in (_day(row, field) for field in ends)):
                return Standing.OVER
            if unreadable and not limits.isdisjoint(unreadable):
                return Standing.UNREADABLE
            return in_period(row, until)

        return standing


def _day(row: Mapping[str, Value], field: str) -> date | None:
    value = row.get(field)
    return value if isinstance(value, date) else None


def _period_judge(period: Period | None, today: date) -> Callable[[Mapping[str, Value], date | None], Standing]:
    """(row, the agency's own last day) -> its standing by the period alone."""
    if period is None:
        return lambda _row, _until: Standing.PUBLISHED
    counted_from, by = period.counted_from, period.by
    first_days = {code: period.first_day(today, code) for code in period.months}
    otherwise = period.first_day(today, None)
    published, over = Standing.PUBLISHED, Standing.OVER

    def standing(row: Mapping[str, Value], until: date | None) -> Standing:
        start, code = row.get(counted_from), row.get(by)
        if not isinstance(start, date):
            return Standing.PUBLISHED if until else Standing.UNREADABLE
        first = first_days.get(code.code, otherwise) if isinstance(code, Code) else otherwise
        return over if start < first else published

    return standing


def _add_months(start: date, months: int) -> date:
    """The same day of a later month, or its last day where it is shorter; the last day of all beyond year 9999."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def load_publicity(files: Mapping[str, bytes], catalogue: Catalogue) -> Publicity:
    """The regimes among a policy's files, `publicity/*.yaml`, checked against the catalogue: a misspelt record type or
    field would never end anything. Raises `PublicityInvalid` with every mistake found in all files.
    """
    noted = [(Findings(name), content) for name, content in sorted(files.items()) if name.startswith(_FOLDER)]
    regimes: dict[date, Regime] = {}
    for findings, content in noted:
        regime = _read_regime(content, catalogue, findings)
        if regime and regimes.setdefault(regime.starts, regime) is not regime:
            findings.add(
                1, "DUPLICATE_DAY", f"other publicity rules begin on {regime.starts} too", "keep one of the two"
            )
    found = [finding for findings, _ in noted for finding in findings.found]
    if not noted:
        found.append(Finding(_FOLDER, 1, "MISSING_FILE", "the policy has no publicity rules", f"add {_FOLDER}*.yaml"))
    if found:
        raise PublicityInvalid(found)
    return Publicity(tuple(regimes[day] for day in sorted(regimes)))


def _read_regime(content: bytes, catalogue: Catalogue, findings: Findings) -> Regime | None:
    document = read(content, findings)
    if document is None:
        return None
    entries = findings.entries(document, "publicity")
    if not _whole(entries, _REGIME_KEYS, document.line, findings):
        return None
    starts = _date(entries["from"], findings)
    regime = Regime(
        starts=starts or date.min,
        source=findings.text(entries["source"], "source") or "",
        ended_by=_ends(findings.texts(entries["ended_by"], "ended_by"), catalogue, findings),
        periods=_periods(findings.items(entries["periods"], "periods"), catalogue, findings),
    )
    return None if findings.found else regime


def _whole(entries: Mapping[str, Located], keys: Collection[str], line: int, findings: Findings) -> bool:
    """Whether each of the keys is there; one that is not, and any other, is a finding."""
    check_keys(entries, keys, findings)
    missing = ", ".join(f"`{key}`" for key in keys if key not in entries)
    if missing:
        findings.add(line, "MISSING_KEY", f"the publicity rules lack {missing}")
    return not missing


def _date(located: Located, findings: Findings) -> date | None:
    text = findings.text(located, "from")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        findings.add(located.line, "BAD_DATE", f"`from: {text}` is not a day", "write it as 2026-04-01")
        return None


def _ends(names: Collection[Located], catalogue: Catalogue, findings: Findings) -> tuple[str, ...]:
    """The fields whose date ends publicity: each is a date in every record type that has it, and one has it."""
    kinds: dict[str, set[Kind]] = {}
    for record in catalogue.records.values():
        for field in record.fields.values():
            kinds.setdefault(field.name, set()).add(field.kind)
    found = known(names, kinds, "field", findings)
    for name in names:
        if kinds.get(str(name.value), {Kind.DATE}) != {Kind.DATE}:
            findings.add(name.line, "NOT_A_DATE", f"`{name.value}` is not a date in every record type", _NEEDS_DATE)
    return found


def _periods(items: Collection[Located], catalogue: Catalogue, findings: Findings) -> dict[str, Period]:
    periods: dict[str, Period] = {}
    for item in items:
        entries = findings.entries(item, "periods")
        if not _whole(entries, _PERIOD_KEYS, item.line, findings):
            continue
        name = findings.text(entries["record"], "record") or ""
        if name in periods:
            findings.add(item.line, "DUPLICATE_PERIOD", f"the period of `{name}` stands twice", "remove one of the two")
        if name:
            known((Located(name, entries["record"].line),), catalogue.records, "type", findings)
        periods[name] = _period(entries, catalogue.records.get(name), findings)
    return periods


def _period(entries: Mapping[str, Located], record: RecordType | None, findings: Findings) -> Period:
    """The period of one record type, whose fields are not checked where the type is unknown."""
    counted_from = _field("counted_from", Kind.DATE, entries, record, findings)
    by = _field("by", Kind.CODE, entries, record, findings)
    written = findings.entries(entries["months"], "months")
    if not written:
        findings.add(entries["months"].line, "EMPTY", "`months` names no code, so nothing would ever end")
    return Period(counted_from, by, {code: _least_and_most(bounds, findings) for code, bounds in written.items()})


def _field(key: str, kind: Kind, entries: Mapping[str, Located], record: RecordType | None, findings: Findings) -> str:
    """The field that a key names, which is of this kind."""
    located = entries[key]
    name = findings.text(located, key) or ""
    if name and record and known((Located(name, located.line),), record.fields, "field", findings):
        actual = record.fields[name].kind
        if actual is not kind:
            message = f"`{key}` needs a field of the kind {kind}, and `{record.name}.{name}` is {actual}"
            findings.add(located.line, f"NOT_A_{kind.upper()}", message)
    return name


def _least_and_most(bounds: Located, findings: Findings) -> tuple[int, int]:
    texts = [str(item.value) for item in findings.texts(bounds, "months")]
    if len(texts) != _BOUNDS or not all(_MONTHS.fullmatch(text) for text in texts):
        findings.add(bounds.line, "BAD_PERIOD", "a period is the least and the most number of months", "as in [3, 12]")
        return 0, 0
    least, most = map(int, texts)
    if least > most:
        findings.add(bounds.line, "BAD_PERIOD", "the least number of months is above the most")
    return least, most


def publicity_widens(
    before: Publicity, after: Publicity, catalogue: Catalogue, cells: Mapping[str, Collection[str]], today: date
) -> frozenset[str]:
    """The agencies of whose records `after` would show some, from today on, that `before` would not. `cells` holds the
    coordinates that each agency supplies.

    What cannot be compared counts as wider: a period counted from another date, or by another code.
    """
    days = {today, *(regime.starts for one in (before, after) for regime in one.regimes if regime.starts > today)}
    wider = {
        record.name
        for record in catalogue.records.values()
        if any(_wider(record, before.regime(day), after.regime(day)) for day in days)
    }
    return frozenset(agency for agency, supplied in cells.items() if not wider.isdisjoint(supplied))


def _wider(record: RecordType, before: Regime, after: Regime) -> bool:
    """Whether a record of this type could be public under `after` that would be over under `before`."""
    if record.fields.keys() & (set(before.ended_by) - set(after.ended_by)):
        return True
    old, new = before.periods.get(record.name), after.periods.get(record.name)
    if old is None or new is None:
        return old is not None
    if old.counted_from != new.counted_from:
        return True
    if old.by != new.by:
        return new.longest > min(most for _, most in old.months.values())
    return any(new.most(code) > old.most(code) for code in (None, *old.months, *new.months))
