"""Addresses of Redis-compatible stores, as an operator writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio.connection import parse_url

from connectors.environment import fill
from connectors.errors import ConnectionNotConfigured

_WANTED: Final = (
    "redis://[user:password@]host[:port][/number] or rediss://, with ssl_ca_certs, ssl_certfile, ssl_keyfile"
)
_PARTS: Final = frozenset(
    {"host", "port", "db", "username", "password", "connection_class", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
)


def connection_options(address: str, environment: Mapping[str, str], what: str) -> dict[str, Any]:
    """What redis-py needs to connect to an address, whose user and password may be `${NAME}`.

    Raises `ConnectionNotConfigured`, which says `what` the address is of and tells no value, where the address is none,
    or the environment lacks a name.
    """
    try:
        parts: dict[str, Any] = dict(parse_url(address))
    except ValueError:
        parts = {}
    if "host" not in parts or not parts.keys() <= _PARTS:
        raise ConnectionNotConfigured([f"{what}'s address is not {_WANTED}"])
    for part in parts.keys() & {"username", "password"}:
        parts[part] = fill(parts[part], environment, f"{what}'s {part}")
    return parts
