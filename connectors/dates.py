"""Dates and moments as agencies write them.

Agencies of this nation keep China Standard Time (UTC+8, no summer time since 1991): a moment without an offset is read
as such, and a moment with one counts on the day that it falls on there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from connectors.chinese_numbers import DIGITS, read_chinese
from connectors.text import Unmappable, narrow, read_text

CHINA_TIME: Final = timezone(timedelta(hours=8))

EPOCH_FORMATS: Final = {"epochSeconds": 1, "epochMilliseconds": 1000}
"""Words among the formats: a number since 1970-01-01T00:00:00Z, and how many of it make a second."""

EXCEL_DAYS: Final = "excelDays"
"""Word among the formats: the number by which a workbook keeps a date (1 is 1900-01-01), as it comes where the cell was
not formatted as a date. The time of day is behind its point.
"""

_EXCEL_DAYS: Final = range(61, 2_958_466)
"""From 1900-03-01 to 9999-12-31. Workbooks count a 29 February 1900 that there never was (ECMA-376 part 1, 18.17.4.1):
what is before it is ambiguous.
"""
NUMBER_FORMATS: Final = (*EPOCH_FORMATS, EXCEL_DAYS)
"""Words among the formats, for dates that are written as numbers."""

_EXCEL_BEGIN: Final = datetime(1899, 12, 30, tzinfo=CHINA_TIME)

NO_DATES: Final = frozenset({date(1, 1, 1), date(1753, 1, 1), date(1900, 1, 1)})
"""The least dates of common databases (Oracle and .NET, SQL Server's two), which stand for none."""

NO_YEAR: Final = 9999
"""Any date of this year stands for none."""

_TIME: Final = r"(?:[T ]+(?P<time>\d{1,2}:\d{1,2}(?::\d{1,2})?)(?:[.,]\d+)?(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""What most agencies write: read before the others, which cost several times as much."""

_PLAIN_LENGTH: Final = len("2021-03-05")
_COMPACT_LENGTH: Final = len("20210305")

_SEPARATED: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME, re.ASCII)
_CHINESE: Final = re.compile(r"(\d{4})()年(\d{1,2})月(\d{1,2})日" + _TIME, re.ASCII)
_COMPACT: Final = re.compile(r"(\d{4})()(\d{2})(\d{2})(?:(?P<time>\d{6})(?P<offset>)(?:\d{3})?)?", re.ASCII)
"""A time may end in its milliseconds."""

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
"""A moment of ISO 8601, which nobody means otherwise. So cells of a workbook come that hold a date."""

_NUMERALS: Final = re.compile(
    r"([〇○零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月([一二三四五六七八九十廿卅]{1,3})日"
)
_WRAPPED: Final = re.compile(r"/Date\((-?\d{1,17})(?:[+-]\d{4})?\)/", re.ASCII)
"""Milliseconds as ASP.NET writes them in JSON; the offset is for display."""
_ADJACENT: Final = re.compile(r"%[A-Za-z]%")


def read_date(raw: object, formats: Sequence[str] = (), nothings: frozenset[date] = frozenset()) -> date | None:
    """The date, None where it is one that stands for none (`NO_DATES`, year 9999, `nothings`).

    Without `formats` the usual ways of writing are understood (2021-3-5, 2021/03/05, 2021.3.5, 20210305, 2021年3月5日,
    each with or without a time; 二〇二一年三月五日); with them, a moment of ISO 8601 is, too. Raises `Unmappable`.
    """
    if isinstance(raw, str):
        found = _plain_date(raw) if not formats and _PLAIN.fullmatch(raw) else read_moment(raw, formats).date()
    else:
        found = raw if isinstance(raw, date) and not isinstance(raw, datetime) else read_moment(raw, formats).date()
    return None if found.year == NO_YEAR or found in NO_DATES or found in nothings else found


def read_dates(texts: Sequence[str], formats: Sequence[str], nothings: frozenset[date]) -> Sequence[date | None]:
    """What `read_date` reads of each of these trimmed texts.

    With `formats`, equal texts are read once; without, all are written with as many digits, like 2021-03-05 (or with
    slashes or points) or like 20210305. Raises `ValueError` or `ArithmeticError` where one is not.
    """
    if formats:
        read = {text: read_date(text, formats, nothings) for text in set(texts)}
        return list(map(read.__getitem__, texts))
    days = list(map(date.fromisoformat, _with_hyphens(texts)))
    if max(days).year < NO_YEAR and NO_DATES.isdisjoint(days) and nothings.isdisjoint(days):
        return days
    return [None if day.year == NO_YEAR or day in NO_DATES or day in nothings else day for day in days]


