"""Where a request carries what shows whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from msgspec.structs import replace
from pydantic import BaseModel, Field

from connectors.errors import AddressInvalid
from connectors.lane import OWN_HEADERS, can_be_header
from connectors.manifest import Name, Part
from connectors.outgoing import Outgoing
from connectors.paths import follow


class Place(Part):
    """A header, a parameter of the query, a field of a form or a member of a JSON body (by its dotted path), and what
    precedes the value there.
    """

    place: Literal["header", "query", "form", "body"] = Field(default="header", alias="in")
    name: Name
    prefix: str = Field(default="", max_length=100)

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return frozenset({self.name.lower()} if self.place == "header" else ())

    def put(self, request: Outgoing, value: str) -> Outgoing:
        """The request with the value at this place."""
        match self.place:
            case "query":
                return request.with_parameter(self.name, self.prefix + value)
            case "form":
                return request.with_field(self.name, self.prefix + value)
            case "body":
                return request.with_member(self.name, self.prefix + value)
            case "header":
                return request.with_header(self.name, self.prefix + value)

    def holds(self, request: Outgoing, value: str) -> bool:
        """Whether the request was put this value."""
        if self.place == "body":
            return bool(follow(request.members(), self.name) == self.prefix + value)
        bare = replace(request, query="", headers={}, body=b"")
        carried = self.put(bare, value)
        there = request.query.endswith(carried.query) and request.body.endswith(carried.body)
        return there and carried.headers.items() <= request.headers.items()

    def check(self, key: str, value: str = "") -> None:
        """Raises `AddressInvalid` for a header that cannot have this name or value; `key` is its place in the
        connection.
        """
        if self.place == "header" and (
            self.name.lower() in OWN_HEADERS | {"host"} or not can_be_header(self.name, self.prefix + value)
        ):
            raise AddressInvalid(key, "a header that a manifest may set, in printable ASCII")


def places_in(value: object) -> Iterator[Place]:
    """Every place in a part of a manifest."""
    if isinstance(value, Place):
        yield value
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from places_in(inner)


BEARER: Final = Place.model_validate({"name": "Authorization", "prefix": "Bearer "})
"""Where a token goes (RFC 6750, section 2.1)."""
