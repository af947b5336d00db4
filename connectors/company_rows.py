"""What a dataset said of a company, read and put together by those who need values before rows are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from connectors.contract import CompanyRows, FailureCode, Outcome
from schema.values import Value


def values(rows: CompanyRows, columns: Sequence[str]) -> list[tuple[Value, ...]]:
    """The values of these columns, row by row; None for what the agency does not say."""
    return [tuple(row.get(column) for column in columns) for row in rows.rows]


def not_whole(rows: CompanyRows, failure: FailureCode | None = None) -> CompanyRows:
    """The same, of which something may be missing. A failure stays one."""
    if rows.outcome is Outcome.FAILED:
        return rows
    return replace(rows, outcome=Outcome.INCOMPLETE, failure=rows.failure or failure)


def together(parts: Sequence[CompanyRows], *, single: bool) -> CompanyRows:
    """What was said of one company under several keys. `single` tells that it has at most one row: others are surplus.

    It is as old as the oldest of its parts. Where a part failed, the others are not the whole; a key that the agency
    does not know takes nothing from what it says under another.
    """
    if len(parts) == 1:
        return parts[0]
    outcomes = {part.outcome for part in parts}
    if outcomes == {Outcome.FAILED}:
        return parts[0]
    said = [part for part in parts if part.outcome is not Outcome.FAILED]
    rows = [row for part in said for row in part.rows]
    kept = rows[:1] if single else rows
    broken = next((part for part in parts if part.failure), None)
    return CompanyRows(
        _outcome(outcomes, whole=len(kept) == len(rows)),
        tuple(kept),
        min((part.as_of for part in said if part.as_of), default=None),
        min((part.not_older_than for part in said if part.not_older_than), default=None),
        broken.failure if broken else None,
        broken.retryable if broken else False,
        sum(part.unmapped for part in parts) + len(rows) - len(kept),
        {index: names for index, names in _unreadable(said) if index < len(kept)},
    )


def _outcome(outcomes: set[Outcome], *, whole: bool) -> Outcome:
    if outcomes == {Outcome.UNKNOWN_COMPANY}:
        return Outcome.UNKNOWN_COMPANY
    return Outcome.ANSWERED if whole and outcomes <= {Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY} else Outcome.INCOMPLETE


def _unreadable(parts: Iterable[CompanyRows]) -> Iterable[tuple[int, frozenset[str]]]:
    start = 0
    for part in parts:
        yield from ((start + index, names) for index, names in part.unreadable.items())
        start += len(part.rows)
