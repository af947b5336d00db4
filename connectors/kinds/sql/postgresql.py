"""PostgreSQL, by asyncpg."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec import MsgspecError
from msgspec.json import Decoder
from sqlalchemy import BindParameter, ColumnElement, any_, bindparam, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.types import NullType

from connectors.contract import FailureCode
from connectors.kinds.sql.database import AsyncDatabase
from connectors.kinds.sql.dialect import Dialect, milliseconds, pool_arguments
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.reaching import check_address, hold_to
from connectors.kinds.sql.statement import KEYS
from connectors.reach import Reach

_FAILURES: Final = {
    "08": FailureCode.AGENCY_UNAVAILABLE,
    "28": FailureCode.AGENCY_UNAVAILABLE,
    "40": FailureCode.AGENCY_OVERLOADED,
    "53": FailureCode.AGENCY_OVERLOADED,
    "55P03": FailureCode.AGENCY_OVERLOADED,
    "57014": FailureCode.AGENCY_TIMEOUT,
    "57": FailureCode.AGENCY_UNAVAILABLE,
    "58": FailureCode.AGENCY_UNAVAILABLE,
}
"""By SQLSTATE or its class (PostgreSQL documentation, appendix A): connection, authorisation, rolled back for others'
sake, resources, lock not available, cancelled by the statement timeout, shutdown, the system beneath."""


_AS_WRITTEN: Final[Mapping[str, Callable[[str], object]]] = {"float4": Decimal, "uuid": str}
"""Types whose values are read as the server writes them. The driver's own are not what is meant: 0.1 becomes
0.10000000149011612, and a UUID no text.
"""

_decode: Final = Decoder(float_hook=Decimal).decode

_PROVEN: Final = frozenset({"verify-ca", "verify-full"})
"""The modes in which the server has to prove who it is (asyncpg documentation, "connect", `ssl`)."""


def open_database(url: URL, manifest: SqlManifest, reach: Reach) -> AsyncDatabase:
    """Every session is read only, and its statements end in time. Nothing is connected yet. Raises `AddressInvalid`."""
    encrypted = url.query.get("ssl") in _PROVEN
    check_address(url, reach, encrypted=encrypted)
    from connectors.kinds.sql import framing  # noqa: PLC0415  (the driver is slow to import, and seldom needed)

    framing.install()
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        connect_args={
            "timeout": manifest.timeout,
            "server_settings": {
                "application_name": "xinqiao",
                "default_transaction_read_only": "on",
                "statement_timeout": str(milliseconds(manifest.timeout)),
            },
        },
        isolation_level="AUTOCOMMIT",
        json_deserializer=_read_json,
        native_inet_types=False,
        **pool_arguments(manifest),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  (a driver's connection, as SQLAlchemy adapts it)
        for name, read in _AS_WRITTEN.items():
            keywords = {"schema": "pg_catalog", "encoder": str, "decoder": read, "format": "text"}
            connection.run_async(lambda driver, name=name, keywords=keywords: driver.set_type_codec(name, **keywords))

    hold_to(reach, engine.sync_engine, encrypted=encrypted)
    return AsyncDatabase(engine)


def _read_json(text: str) -> Any:  # noqa: ANN401  (JSON)
    """The value of a JSON column, with exact decimals. What msgspec refuses and the server keeps (lone surrogates) is
    read by the standard library.
    """
    try:
        return _decode(text)
    except MsgspecError:
        return json.loads(text, parse_float=Decimal)


def failure(error: BaseException) -> FailureCode | None:
    """By its SQLSTATE."""
    state = str(getattr(error, "sqlstate", None) or "")
    return _FAILURES.get(state) or _FAILURES.get(state[:2])


def bind_array(keys: Sequence[str]) -> BindParameter[Any]:
    """The keys as one array: one statement, and one plan, however many there are; of 500 in a third of the CPU that a
    parameter each takes.

    It has no type of ours, so that it takes the column's, whichever kind of text that is.
    """
    return bindparam(KEYS, list(keys), NullType())


def among_array(held: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the keys, by `= ANY`."""
    return held == any_(bind_array(keys))


POSTGRESQL: Final = Dialect(
    open_database, failure, among=among_array, key_list=f"= ANY (:{KEYS})", bind_keys=bind_array
)
