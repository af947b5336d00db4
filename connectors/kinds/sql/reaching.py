"""Which databases a manifest may reach: by the operator's rules, as other addresses."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.util import await_only

from connectors.errors import AddressInvalid
from connectors.reach import Reach, literal, reachable, reachable_blocking

_PLACES: Final = frozenset({"dsn", "host", "hostaddr", "https_proxy", "port", "server", "unix_socket"})
"""What drivers take from an address's query for where the database is."""

_SOCKETS: Final = frozenset({"host", "unix_socket"})
"""Those of them that may be the path of a socket on this machine: PostgreSQL's and MySQL's."""

_THIS_MACHINE: Final = "127.0.0.1"


def check_address(url: URL, reach: Reach, *, encrypted: bool) -> None:
    """Raises `AddressInvalid` for an address that may not be reached, as far as it can be told without asking for its
    name.
    """
    places = _PLACES & url.query.keys()
    socket = _socket(url)
    if places and socket is None:
        raise AddressInvalid("url", "an address that says where the database is before its path")
    host = url.host if socket is None else _THIS_MACHINE
    if not host:
        raise AddressInvalid("url", "the address of a database's host")
    digits = literal(host)
    if digits and not reach.allows(digits, encrypted=encrypted):
        raise AddressInvalid("url", "an address that may be reached" + ("" if encrypted else " without TLS"))


def hold_to(reach: Reach, engine: Engine, *, encrypted: bool = False) -> None:
    """Has the engine connect to nothing that may not be reached. Without TLS it connects to the very address that was
    checked; with TLS, to the name, for which the server has to have a certificate.

    Connecting raises `Unreachable` and `Forbidden`.
    """
    url = engine.url
    host, port = url.host, url.port or 0
    if host is None or _socket(url) is not None:
        return

    @event.listens_for(engine, "do_connect")
    def check(dialect: Any, _record: object, _arguments: object, keywords: dict[str, Any]) -> None:  # noqa: ANN401  (what SQLAlchemy hands on)
        if dialect.is_async:
            addresses = await_only(reachable(host, port, reach, encrypted=encrypted))
        else:
            addresses = reachable_blocking(host, port, reach, encrypted=encrypted)
        if not encrypted:
            _, written = dialect.create_connect_args(url.set(host=addresses[0]))
            keywords.update({name: written[name] for name in ("host", "dsn") if name in written})


def _socket(url: URL) -> str | None:
    """The path of the socket on this machine that the address leads to, where it names one and nothing else."""
    places = {name: value for name, value in url.query.items() if name in _PLACES}
    path = next(iter(places.values()), None)
    alone = places.keys() <= _SOCKETS and not url.host
    return path if alone and isinstance(path, str) and path.startswith("/") else None
