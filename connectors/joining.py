"""One call's answer, company by company: rows joined by key, mapped, freed of duplicates, and given an outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from connectors.as_of import constant_moment, latest_moments
from connectors.columns import ReadAll
from connectors.contract import (
    NOTHING_UNREADABLE,
    CompanyRows,
    FailureCode,
    Outcome,
    RawRow,
    RecordShape,
    Row,
    SourceAnswer,
)
from connectors.keys import Asked
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import MANY_ROWS, RowMapper
from connectors.paths import AROUND
from connectors.turns import Turn
from schema.credit_code import CreditCode
from schema.values import Value

RECORD_ID = "recordId"
"""The canonical field that tells duplicates: a control column, read whether it was asked for or not."""

_AS_UNEQUAL_AS_DIFFERENT: Final = {str, type(None)}
"""Types of values that are equal only where they are the same: True equals 1, and 0.0 equals -0.0."""

_FEW: Final = 4
"""Of so many rows, each is compared with each."""


_Tell = Callable[[str, tuple[Row, ...], datetime | None, Mapping[int, frozenset[str]]], CompanyRows]
"""From a company's code, its rows, the date of its data and what could not be read, by row, to what is said of it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """One call's answer by company. `whole` tells that nothing is missing from it that may be of any of them."""

    companies: Mapping[CreditCode, CompanyRows]
    whole: bool


@dataclass(frozen=True, slots=True)
class Joiner:
    """How one dataset's answers are taken apart. `whole_rows` tells that rows come with all the agency's columns."""

    dataset: DatasetManifest
    shape: RecordShape
    mapper: RowMapper
    whole_rows: bool

    def columns(self, names: frozenset[str]) -> frozenset[str]:
        """The agency's columns that a call needs: those of the canonical fields asked for, and the control columns."""
        control = {self.dataset.key.path, self.dataset.as_of.column if self.dataset.as_of else None} - {None}
        ids = {RECORD_ID} & self.mapper.fields.keys()
        return self.mapper.columns(names | ids).union(path for path in control if path)

    async def join(self, codes: Sequence[CreditCode], names: frozenset[str], answer: SourceAnswer) -> Joined:
        """What the answer says of each company asked for; `names` are the canonical fields that rows shall hold.

        A large answer leaves others their turn on the event loop.
        """
        turn = Turn()
        asked = Asked(codes)
        rows, unkeyed = await _by_company(asked, answer.rows, self.mapper.keys, turn)
        distinct: dict[str, Sequence[RawRow]] = dict(rows)
        for text, own in rows.items():
            if len(own) > 1:
                if self._may_repeat(own):
                    distinct[text] = await self._distinct(own, turn)
                if turn.is_over():
                    await turn.pass_on()
        owns = [distinct.get(code.text, ()) for code in codes]
        mapped = await self.mapper.read(list(chain.from_iterable(owns)), names, turn)
        rows_mapped = tuple(mapped.rows)
        whole = not unkeyed and not answer.dropped and not answer.truncated
        ordinary = whole and not mapped.unreadable
        moment, tell = self._moments(answer), self._teller(asked, answer, unkeyed)
        joined: dict[CreditCode, CompanyRows] = {}
        end = 0
        for code, own in zip(codes, owns, strict=True):
            start, end = end, end + len(own)
            as_of = moment(rows.get(code.text, ()))
            if ordinary and (len(own) == 1 or (own and not self.shape.single)):
                joined[code] = CompanyRows(Outcome.ANSWERED, rows_mapped[start:end], as_of)
            else:
                unreadable = _between(mapped.unreadable, start, end)
                joined[code] = tell(code.text, rows_mapped[start:end], as_of, unreadable)
            if turn.is_over():
                await turn.pass_on()
        return Joined(joined, whole)

    def _teller(self, asked: Asked, answer: SourceAnswer, unkeyed: int) -> _Tell:
        """How a company fared whose rows are these."""
        anybodys, truncated, single = unkeyed + answer.dropped, answer.truncated, self.shape.single
        unknown, named = _companies(asked, answer.unknown), _companies(asked, answer.seen)

        def tell(
            text: str, rows: tuple[Row, ...], as_of: datetime | None, unreadable: Mapping[int, frozenset[str]]
        ) -> CompanyRows:
            surplus = len(rows) - 1 if single and len(rows) > 1 else 0
            unmapped = sum(map(len, unreadable.values())) + surplus + anybodys
            known = bool(rows) or text in named
            return CompanyRows(
                self._outcome(known=known, unknown=not rows and text in unknown, whole=not unmapped and not truncated),
                rows[: len(rows) - surplus],
                as_of,
                failure=self._failure(known=known or text in unknown, truncated=truncated),
                unmapped=unmapped,
                unreadable=unreadable,
            )

        return tell

    def _outcome(self, *, known: bool, unknown: bool, whole: bool) -> Outcome:
        missing = self.dataset.missing_means
        if unknown or (whole and not known and missing is MissingMeans.UNKNOWN):
            return Outcome.UNKNOWN_COMPANY
        if not whole:
            return Outcome.INCOMPLETE
        return Outcome.FAILED if not known and missing is MissingMeans.ERROR else Outcome.ANSWERED

    def _failure(self, *, known: bool, truncated: bool) -> FailureCode | None:
        if truncated:
            return FailureCode.LIMIT
        missing = not known and self.dataset.missing_means is MissingMeans.ERROR
        return FailureCode.AGENCY_BAD_RESPONSE if missing else None

    def _moments(self, answer: SourceAnswer) -> Callable[[Sequence[RawRow]], datetime | None]:
        """From a company's rows to the date of its data."""
        as_of = answer.as_of or constant_moment(self.dataset.as_of)
        if as_of is not None or self.dataset.as_of is None:
            return lambda _: as_of
        return latest_moments(self.dataset.as_of, nested=self.dataset.nested)

    def _may_repeat(self, rows: Sequence[RawRow]) -> bool:
        """Whether there can be duplicates among a company's rows, of which there are several."""
        return RECORD_ID in self.mapper.fields or (self.whole_rows and not _differ(rows))

    async def _distinct(self, rows: Sequence[RawRow], turn: Turn) -> Sequence[RawRow]:
        """The rows without duplicates.

        A duplicate has a record id that was there before; without record ids, it is alike in all columns that the
        agency has. Rows that are only alike in the columns asked for are different records.
        """
        distinct: list[RawRow] = []
        seen: set[object] = set()
        for start in range(0, len(rows), MANY_ROWS):
            part = rows[start : start + MANY_ROWS]
            for raw, record_id in zip(part, self._record_ids(part), strict=True):
                identity = _content(raw) if record_id is None and self.whole_rows else record_id
                if identity is None or identity not in seen:
                    seen.add(identity)
                    distinct.append(raw)
            if turn.is_over():
                await turn.pass_on()
        return distinct

    def _record_ids(self, rows: Sequence[RawRow]) -> Sequence[Value]:
        field = self.mapper.fields.get(RECORD_ID)
        return field.read_column(rows).values if field else [None] * len(rows)


