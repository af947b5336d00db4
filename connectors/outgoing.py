"""A request as it leaves for an agency."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from msgspec.structs import replace


class Outgoing(msgspec.Struct, frozen=True):
    """A request, ready to be sent: `path` and `query` percent-encoded, `headers` its own; `idempotent` where it may be
    sent twice. Never shown: it may hold secrets.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    idempotent: bool = True

    def __repr__(self) -> str:
        """Nothing of what it holds."""
        return "Outgoing(**********)"

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def with_header(self, name: str, value: str) -> Outgoing:
        """The request with this header."""
        return replace(self, headers={**self.headers, name: value})

    def with_parameter(self, name: str, value: str) -> Outgoing:
        """The request with this parameter after the others of its query."""
        parameter = f"{quote(name, safe='')}={quote(value, safe='')}"
        return replace(self, query=f"{self.query}&{parameter}" if self.query else parameter)

    def with_field(self, name: str, value: str) -> Outgoing:
        """The request, whose body is a form, with this field after the others."""
        field = f"{quote(name, safe='')}={quote(value, safe='')}".encode()
        return replace(self, body=self.body + b"&" + field if self.body else field)
