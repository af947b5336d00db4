"""Duplicates among a company's rows.

A duplicate has a record id that was there before; without record ids, it is alike in all columns that the agency has.
Rows that are only alike in the columns asked for are different records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from connectors.contract import RawRow
from connectors.mapping import MANY_ROWS, RowMapper
from connectors.paths import AROUND
from connectors.turns import Turn
from schema.values import Value

RECORD_ID: Final = "recordId"
"""The canonical field that tells duplicates: a control column, read whether it was asked for or not."""

_AS_UNEQUAL_AS_DIFFERENT: Final = {str, type(None)}
"""Types of values that are equal only where they are the same: True equals 1, and 0.0 equals -0.0."""

_FEW: Final = 4
"""Of so many rows, each is compared with each."""


async def without_duplicates(
    rows: Mapping[str, Sequence[RawRow]], mapper: RowMapper, turn: Turn, *, whole_rows: bool
) -> Mapping[str, Sequence[RawRow]]:
    """The rows of each company without duplicates. `whole_rows` tells that rows come with all the agency's columns.

    Others have their turn on the event loop meanwhile.
    """
    several = {text: own for text, own in rows.items() if len(own) > 1}
    with_ids = RECORD_ID in mapper.fields
    if not several or not (with_ids or whole_rows):
        return rows
    ids = await mapper.read_field(list(chain.from_iterable(several.values())), RECORD_ID, turn) if with_ids else None
    if ids is not None and _all_different(ids):
        return rows
    found = dict(rows)
    end = 0
    for text, own in several.items():
        start, end = end, end + len(own)
        if ids is None:
            if not _differ(own):
                found[text] = await _distinct(own, [None] * len(own), turn, whole_rows=whole_rows)
        elif not _all_different(own_ids := ids[start:end]):
            found[text] = await _distinct(own, own_ids, turn, whole_rows=whole_rows)
        if turn.is_over():
            await turn.pass_on()
    return found


def _all_different(ids: Sequence[Value]) -> bool:
    return len(set(ids)) == len(ids) and None not in ids


async def _distinct(rows: Sequence[RawRow], ids: Sequence[Value], turn: Turn, *, whole_rows: bool) -> Sequence[RawRow]:
    distinct: list[RawRow] = []
    seen: set[object] = set()
    for index, (raw, record_id) in enumerate(zip(rows, ids, strict=True), start=1):
        identity = _content(raw) if record_id is None and whole_rows else record_id
        if identity is None or identity not in seen:
            seen.add(identity)
            distinct.append(raw)
        if index % MANY_ROWS == 0 and turn.is_over():
            await turn.pass_on()
    return distinct


def _differ(rows: Sequence[RawRow]) -> bool:
    """Whether no two of a few rows can be alike. Those that are not equal are not, save for what is around them."""
    if len(rows) > _FEW or AROUND in rows[0]:
        return False
    return rows[0] != rows[1] and not any(rows[index] in rows[:index] for index in range(2, len(rows)))


def _content(raw: RawRow) -> object:
    """Equal for rows that are alike in all of the agency's columns: names, their order, values and their types."""
    columns = tuple([column for column in raw.items() if not column[0].startswith(AROUND)])
    return columns if {type(value) for _, value in columns} <= _AS_UNEQUAL_AS_DIFFERENT else repr(columns)
