"""The connection of the kinds that speak HTTP, as a manifest writes it, and the lane that serves it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from connectors.errors import AddressInvalid
from connectors.fast_lane import FastLane
from connectors.http import HttpClient
from connectors.httpx_lane import HttpxLane
from connectors.lane import OK, Bodies, can_be_header, with_defaults
from connectors.manifest import Manifest, Part, Reference
from connectors.settings import SupplySettings

_JSON: Final = "application/json"
_OWN_HEADERS: Final = frozenset({"accept-encoding", "connection", "content-length", "transfer-encoding"})
"""What says how a message is carried is the lane's to say."""


class HttpConnection(Part):
    """Where the agency listens, and what it wants in each request's headers."""

    url: Reference = Field(description="The address, by reference: ${NAME}. http or https.")
    headers: dict[str, Reference] = Field(default_factory=dict, description="Each value holds a ${NAME}.")
    lane: Literal["fast", "httpx"] = Field(
        default="fast", description="httpx: for an agency that compresses its answers unasked."
    )


def open_client(
    manifest: Manifest,
    connection: HttpConnection,
    settings: SupplySettings,
    *,
    accept: str = _JSON,
    read: frozenset[int] = frozenset({OK}),
) -> HttpClient:
    """The client of an agency whose references were resolved.

    `accept` is the media type that it asks for, `read` has the statuses whose bodies it reads. Raises `AddressInvalid`.
    """
    address = _address(connection.url)
    _check_headers(connection.headers)
    usual = address.username is None and address.netloc.isascii()
    lane = (FastLane if usual and connection.lane == "fast" else HttpxLane)(
        f"{address.scheme}://{address.netloc}",
        with_defaults(connection.headers, {"Accept": accept, "User-Agent": "xinqiao"}),
        connections=manifest.concurrency,
        bodies=Bodies(settings.largest_answer, read),
        tls=ssl.create_default_context() if address.scheme == "https" else None,
    )
    typed = any(name.lower() == "content-type" for name in connection.headers)
    return HttpClient(lane, address.path, {} if typed else {"Content-Type": _JSON})


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable or address.query or address.fragment or not address.netloc.isprintable() or " " in address.netloc:
        raise AddressInvalid("url", "an http or https address without query and fragment")
    return address


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if name.lower() in _OWN_HEADERS:
            raise AddressInvalid(f"headers.{name}", "for a manifest to set: leave it out")
        if not can_be_header(name, value):
            raise AddressInvalid(f"headers.{name}", "printable ASCII")
