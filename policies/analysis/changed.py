"""The rows that differ between two policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from policies.policy import Row


def changed_rows(before: Iterable[Row], after: Iterable[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows of the first that the second lacks, and those of the second that the first lacks, whatever their
    priority. Ids count for masked rows only: the first of them decides, by id, whereas denies and clear grants are
    alike in any order.
    """
    ours, theirs = {_meaning(row): row for row in before}, {_meaning(row): row for row in after}
    common = ours.keys() & theirs.keys()
    if _mask_order(ours, common) != _mask_order(theirs, common):
        return tuple(before), tuple(after)
    return _without(ours, common), _without(theirs, common)


_Meaning = tuple[str, ...]


def _meaning(row: Row) -> _Meaning:
    _, rule, *rest = row.values()
    return (rule if row.mask else "", *rest)


def _mask_order(rows: Mapping[_Meaning, Row], common: Collection[_Meaning]) -> list[tuple[str, str]]:
    """The masked rows that both policies have, in the order in which they decide."""
    masked = (row for meaning, row in rows.items() if row.mask and meaning in common)
    return [(row.rule, row.mask) for row in sorted(masked, key=lambda row: row.priority)]


def _without(rows: Mapping[_Meaning, Row], common: Collection[_Meaning]) -> tuple[Row, ...]:
    return tuple(row for meaning, row in rows.items() if meaning not in common)
