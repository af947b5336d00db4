"""One call's answer, company by company: rows joined by key, mapped, freed of duplicates, and given an outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, chain
from typing import Final

import msgspec
from cachetools import LRUCache

from connectors.as_of import constant_moment, latest_moments
from connectors.choosing import choose_rows
from connectors.columns import ReadAll
from connectors.contract import (
    CompanyKey,
    CompanyRows,
    FailureCode,
    Outcome,
    RawRow,
    RecordShape,
    Row,
    SourceAnswer,
)
from connectors.duplicates import RECORD_ID, without_duplicates
from connectors.keys import Asked
from connectors.manifest import DatasetManifest, MissingMeans
from connectors.mapping import MANY_ROWS, RowMapper
from connectors.turns import Turn

FEW_COMPANIES: Final = 32
"""So many companies are joined in a moment."""

COLUMN_SETS: Final = 64
"""Of so many sets of fields a dataset remembers which columns they need: plans ask for few."""

_Tell = Callable[[str, tuple[Row, ...], datetime | None, Mapping[int, frozenset[str]]], CompanyRows]
"""From a company's code, its rows, the date of its data and what could not be read, by row, to what is said of it."""


class Joined(msgspec.Struct, frozen=True):
    """One call's answer by company. `whole` tells that nothing is missing from it that may be of any of them. `mapped`
    and `dropped` are numbers of rows, `unreadable` of values.
    """

    companies: Mapping[CompanyKey, CompanyRows]
    whole: bool
    mapped: int = 0
    dropped: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Joiner:
    """How one dataset's answers are taken apart. `whole_rows` tells that rows come with all the agency's columns."""

    dataset: DatasetManifest
    shape: RecordShape
    mapper: RowMapper
    whole_rows: bool
    _columns: LRUCache[frozenset[str], frozenset[str]] = field(
        default_factory=lambda: LRUCache(COLUMN_SETS), repr=False
    )

    def columns(self, names: frozenset[str]) -> frozenset[str]:
        """The agency's columns that a call needs: those of the canonical fields asked for, and the control columns."""
        columns = self._columns.get(names)
        if columns is None:
            ids = {RECORD_ID} & self.mapper.fields.keys()
            columns = self.mapper.columns(names | ids).union(self.dataset.chosen_by, self.dataset.control_paths)
            self._columns[names] = columns
        return columns

    async def join(
        self,
        codes: Sequence[CompanyKey],
        names: frozenset[str],
        answer: SourceAnswer,
        not_older_than: datetime | None = None,
    ) -> Joined:
        """What the answer says of each company asked for, and from when at the earliest; `names` are the canonical
        fields that rows shall hold.

        A large answer leaves others their turn on the event loop.
        """
        turn = Turn()
        if len(codes) > FEW_COMPANIES:
            await turn.take()
        asked = Asked(codes, self.dataset.key.kind)
        rows, unkeyed = await _by_company(asked, answer.rows, self.mapper.keys, turn)
        # What failed of nobody in particular may be anybody's, as a row may.
        unkeyed += sum(asked.owners(key) is None for key in answer.failed)
        chosen, unclear = await choose_rows(rows, self.mapper.counts, turn)
        distinct = await without_duplicates(chosen, self.mapper, turn, whole_rows=self.whole_rows)
        owns = [distinct.get(code, ()) for code in codes]
        mapped = await self.mapper.read(list(chain.from_iterable(owns)), names, turn)
        found, unreadable = tuple(mapped.rows), mapped.unreadable
        ends = list(accumulate(map(len, owns)))
        places = list(zip(codes, owns, [0, *ends], ends, strict=False))
        whole = not unkeyed and not answer.dropped and not answer.truncated
        plain, single = whole and not unreadable and not unclear and not answer.failed, self.shape.single
        constant = answer.as_of or constant_moment(self.dataset.as_of)
        moment = None if constant else latest_moments(self.dataset.as_of, nested=self.dataset.nested)
        tell: _Tell | None = None
        joined: dict[CompanyKey, CompanyRows] = {}
        for first in range(0, len(places), MANY_ROWS):
            for code, own, start, end in places[first : first + MANY_ROWS]:
                as_of = moment(rows.get(code, ())) if moment else constant
                if plain and (len(own) == 1 or (own and not single)):
                    joined[code] = CompanyRows(Outcome.ANSWERED, found[start:end], as_of, not_older_than)
                else:
                    tell = tell or self._teller(asked, answer, unkeyed, rows.keys(), unclear, not_older_than)
                    joined[code] = tell(code, found[start:end], as_of, _between(unreadable, start, end))
            if turn.is_over():
                await turn.pass_on()
        unread = sum(map(len, unreadable.values())) if unreadable else 0
        return Joined(joined, whole, len(found), unkeyed + answer.dropped, unread)

    def _teller(  # noqa: PLR0913, PLR0917  (what may have become of a company)
        self,
        asked: Asked,
        answer: SourceAnswer,
        unkeyed: int,
        there: Collection[str],
        unclear: Mapping[str, int],
        not_older_than: datetime | None,
    ) -> _Tell:
        """How a company fared whose rows are these; it is `there` where it had rows, whether they count or not, and of
        some that is `unclear`.
        """
        anybodys, truncated, single = unkeyed + answer.dropped, answer.truncated, self.shape.single
        unknown, named = _companies(asked, answer.unknown), _companies(asked, answer.seen)
        failed = {str(code): failure for key, failure in answer.failed.items() for code in asked.owners(key) or ()}

        def tell(
            text: str, rows: tuple[Row, ...], as_of: datetime | None, unreadable: Mapping[int, frozenset[str]]
        ) -> CompanyRows:
            if text in failed:
                return CompanyRows(Outcome.FAILED, failure=failed[text].failure, retryable=failed[text].retryable)
            surplus = len(rows) - 1 if single and len(rows) > 1 else 0
            unmapped = sum(map(len, unreadable.values())) + surplus + anybodys + unclear.get(text, 0)
            known = bool(rows) or text in named or text in there
            whole = not unmapped and not truncated
            outcome = self._outcome(known=known, unknown=not rows and text in unknown, whole=whole)
            return CompanyRows(
                outcome,
                rows[: len(rows) - surplus],
                as_of,
                None if outcome is Outcome.FAILED else not_older_than,
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


def _between(unreadable: Mapping[int, frozenset[str]], start: int, end: int) -> Mapping[int, frozenset[str]]:
    """What could not be read of the rows from `start` on, before `end`."""
    return (
        {}
        if not unreadable
        else {index - start: unreadable[index] for index in range(start, end) if index in unreadable}
    )


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
                    found[code].append(row)
        if turn.is_over():
            await turn.pass_on()
    return found, unkeyed


def _companies(asked: Asked, keys: frozenset[str]) -> frozenset[str]:
    """The codes, as text, of those asked companies that have one of the keys."""
    return frozenset([code for key in keys for code in asked.owners(key) or ()]) if keys else frozenset()
