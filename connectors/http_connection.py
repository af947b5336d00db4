"""The connection of the kinds that speak HTTP, as a manifest writes it."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field

from connectors.errors import AddressInvalid
from connectors.http import HttpClient
from connectors.manifest import Manifest, Part, Reference
from connectors.settings import SupplySettings


class HttpConnection(Part):
    """Where the agency listens, and what it wants in each request's headers."""

    url: Reference = Field(description="The address, by reference: ${NAME}. http or https.")
    headers: dict[str, Reference] = Field(default_factory=dict, description="Each value holds a ${NAME}.")


def open_client(manifest: Manifest, connection: HttpConnection, settings: SupplySettings) -> HttpClient:
    """The client of an agency whose references were resolved. Raises `AddressInvalid`."""
    try:
        address = urlsplit(connection.url)
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable or address.query or address.fragment:
        raise AddressInvalid("url", "an http or https address without query and fragment")
    for name, value in connection.headers.items():
        if not (value.isascii() and value.isprintable()):
            raise AddressInvalid(f"headers.{name}", "printable ASCII")
    return HttpClient(
        connection.url, connection.headers, connections=manifest.concurrency, largest=settings.largest_answer
    )
