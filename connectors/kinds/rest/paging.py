"""Pages by links from one to the next, in answers or in their headers, beside the ways that all kinds have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Self
from urllib.parse import quote, urljoin, urlsplit

from pydantic import Field, model_validator

from connectors.http import bad_response
from connectors.manifest import Name
from connectors.paging import Pages, Paging, Position
from connectors.paths import Listing, follow

_QUERY_CHARACTERS: Final = "/?%:@!$&'()*+,;="
"""What stands in a query as it is, beside letters and digits (RFC 3986, section 3.4), and what is encoded already."""
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION: Final = re.compile(r';\s*rel\s*=\s*"?([^";,]*)', re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}


class LinkedPaging(Paging):
    """Exactly one way from page to page; and how an answer says that it is the last, or how many rows there are."""

    link: Name | None = Field(default=None, description="Path to the address of the next page; nothing on the last.")
    link_header: bool = Field(
        default=False, alias="linkHeader", description="The header Link has the address of the next page."
    )

    @property
    def ways(self) -> Mapping[str, bool]:
        """The ways from page to page that there are, and whether each is declared."""
        return {**super().ways, "link": self.link is not None, "linkHeader": self.link_header}

    @property
    def follows_links(self) -> bool:
        """Whether each page but the first is asked by an address that the one before gave."""
        return self.link is not None or self.link_header

    @property
    def read(self) -> tuple[Name | None, ...]:
        """The paths at which answers tell of further pages."""
        return (*super().read, self.link)

    @model_validator(mode="after")
    def _links_end_by_themselves(self) -> Self:
        if self.follows_links and self.first is not None:
            raise ValueError("first: does not go with link")
        if self.follows_links and (self.more or self.last):
            raise ValueError("more, last: go with page, offset or cursor; links end by themselves")
        return self


class LinkedPages(Pages):
    """The way through the pages of one call."""

    def __init__(self, paging: LinkedPaging, address: str, place: str) -> None:
        """`address` is that of the first page, to which links must stay: scheme, host and port. `place` names the call
        in errors.
        """
        super().__init__(paging, place)
        self._links = paging
        self._address = address

    def following(self, document: object, listing: Listing, link: str) -> Position | None:
        """The page after the one that brought this, with this header `Link`; None where that was the last.

        Raises `AgencyFailure` where it cannot be told.
        """
        paging = self._links
        if not paging.follows_links:
            return self.after(document, listing)
        self._count(listing)
        if paging.link is None:
            return self._linked(next_link(link), "the header Link")
        return self._linked(follow(document, paging.link), paging.link)

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
