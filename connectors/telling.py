"""Which of an agency's rows say anything of what its manifest reads in them.

Where a row should be, an agency may have put an error, in whatever words: it has none of the row's places. It must not
pass for a record of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import structs

from connectors.contract import KeyKind, RawRow
from connectors.errors import AgencyFailure
from connectors.http import bad_response
from connectors.keys import is_some_company, normal_key
from connectors.manifest import DatasetManifest
from connectors.paths import AROUND, ASKED_KEY, MISSING, Listing, follow, reader
from connectors.text import NOTHINGS, Nothings

_FIRST: Final = "0"
_ABOVE: Final = f"{AROUND}."


class Telling:
    """Takes what says nothing out of the rows of one dataset's answers.

    A row says something where it has a value at one of the paths that fields are filled from, or has a place, empty or
    not, by which the manifest tells whether rows count. What stands around a row says nothing of it. A dataset whose
    fields are all constant, or are all read from what is around the rows, takes any row.
    """

    def __init__(self, dataset: DatasetManifest, nothings: Iterable[str], place: str) -> None:
        """`nothings` are the agency's own words for none; `place` names the call in errors."""
        paths = frozenset[str]().union(*(mapping.paths(nested=True) for mapping in dataset.fields.values()))
        self._values = [reader(path, nested=True) for path in sorted(paths) if not path.startswith(_ABOVE)]
        self._places = sorted(path for path in dataset.chosen_by if not path.startswith(_ABOVE))
        self.names: Final = frozenset(
            path.partition(".")[0] for path in {*paths, *self._places, dataset.key.path} if path
        )
        """The first steps of all that is read."""
        steps = {path.partition(".")[0].partition("[")[0] for path in paths.union(self._places)} - {AROUND}
        # What the key is read from is in an error that says whose it is, too; a row is the first of itself.
        self._own: Final = set() if _FIRST in steps else steps - {(dataset.key.path or "").partition(".")[0]}
        self._key = None if dataset.key.path is None else reader(dataset.key.path, nested=True)
        self._kind = dataset.key.kind
        self._words = Nothings(NOTHINGS.union(nothings))
        self._place = place

    def says(self, row: RawRow) -> bool:
        """Whether the row says anything."""
        has = self._words.has
        return any(not has(read(row)) for read in self._values) or any(
            follow(row, path) is not MISSING for path in self._places
        )

    def sift(self, listing: Listing, *, alone: bool = False) -> Listing:
        """The listing without rows that say nothing, which it counts as dropped.

        Rows that say whose they are stay, if they have any of the places, empty as these may be; without one, it is the
        company that has `failed`. A row that is `alone`, the whole answer, has to say more: an error may repeat the
        key. Raises `AgencyFailure` where no row says anything.
        """
        rows = listing.rows
        if not rows or not self._values:
            return listing
        if self._key is not None and not alone:
            return self._sift_keyed(listing, self._key)
        telling = list(filter(self.says, rows))
        if not telling:
            raise self._nothing()
        dropped = len(rows) - len(telling)
        return structs.replace(listing, rows=telling, dropped=listing.dropped + dropped) if dropped else listing

    def _sift_keyed(self, listing: Listing, key: Callable[[RawRow], object]) -> Listing:
        rows, has = listing.rows, self._words.has
        if all(has(key(row)) for row in rows) and not any(map(self.says, rows)):
            raise self._nothing()
        strange = [row for row in rows if self._own.isdisjoint(row)] if self._own else []
        failed = frozenset(str(found) for row in strange if not has(found := key(row)))
        # Rows of nobody are counted when rows are joined.
        return structs.replace(listing, failed=listing.failed | failed) if failed else listing

    def sift_companies(self, listing: Listing) -> Listing:
        """The listing, whose rows carry their companies' keys. A company one of whose rows says nothing has `failed`.

        Raises `AgencyFailure` where there are rows, and none is of a company.
        """
        rows = listing.rows
        if not rows or not self._values:
            return listing
        if self._kind is KeyKind.NAME:
            return self.sift(listing)
        companies = {key for key in {row[ASKED_KEY] for row in rows} if self._is_company(key)}
        if not companies and not listing.seen and not listing.failed:
            raise self._nothing()
        failed = companies.intersection(row[ASKED_KEY] for row in rows if not self.says(row))
        return structs.replace(listing, failed=listing.failed | failed) if failed else listing

    def failures(self, keys: Iterable[str]) -> dict[str, AgencyFailure]:
        """The failures of companies about which nothing is said in the place of their rows."""
        return {key: self._nothing() for key in keys}

    def _is_company(self, key: str) -> bool:
        normal = normal_key(key) or ""
        # An organisation code may be nine letters, as "exception" is; in practice it never is.
        return any(map(str.isdigit, normal)) and is_some_company(normal, self._kind)

    def _nothing(self) -> AgencyFailure:
        return bad_response(
            self._place, "what stands where rows should is null, or has none of the places that fields read"
        )
