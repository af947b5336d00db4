"""Pages of an answer: by number, by offset, or by a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec
from pydantic import Field, model_validator

from connectors.amounts import read_integer
from connectors.contract import RawRow
from connectors.converters import BOOLEANS
from connectors.envelope import Code
from connectors.http import bad_response
from connectors.manifest import Name, Part
from connectors.paths import MISSING, Listing, follow


class Paging(Part):
    """Exactly one way from page to page; and how an answer says that it is the last, or how many rows there are."""

    page: Name | None = Field(default=None, description="Parameter with the page's number.")
    offset: Name | None = Field(default=None, description="Parameter with the number of rows before the page.")
    cursor: Name | None = Field(default=None, description="Parameter with what the answer before had at next.")
    next: Name | None = Field(default=None, description="cursor: path to the next page's; nothing there on the last.")
    none: tuple[Code, ...] = Field(
        default=(),
        description="Further texts, in the place of what leads to the next page, that mean that there is none.",
    )
    size: Name | None = Field(default=None, description="Parameter with the rows of a page.")
    items: int = Field(default=100, ge=1, le=10_000, description="Rows of a page.")
    first: int | str | None = Field(
        default=None, description="What the first page is asked by: page 1, offset 0, no cursor, unless it says so."
    )
    total: Name | None = Field(default=None, description="Path to the number of all rows.")
    total_pages: Name | None = Field(default=None, alias="totalPages", description="Path to the number of pages.")
    more: Name | None = Field(default=None, description="Path to whether there are more pages.")
    last: Name | None = Field(default=None, description="Path to whether this is the last page.")
    pages: int = Field(default=50, ge=1, le=1000, description="Most pages of one call.")

    @property
    def ways(self) -> Mapping[str, bool]:
        """The ways from page to page that there are, and whether each is declared."""
        return {name: bool(getattr(self, name)) for name in ("page", "offset", "cursor")}

    @property
    def counted(self) -> bool:
        """Whether pages are asked for by a number that is known without the page before."""
        return self.page is not None or self.offset is not None

    @property
    def read(self) -> tuple[Name | None, ...]:
        """The paths at which answers tell of further pages."""
        return (self.next, self.total, self.total_pages, self.more, self.last)

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters that say which page is asked for."""
        return frozenset(name for name in (self.page, self.offset, self.cursor, self.size) if name)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        *others, last = self.ways
        if sum(self.ways.values()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(others)} and {last}")
        if (self.cursor is None) != (self.next is None):
            raise ValueError("next: goes with cursor, which needs it")
        if self.cursor is None and isinstance(self.first, str):
            raise ValueError("first: is a number, unless it is a cursor")
        if not self.counted and self.total_pages:
            raise ValueError("totalPages: goes with page or offset")
        if self.counted and self.none:
            raise ValueError(
                f"none: goes with {' or '.join(way for way in self.ways if way not in {'page', 'offset'})}"
            )
        if sum(end is not None for end in (self.total, self.total_pages, self.more, self.last)) > 1:
            raise ValueError("needs at most one of total, totalPages, more and last")
        return self


class Position(msgspec.Struct, frozen=True):
    """By what one page is asked: parameters, or a path and query in place of the first page's."""

    parameters: Mapping[str, str | int] = msgspec.field(default_factory=dict)
    target: str | None = None


