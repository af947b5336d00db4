"""One call's answer, company by company: rows joined by key, mapped, freed of duplicates, and given an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.as_of import constant_moment, latest_moment
from connectors.contract import CompanyRows, FailureCode, Outcome, RawRow, RecordShape, Row, SourceAnswer
from connectors.keys import by_key, is_some_company, normal_key
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import RowMapper
from connectors.paths import ASKED_KEY, reader
from schema.credit_code import CreditCode

RECORD_ID = "recordId"
"""The canonical field that tells duplicates: a control column, read whether it was asked for or not."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """How one dataset's answers are taken apart. `whole_rows` tells that the source gives rows with all their columns."""

    dataset: DatasetManifest
    shape: RecordShape
    mapper: RowMapper
    whole_rows: bool

    def columns(self, names: frozenset[str]) -> frozenset[str]:
        """The agency's columns that a call needs: those of the canonical fields asked for, and the control columns."""
        control = {self.dataset.key.path, self.dataset.as_of.column if self.dataset.as_of else None} - {None}
        ids = {RECORD_ID} & self.mapper.fields.keys()
        return self.mapper.columns(names | ids).union(path for path in control if path)

    def join(
        self, codes: Sequence[CreditCode], names: frozenset[str], answer: SourceAnswer
    ) -> dict[CreditCode, CompanyRows]:
        """What the answer says of each company asked for; `names` are the canonical fields that rows shall hold."""
        asked = by_key(codes)
        found, dropped = self._by_company(asked, answer.rows)
        dropped += answer.dropped
        unknown = _companies(asked, answer.unknown)
        named = _companies(asked, answer.seen)
        joined: dict[CreditCode, CompanyRows] = {}
        for code in codes:
            rows = found.get(code, [])
            as_of = answer.as_of or constant_moment(self.dataset.as_of)
            as_of = as_of or latest_moment(rows, self.dataset.as_of, nested=self.dataset.nested)
            mapped, unmapped = self._map(rows, names)
            said = CompanyRows(Outcome.ANSWERED, mapped, as_of=as_of)
            if not rows and code in unknown:
                joined[code] = _as(said, Outcome.UNKNOWN_COMPANY)
            elif unmapped or dropped or answer.truncated:
                joined[code] = _incomplete(said, unmapped + dropped, truncated=answer.truncated)
            elif not rows and code not in named:
                joined[code] = self._missing(said, alone=len(codes) == 1)
            else:
                joined[code] = said
        return joined
