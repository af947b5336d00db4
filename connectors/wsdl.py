"""What is asked of a WSDL, and where its documents come from: a copy beside the manifest, or the agency's own address.

What an agency's documents name elsewhere is never read: neither a schema's location nor a document type can make the
gateway call another address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import SplitResult, urlsplit

from connectors.errors import ConnectionUnusable, ConnectorError

_PORTS: Final = {"http": 80, "https": 443}

LARGEST_DOCUMENT: Final = 8 * 1024 * 1024
"""Bytes of one document."""


class WsdlInvalid(ConnectionUnusable):
    """A WSDL that cannot be used, or that has not what the manifest asks of it."""

    code: ClassVar[str] = "WSDL_INVALID"


Values = Mapping[str, Any]
"""Parts or elements of a message by name, nested as its schema says, with lists where elements are repeated."""


@dataclass(frozen=True, slots=True)
class UserToken:
    """The user token of WS-Security (OASIS, Username Token Profile 1.1.1), its password as it is or as a digest."""

    user: str
    password: str = field(repr=False)
    digest: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a WSDL: an operation, of the first port that has it, or of the one that is named.

    `headers` go into each envelope's header, by the name of the header's part or element in the WSDL, or as
    `{namespace}name` where it has none.
    """

    operation: str
    service: str | None = None
    port: str | None = None
    headers: Values = field(default_factory=dict, repr=False)
    token: UserToken | None = None


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


class NotYetRead(ConnectorError):
    """A document has to be had from the agency first. `target` is its path and query."""

    code: ClassVar[str] = "WSDL_NOT_YET_READ"

    def __init__(self, target: str) -> None:
        super().__init__("a document was not yet read")
        self.target = target


class AgencyDocuments:
    """A WSDL at the agency's address, and what it imports from there: as much of it as was read."""

    def __init__(self, address: str, target: str) -> None:
        """`address` is scheme, host and port; `target` is path and query of the WSDL."""
        self.address = address
        self.first = address + target
        self._origin = _origin(urlsplit(address))
        self.known: Final[dict[str, bytes]] = {}

    def read(self, place: str) -> bytes:
        """As in `Documents`. Raises `NotYetRead`, too."""
        parts = urlsplit(place)
        if _origin(parts) != self._origin:
            raise WsdlInvalid("it imports a document from another address: keep a copy, and import that")
        target = parts._replace(scheme="", netloc="", fragment="").geturl()
        if target not in self.known:
            raise NotYetRead(target)
        return self.known[target]


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: equal for equal addresses (RFC 6454, section 4)."""
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
