"""One call's answer, company by company: rows joined by key, mapped, freed of duplicates, and given an outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.as_of import constant_moment, latest_moment
from connectors.contract import CompanyRows, FailureCode, Outcome, RawRow, RecordShape, Row, SourceAnswer
from connectors.keys import by_key, is_some_company, normal_key
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import ReadRow, RowMapper
from connectors.paths import AROUND, ASKED_KEY, reader
from schema.credit_code import CreditCode

RECORD_ID = "recordId"
"""The canonical field that tells duplicates: a control column, read whether it was asked for or not."""

_AS_UNEQUAL_AS_DIFFERENT: Final = {str, type(None)}
"""Types of values that are equal only where they are the same: True equals 1, and 0.0 equals -0.0."""


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

    def join(self, codes: Sequence[CreditCode], names: frozenset[str], answer: SourceAnswer) -> Joined:
        """What the answer says of each company asked for; `names` are the canonical fields that rows shall hold."""
        asked = by_key(codes)
        rows, unkeyed = _by_company(asked, answer.rows, self.dataset)
        unknown, named = _companies(asked, answer.unknown), _companies(asked, answer.seen)
        anybodys = unkeyed + answer.dropped
        read_row = self.mapper.row_reader(names)
        as_of = answer.as_of or constant_moment(self.dataset.as_of)
        joined: dict[CreditCode, CompanyRows] = {}
        for code in codes:
            own = rows.get(code.text, ())
            mapped, unreadable, surplus = self._map(self._distinct(own), read_row)
            unmapped = sum(map(len, unreadable.values())) + surplus + anybodys
            whole = not unmapped and not answer.truncated
            known = bool(own) or code.text in named
            joined[code] = CompanyRows(
                self._outcome(known=known, unknown=not own and code.text in unknown, whole=whole),
                mapped,
                as_of=as_of or latest_moment(own, self.dataset.as_of, nested=self.dataset.nested),
                failure=self._failure(known=known or code.text in unknown, truncated=answer.truncated),
                unmapped=unmapped,
                unreadable=unreadable,
            )
        return Joined(joined, whole=not anybodys and not answer.truncated)

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

    def _map(
        self, raw_rows: Sequence[RawRow], read_row: ReadRow
    ) -> tuple[tuple[Row, ...], Mapping[int, frozenset[str]], int]:
        """The mapped rows; the fields that could not be mapped, by row; and how many rows the type cannot have."""
        rows: list[Row] = []
        unreadable: dict[int, frozenset[str]] = {}
        for raw in raw_rows:
            row, failed = read_row(raw)
            if failed:
                unreadable[len(rows)] = failed
            rows.append(row)
        surplus = max(len(rows) - 1, 0) if self.shape.single else 0
        return tuple(rows[: len(rows) - surplus]), unreadable, surplus

    def _distinct(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """The rows without duplicates.

        A duplicate has a record id that was there before; without record ids, it is alike in all columns that the
        agency has. Rows that are only alike in the columns asked for are different records.
        """
        if len(rows) <= 1:
            return rows
        distinct: list[RawRow] = []
        seen: set[object] = set()
        for raw in rows:
            identity = self._identity(raw)
            if identity is None or identity not in seen:
                seen.add(identity)
                distinct.append(raw)
        return distinct

    def _identity(self, raw: RawRow) -> object:
        if RECORD_ID in self.mapper.fields:
            record_id = self.mapper.row_reader((RECORD_ID,))(raw)[0][RECORD_ID]
            if record_id is not None:
                return record_id
        return _content(raw) if self.whole_rows else None


def _content(raw: RawRow) -> object:
    """Equal for rows that are alike in all of the agency's columns: names, their order, values and their types."""
    columns = tuple([column for column in raw.items() if not column[0].startswith(AROUND)])
    return columns if {type(value) for _, value in columns} <= _AS_UNEQUAL_AS_DIFFERENT else repr(columns)


def _by_company(
    asked: Mapping[str, Sequence[CreditCode]], rows: Iterable[RawRow], dataset: DatasetManifest
) -> tuple[Mapping[str, Sequence[RawRow]], int]:
    """The rows of each company asked for, by the text of its code, and how many rows may be anybody's.

    Those of other companies are left out.
    """
    key_of = (
        reader(ASKED_KEY, nested=False) if dataset.key.path is None else reader(dataset.key.path, nested=dataset.nested)
    )
    found: dict[str, list[RawRow]] = defaultdict(list)
    unkeyed = 0
    for row in rows:
        raw = key_of(row)
        # Most keys come back as they were asked.
        key = raw if isinstance(raw, str) and raw in asked else normal_key(raw)
        if key is None or (key not in asked and not is_some_company(key)):
            unkeyed += 1
        for code in asked.get(key or "", ()):
            found[code.text].append(row)
    return found, unkeyed


def _companies(asked: Mapping[str, Sequence[CreditCode]], keys: Iterable[str]) -> frozenset[str]:
    """The codes, as text, of those asked companies that have one of the keys."""
    return frozenset(code.text for key in keys for code in asked.get(normal_key(key) or "", ()))