def _differ(rows: Sequence[RawRow]) -> bool:
    """Whether no two of a few rows can be alike. Those that are not equal are not, save for what is around them."""
    if len(rows) > _FEW or AROUND in rows[0]:
        return False
    return rows[0] != rows[1] and not any(rows[index] in rows[:index] for index in range(2, len(rows)))


def _content(raw: RawRow) -> object:
    """Equal for rows that are alike in all of the agency's columns: names, their order, values and their types."""
    columns = tuple([column for column in raw.items() if not column[0].startswith(AROUND)])
    return columns if {type(value) for _, value in columns} <= _AS_UNEQUAL_AS_DIFFERENT else repr(columns)


def _between(unreadable: Mapping[int, frozenset[str]], start: int, end: int) -> Mapping[int, frozenset[str]]:
    """What could not be read of the rows from `start` on, before `end`."""
    if not unreadable:
        return NOTHING_UNREADABLE
    return {index - start: unreadable[index] for index in range(start, end) if index in unreadable}


async def _by_company(
    asked: Asked, rows: Sequence[RawRow], keys_of: ReadAll, turn: Turn
) -> tuple[Mapping[str, Sequence[RawRow]], int]:
    """The rows of each company asked for, by the text of its code, and how many rows may be anybody's.

    Those of other companies are left out.
    """
    found: defaultdict[str, list[RawRow]] = defaultdict(list)
    by_text = asked.by_text
    unkeyed = 0
    for start in range(0, len(rows), MANY_ROWS):
        part = rows[start : start + MANY_ROWS]
        for key, row in zip(keys_of(part), part, strict=True):
            # Most keys come back as they were asked.
            if isinstance(key, str) and key in by_text:
                found[key].append(row)
            elif (owners := asked.owners(key)) is None:
                unkeyed += 1
            else:
                for code in owners:
                    found[code.text].append(row)
        if turn.is_over():
            await turn.pass_on()
    return found, unkeyed


def _companies(asked: Asked, keys: Iterable[str]) -> frozenset[str]:
    """The codes, as text, of those asked companies that have one of the keys."""
    return frozenset([code.text for key in keys for code in asked.owners(key) or ()])
