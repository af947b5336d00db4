"""A request as it leaves for an agency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from connectors.paths import put

write_json: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""JSON as it is sent."""


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

    def with_member(self, path: str, value: str) -> Outgoing:
        """The request, whose body is an object of JSON, with this member at a dotted path. Raises `ValueError`."""
        document = self.members()
        put(document, path, value)
        return replace(self, body=write_json(document).encode())

    def members(self) -> dict[str, Any]:
        """The members of its body, which is an object of JSON. Raises `ValueError`."""
        document = json.loads(self.body) if self.body else {}
        return dict(document)
