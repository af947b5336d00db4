"""Pages: by number, by offset, by a cursor, or by links from one to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Self
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from pydantic import Field, model_validator

from connectors.amounts import read_integer
from connectors.contract import RawRow
from connectors.converters import BOOLEANS
from connectors.envelope import Code
from connectors.http import bad_response
from connectors.manifest import Name, Part
from connectors.paths import MISSING, Listing, follow

_QUERY_CHARACTERS: Final = "/?%:@!$&'()*+,;="
"""What stands in a query as it is, beside letters and digits (RFC 3986, section 3.4), and what is encoded already."""
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION: Final = re.compile(r';\s*rel\s*=\s*"?([^";,]*)', re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}


class Paging(Part):
    """Exactly one way from page to page; and how an answer says that it is the last, or how many rows there are."""

    page: Name | None = Field(default=None, description="Parameter with the page's number.")
    offset: Name | None = Field(default=None, description="Parameter with the number of rows before the page.")
    cursor: Name | None = Field(default=None, description="Parameter with what the answer before had at next.")
    next: Name | None = Field(default=None, description="cursor: path to the next page's; nothing there on the last.")
    link: Name | None = Field(default=None, description="Path to the address of the next page; nothing on the last.")
    link_header: bool = Field(
        default=False, alias="linkHeader", description="The header Link has the address of the next page."
    )
    none: tuple[Code, ...] = Field(
        default=(), description="cursor, link: further texts there that mean that there is no next page."
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
    def follows_links(self) -> bool:
        """Whether each page but the first is asked by an address that the one before gave."""
        return self.link is not None or self.link_header

    @property
    def read(self) -> tuple[Name | None, ...]:
        """The paths at which answers tell of further pages."""
        return (self.next, self.link, self.total, self.total_pages, self.more, self.last)

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters that say which page is asked for."""
        return frozenset(name for name in (self.page, self.offset, self.cursor, self.size) if name)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if sum(map(bool, (self.page, self.offset, self.cursor, self.link, self.link_header))) != 1:
            raise ValueError("needs exactly one of page, offset, cursor, link and linkHeader")
        if (self.cursor is None) != (self.next is None):
            raise ValueError("next: goes with cursor, which needs it")
        if self.follows_links and self.first is not None:
            raise ValueError("first: does not go with link")
        if self.cursor is None and isinstance(self.first, str):
            raise ValueError("first: is a number, unless it is a cursor")
        counted = self.page is not None or self.offset is not None
        if not counted and self.total_pages:
            raise ValueError("totalPages: goes with page or offset")
        if self.follows_links and (self.more or self.last):
            raise ValueError("more, last: go with page, offset or cursor; links end by themselves")
        if counted and self.none:
            raise ValueError("none: goes with cursor or link")
        if sum(end is not None for end in (self.total, self.total_pages, self.more, self.last)) > 1:
            raise ValueError("needs at most one of total, totalPages, more and last")
        return self


class Position(msgspec.Struct, frozen=True):
    """By what one page is asked: parameters, or a path and query in place of the first page's."""

    parameters: Mapping[str, str | int] = msgspec.field(default_factory=dict)
    target: str | None = None


class Pages:
    """The way through the pages of one call."""

    def __init__(self, paging: Paging, address: str, place: str) -> None:
        """`address` is that of the first page, to which links must stay: scheme, host and port. `place` names the call
        in errors.
        """
        self._paging = paging
        self._address = address
        self._place = place
        self._number = 0
        self._read = 0
        self._rows: Sequence[RawRow] = ()
        self._cursor = paging.first
        self._passed: set[str] = set() if paging.first is None else {str(paging.first)}

    def first(self) -> Position:
        """The first page."""
        return self._position()

    def after(self, document: object, listing: Listing, link: str) -> Position | None:
        """The page after the one that brought this, with this header `Link`; None where that was the last.

        Raises `AgencyFailure` where it cannot be told.
        """
        self._number += 1
        self._read += listing.items
        paging = self._paging
        if paging.link_header:
            return self._linked(next_link(link), "the header Link")
        if paging.link is not None:
            return self._linked(follow(document, paging.link), paging.link)
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

    def _position(self) -> Position:
        paging = self._paging
        parameters: dict[str, str | int] = {}
        if paging.page is not None:
            parameters[paging.page] = int(1 if paging.first is None else paging.first) + self._number
        elif paging.offset is not None:
            parameters[paging.offset] = int(paging.first or 0) + self._number * paging.items
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
        if self._is_end(cursor) or self._is_first_again(cursor):
            if says:
                raise bad_response(self._place, f"no cursor at {paging.next}, though there are more pages")
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

    def _linked(self, link: object, where: str) -> Position | None:
        if self._is_end(link):
            return None
        if not isinstance(link, str):
            raise bad_response(self._place, f"no link at {where}")
        target = target_within(self._address, link)
        if target is None:
            raise bad_response(self._place, f"the link at {where} leads elsewhere")
        if target == self._cursor:
            raise bad_response(self._place, f"the link at {where} stays where it is")
        self._cursor = target
        return Position(target=target)

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


def next_link(header: str) -> str | None:
    """The address in a header `Link` (RFC 8288, section 3) whose relation is `next`, None where there is none."""
    for found in _LINK.finditer(header):
        relation = _RELATION.search(found[2])
        if relation and "next" in relation[1].lower().split():
            return found[1]
    return None


def target_within(address: str, link: str) -> str | None:
    """The path and query of a link, taken from `address`, where it has that one's scheme, host and port; else None.

    Links come out of answers: no agency's may lead to where its manifest may not.
    """
    try:
        home, there = urlsplit(address), urlsplit(urljoin(address, link.strip()))
        same = _origin(home.scheme, home.hostname, home.port) == _origin(there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    if not same or "@" in there.netloc or not there.path.startswith("/"):
        return None
    query = quote(there.query, safe=_QUERY_CHARACTERS)
    return f"{there.path}?{query}" if query else there.path


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int | None]:
    return scheme.lower(), (host or "").lower(), port or _PORTS.get(scheme.lower())
