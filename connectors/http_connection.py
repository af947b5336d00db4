"""The connection of the kinds that speak HTTP, as a manifest writes it, and the lane that serves it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Literal, Protocol, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, model_validator

from connectors.authentication.open import Scheme, open_authenticator
from connectors.authentication.place import places_in
from connectors.errors import AddressInvalid
from connectors.fast_lane import FastLane
from connectors.http import HttpClient
from connectors.httpx_lane import HttpxLane
from connectors.lane import OK, OWN_HEADERS, Bodies, Lane, can_be_header, with_defaults
from connectors.manifest import Forward, Manifest, Part, Reference
from connectors.reach import Reach, literal
from connectors.settings import SupplySettings
from connectors.tls import CertificateLane, ClientTls, Tls

_JSON: Final = "application/json"
_EVERYWHERE: Final = frozenset({"header", "query"})
"""The places that every request has."""

_BODIES: Final = {"form": "are forms", "body": "have an object of JSON, in UTF-8, for a body"}
_HOLDS_NOTHING: Final[Mapping[str, bool]] = {}


class HttpConnection(Part):
    """Where the agency listens, and what it wants in each request's headers."""

    url: Reference = Field(description="The address, by reference: ${NAME}. http or https.")
    headers: dict[str, Reference] = Field(default_factory=dict, description="Each value holds a ${NAME}.")
    lane: Literal["fast", "httpx"] = Field(
        default="fast", description="httpx: for an agency that compresses its answers unasked."
    )
    tls: Tls = Field(default=Tls(), description="Whom to trust, and our certificate, for https.")
    auth: Scheme | None = Field(default=None, description="How each request shows whose it is.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.auth is not None and not self.auth.headers.isdisjoint(name.lower() for name in self.headers):
            raise ValueError("headers: auth sets one of them")
        if self.tls.certificate is None and (self.tls.key or self.tls.password):
            raise ValueError("tls: a key needs its certificate")
        return self


class HttpManifest(Protocol):
    """The manifest of a kind that speaks HTTP."""

    @property
    def connection(self) -> HttpConnection:
        """Where the agency listens."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        ...


def open_client(  # noqa: PLR0913  (what a kind wants of its connection)
    manifest: Manifest,
    connection: HttpConnection,
    settings: SupplySettings,
    *,
    accept: str = _JSON,
    holds: Mapping[str, bool] = _HOLDS_NOTHING,
    read: frozenset[int] = frozenset({OK}),
) -> HttpClient:
    """The client of an agency whose references were resolved.

    `accept` is the media type that it asks for. `holds` tells of the places in bodies whether all requests have them
    (`form`: they are forms; `body`: objects of JSON). `read` has the statuses whose bodies it reads. Raises
    `AddressInvalid`.
    """
    for place in places_in(connection.auth):
        if not holds.get(place.place, place.place in _EVERYWHERE):
            raise AddressInvalid("auth", f"for these requests: not all of them {_BODIES[place.place]}")
    _check_headers(connection.headers)
    if manifest.forward is not None:
        _check_forward(manifest.forward, connection)

    tls = ClientTls(connection.tls, settings.authorities)

    def open_lane(key: str, url: str, headers: Mapping[str, str]) -> tuple[Lane, str]:
        address = parse_address(key, url, settings.reach)
        usual = address.username is None and address.netloc.isascii()
        lane: Lane = (FastLane if usual and connection.lane == "fast" else HttpxLane)(
            f"{address.scheme}://{address.netloc}",
            with_defaults(headers, {"Accept": _JSON, "User-Agent": "xinqiao"}),
            connections=manifest.concurrency,
            bodies=Bodies(settings.largest_answer, read),
            tls=tls.context() if address.scheme == "https" else None,
            reach=settings.reach,
        )
        if tls.certificate is not None:
            lane = CertificateLane(lane, tls.certificate)
        return lane, address.path

    lane, path = open_lane("url", connection.url, with_defaults(connection.headers, {"Accept": accept}))
    authenticator = (
        open_authenticator(connection.auth, lambda key, url: open_lane(key, url, {}), manifest.timeout)
        if connection.auth
        else None
    )
    typed = any(name.lower() == "content-type" for name in connection.headers)
    body_headers = {} if typed else {"Content-Type": _JSON}
    carrier = settings.tracer.carrier(manifest.agency) if settings.tracer else None
    return HttpClient(lane, path, body_headers, authenticator, manifest.forward, watch=settings.watch, carrier=carrier)


async def connect(manifest: HttpManifest, settings: SupplySettings) -> None:
    """Connects to the agency of a manifest whose references were resolved, with our certificate where it has one, asks
    nothing, and lets go. Raises `AddressInvalid`, `LaneError`.
    """
    address = parse_address("url", manifest.connection.url, settings.reach)
    tls = ClientTls(manifest.connection.tls, settings.authorities)
    lane = FastLane(
        f"{address.scheme}://{address.netloc.rpartition('@')[2]}",
        {},
        connections=1,
        bodies=Bodies(settings.largest_answer),
        tls=tls.context() if address.scheme == "https" else None,
        reach=settings.reach,
    )
    await lane.connect(asyncio.get_running_loop().time() + manifest.timeout)


def parse_address(key: str, url: str, reach: Reach) -> SplitResult:
    """The parts of an address that may be reached. Raises `AddressInvalid`, which names the `key`."""
    try:
        address = urlsplit(url)
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable or address.query or address.fragment or not address.netloc.isprintable() or " " in address.netloc:
        raise AddressInvalid(key, "an http or https address without query and fragment")
    encrypted = address.scheme == "https"
    if not encrypted and not reach.plain:
        raise AddressInvalid(key, "https: without TLS no network may be reached")
    digits = literal(address.hostname or "")
    if digits and not reach.allows(digits, encrypted=encrypted):
        raise AddressInvalid(key, "an address that may be reached" + ("" if encrypted else " without TLS"))
    return address


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if name.lower() in OWN_HEADERS:
            raise AddressInvalid(f"headers.{name}", "for a manifest to set: leave it out")
        if not can_be_header(name, value):
            raise AddressInvalid(f"headers.{name}", "printable ASCII")


def _check_forward(forward: Forward, connection: HttpConnection) -> None:
    taken = OWN_HEADERS | {"host", "content-type"} | {name.lower() for name in connection.headers}
    taken |= connection.auth.headers if connection.auth else frozenset()
    if not forward.headers.isdisjoint(taken) or not all(can_be_header(name, "") for name in forward.headers):
        raise AddressInvalid("headers", "apart from those of forward, which must be other headers")
