"""What two answers have in common, whatever order their rows came in and whenever they were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from connectors.contract import CompanyRows, FailureCode, Outcome
from schema.values import Value

Record = tuple[tuple[str, Value], ...]
"""One row: names and values, by name."""

Told = tuple[Outcome, FailureCode | None, Mapping[Record, int]]
"""An answer without its dates: outcome, failure, and how often it has each row."""


def records(answer: CompanyRows, columns: Collection[str] | None = None) -> list[dict[str, Value]]:
    """The answer's rows; of these columns alone, where they are named."""
    return [{name: value for name, value in row.items() if columns is None or name in columns} for row in answer.rows]


def told(answer: CompanyRows, columns: Collection[str] | None = None) -> Told:
    """The answer, for comparison."""
    rows = (tuple(sorted(record.items(), key=lambda item: item[0])) for record in records(answer, columns))
    return answer.outcome, answer.failure, Counter(rows)


def difference(expected: Told, found: Told) -> str:
    """In what the second answer differs from the first, without a value; empty where it does not."""
    if expected == found:
        return ""
    if expected[:2] != found[:2]:
        return f"{_named(found)} instead of {_named(expected)}"
    before, after = sum(expected[2].values()), sum(found[2].values())
    return f"{after} rows instead of {before}" if before != after else "as many rows, with other values"


def _named(answer: Told) -> str:
    outcome, failure, _ = answer
    return f"{outcome} ({failure})" if failure else str(outcome)
