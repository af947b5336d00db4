"""The documents of a WSDL: a copy beside the manifest, or what the agency gives at its own address, and nothing else.

What an agency's documents name elsewhere is never read: neither a schema's location nor a document type can make the
gateway call another address.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final, Protocol
from urllib.parse import urlsplit

from connectors.errors import ConnectionUnusable

LARGEST_DOCUMENT: Final = 8 * 1024 * 1024
"""Bytes of one document."""


class WsdlInvalid(ConnectionUnusable):
    """A WSDL that cannot be used, or that has not what the manifest asks of it."""

    code: ClassVar[str] = "WSDL_INVALID"


class Documents(Protocol):
    """Where the documents of a WSDL come from."""

    @property
    def first(self) -> str:
        """The place of the document to begin with."""
        ...

    def read(self, place: str) -> bytes:
        """The document at a place, which is absolute. Blocks. Raises `WsdlInvalid` where it is not to be read."""
        ...


class LocalDocuments:
    """A copy of a WSDL, and of what it imports, in one directory and those below it."""

    def __init__(self, path: Path) -> None:
        self.first = str(path.resolve())
        self._directory = path.resolve().parent

    def read(self, place: str) -> bytes:
        """As in `Documents`."""
        path = Path(place).resolve()
        if urlsplit(place).scheme or not path.is_relative_to(self._directory):
            raise WsdlInvalid("it imports a document from elsewhere: put a copy beside it, and import that")
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_DOCUMENT + 1)
        except OSError as error:
            raise WsdlInvalid(f"{path.name} cannot be read ({type(error).__name__})") from None
        if len(content) > LARGEST_DOCUMENT:
            raise WsdlInvalid(f"{path.name} is larger than {LARGEST_DOCUMENT} bytes")
        return content


class AgencyDocuments:
    """A WSDL at the agency's address, and what it imports from there."""

    def __init__(self, address: str, target: str, fetch: Callable[[str], bytes]) -> None:
        """`address` is scheme, host and port; `target` is path and query of the WSDL. `fetch` gives what is at a path
        and query of the address; it blocks.
        """
        self.first = address + target
        self._origin = urlsplit(address)[:2]
        self._fetch = fetch

    def read(self, place: str) -> bytes:
        """As in `Documents`."""
        parts = urlsplit(place)
        if parts[:2] != self._origin:
            raise WsdlInvalid("it imports a document from another address: keep a copy, and import that")
        return self._fetch(parts._replace(scheme="", netloc="", fragment="").geturl())