def _with_hyphens(texts: Sequence[str]) -> Sequence[str]:
    """The dates as `fromisoformat` reads them, which reads other things too: weeks, and what follows a compact date.

    Raises `Unmappable` where one has another form.
    """
    joined, hyphens = "".join(texts), "-" * len(texts)
    lengths = set(map(len, texts))
    if lengths == {_COMPACT_LENGTH} and joined.isascii() and joined.isdigit():
        return texts
    if lengths != {_PLAIN_LENGTH} or joined[4::_PLAIN_LENGTH] != joined[7::_PLAIN_LENGTH]:
        raise Unmappable
    if joined[4::_PLAIN_LENGTH] == hyphens:
        return texts
    joined = joined.replace("/", "-").replace(".", "-")
    if joined[4::_PLAIN_LENGTH] != hyphens:
        raise Unmappable
    return [joined[start : start + _PLAIN_LENGTH] for start in range(0, len(joined), _PLAIN_LENGTH)]


def read_moment(raw: object, formats: Sequence[str] = ()) -> datetime:
    """The moment, in China Standard Time. A date alone is its midnight. Raises `Unmappable`."""
    if isinstance(raw, datetime):
        return _in_china(raw)
    text = narrow(read_text(raw))
    if not formats:
        return _usual(text)
    for pattern in formats:
        try:
            return _by_number(text, pattern) if pattern in NUMBER_FORMATS else _strict(text, pattern)
        except (ValueError, ArithmeticError):
            continue
    if _ISO.fullmatch(text):
        return _usual(text)
    raise Unmappable


def _plain_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unmappable from None


def _usual(text: str) -> datetime:
    match = _SEPARATED.fullmatch(text) or _CHINESE.fullmatch(text) or _COMPACT.fullmatch(text)
    if match is None:
        return _in_numerals(text)
    year, month, day = (int(match[group]) for group in (1, 3, 4))
    hour, minute, second = _clock(match["time"])
    offset = match["offset"]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone(offset) if offset else None)
        return _in_china(moment)
    except (ValueError, OverflowError):
        raise Unmappable from None


def _in_numerals(text: str) -> datetime:
    """A date as documents write it: 二〇二一年三月五日."""
    match = _NUMERALS.fullmatch(text)
    if match is None:
        raise Unmappable
    year = int("".join(str(DIGITS[digit]) for digit in match[1]))
    try:
        return datetime(year, read_chinese(match[2]), read_chinese(match[3]), tzinfo=CHINA_TIME)
    except ValueError:
        raise Unmappable from None


def _clock(text: str | None) -> tuple[int, int, int]:
    if text is None:
        return 0, 0, 0
    parts = [int(part) for part in (text.split(":") if ":" in text else re.findall("..", text))]
    return parts[0], parts[1], parts[2] if len(parts) > len("hm") else 0


def _zone(offset: str) -> timezone:
    if offset == "Z":
        return UTC
    digits = offset[1:].replace(":", "")
    behind = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-behind if offset[0] == "-" else behind)


def _strict(text: str, pattern: str) -> datetime:
    """`strptime`, but where directives touch (%Y%m%d) every digit must be there: else 2021111 would be a date."""
    moment = datetime.strptime(text, pattern)  # noqa: DTZ007  (the offset is added below)
    if _ADJACENT.search(pattern) and moment.strftime(pattern) != text:
        raise Unmappable
    return _in_china(moment)


def _by_number(text: str, pattern: str) -> datetime:
    if pattern != EXCEL_DAYS:
        return _epoch(text, pattern)
    days = Decimal(text)
    if not _EXCEL_DAYS.start <= days < _EXCEL_DAYS.stop:
        raise Unmappable
    return _EXCEL_BEGIN + timedelta(days=float(days))


def _epoch(text: str, pattern: str) -> datetime:
    wrapped = _WRAPPED.fullmatch(text)
    text = wrapped[1] if wrapped else text
    seconds = Decimal(text) / EPOCH_FORMATS[pattern]
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(seconds))).astimezone(CHINA_TIME)


def _in_china(moment: datetime) -> datetime:
    if moment.year == NO_YEAR:
        return moment.replace(tzinfo=CHINA_TIME)  # none, and there may be no such day in China
    return moment.replace(tzinfo=CHINA_TIME) if moment.tzinfo is None else moment.astimezone(CHINA_TIME)