class Pages:
    """The way through the pages of one list."""

    def __init__(self, paging: Paging, place: str) -> None:
        """`place` names the call in errors."""
        self._paging = paging
        self._place = place
        self._number = 0
        self._read = 0
        self._rows: Sequence[RawRow] = ()
        self._cursor = paging.first
        self._passed: set[str] = set() if paging.first is None else {str(paging.first)}

    def first(self) -> Position:
        """The first page."""
        return self._position()

    def after(self, document: object, listing: Listing) -> Position | None:
        """The page after the one that brought this; None where that was the last.

        Raises `AgencyFailure` where it cannot be told.
        """
        self._count(listing)
        paging = self._paging
        if paging.next is not None:
            return self._pointed(document, follow(document, paging.next), listing)
        if self._is_last(document, listing):
            return None
        if len(listing.rows) > 1 and listing.rows == self._rows:
            raise bad_response(self._place, f"page {self._number} is the one before: is it asked for by its parameter?")
        self._rows = listing.rows
        return self._position()

    def falls_short(self, document: object) -> bool:
        """Whether fewer rows came than the agency says that there are; it need not say that there are none."""
        total = self._paging.total
        if total is None or (self._read == 0 and _is_nothing(follow(document, total))):
            return False
        return self._read < self._number_at(document, total)

    def _count(self, listing: Listing) -> None:
        self._number += 1
        self._read += listing.items

    def _position(self) -> Position:
        paging = self._paging
        parameters: dict[str, str | int] = {}
        if paging.page is not None:
            parameters[paging.page] = int(1 if paging.first is None else paging.first) + self._number
        elif paging.offset is not None:
            # Where pages are shorter than they were asked to be, none of the rows between them may be passed over.
            parameters[paging.offset] = int(paging.first or 0) + min(self._read, self._number * paging.items)
        elif paging.cursor is not None and self._cursor is not None:
            parameters[paging.cursor] = self._cursor
        if paging.size is not None:
            parameters[paging.size] = paging.items
        return Position(parameters)

    def _is_last(self, document: object, listing: Listing) -> bool:
        paging = self._paging
        if paging.more is not None or paging.last is not None:
            return not self._has_more(document)
        if listing.items == 0:
            return True
        if paging.total is not None and self._read <= (total := self._number_at(document, paging.total)):
            return self._read == total
        if paging.total_pages is not None:
            return self._number >= self._number_at(document, paging.total_pages)
        # More rows than the agency says that there are: what it says cannot be relied upon.
        return listing.items < paging.items

    def _has_more(self, document: object) -> bool:
        """What the answer itself says of whether there are more pages."""
        paging = self._paging
        if paging.more is not None:
            return self._flag_at(document, paging.more)
        return paging.last is None or not self._flag_at(document, paging.last)

    def _pointed(self, document: object, cursor: object, listing: Listing) -> Position | None:
        paging = self._paging
        says = paging.more is not None or paging.last is not None
        if says and not self._has_more(document):
            return None
        if says and self._is_end(cursor):
            raise bad_response(self._place, f"no cursor at {paging.next}, though there are more pages")
        if not says and (self._is_end(cursor) or self._is_first_again(cursor)):
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise bad_response(self._place, f"no cursor at {paging.next}")
        if self._cursor is not None and str(cursor) == str(self._cursor):
            # Some say by it that there is nothing more (Solr's cursorMark); elsewhere it would never end.
            if not says and self._is_short(document, listing):
                return None
            raise bad_response(self._place, f"the cursor at {paging.next} stays where it is")
        if str(cursor) in self._passed:
            raise bad_response(self._place, f"the cursor at {paging.next} leads back to a page that was read")
        self._cursor = cursor
        self._passed.add(str(cursor))
        return self._position()

    def _is_first_again(self, cursor: object) -> bool:
        """Whether the cursor is that of the first page, by which some say that all were read (Redis's SCAN): nought,
        unless the first page's is no number, or what the manifest says, once there was another.
        """
        text, first = str(cursor).strip(), self._paging.first
        if text == "0":
            return first is None or first == "" or str(first).removeprefix("-").isdecimal()
        return self._number > 1 and first is not None and text == str(first)

    def _is_short(self, document: object, listing: Listing) -> bool:
        """Whether the page itself shows that nothing comes after it."""
        paging = self._paging
        if listing.items == 0 or (paging.size is not None and listing.items < paging.items):
            return True
        return paging.total is not None and self._read >= self._number_at(document, paging.total)

    def _is_end(self, found: object) -> bool:
        """Whether there is no next page by what stands where its cursor or link would."""
        return _is_nothing(found) or found is False or str(found).strip() in {"", *self._paging.none}

    def _number_at(self, document: object, path: str) -> int:
        try:
            return read_integer(follow(document, path))
        except (ValueError, ArithmeticError):
            raise bad_response(self._place, f"no number at {path}") from None

    def _flag_at(self, document: object, path: str) -> bool:
        found = follow(document, path)
        flag = found if isinstance(found, bool) else BOOLEANS.get(str(found).strip().lower())
        if flag is None:
            raise bad_response(self._place, f"neither true nor false at {path}")
        return flag


def _is_nothing(found: object) -> bool:
    return found is MISSING or found is None or found == ""
