"""Oracle, by oracledb, in threads.

Not by its asyncio: that is for thin mode alone, and one agency in thick mode makes the whole process thick
(python-oracledb documentation, "Enabling python-oracledb Thick mode").

The driver always speaks UTF-8: the server, or in thick mode Oracle's libraries, convert what is kept as GBK
(ZHS16GBK). Nothing has to be set for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import CHAR, BindParameter, ColumnElement, bindparam, create_engine, event, or_
from sqlalchemy.engine import URL

from connectors.contract import FailureCode
from connectors.errors import ConnectionUnusable
from connectors.kinds.sql.database import ThreadedDatabase
from connectors.kinds.sql.dialect import Dialect, coded, milliseconds, pool_arguments
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.reaching import check_address, hold_to
from connectors.kinds.sql.statement import KEYS
from connectors.reach import Reach

LONGEST_LIST: Final = 1000
"""Items in one list (ORA-01795; 65,535 since 23ai)."""

READ_ONLY: Final = "SET TRANSACTION READ ONLY"

_FAILURES: Final = coded(
    {
        FailureCode.AGENCY_TIMEOUT: "ORA-01013 ORA-03136 ORA-03156 DPI-1067 DPY-4024",
        FailureCode.AGENCY_OVERLOADED: (
            "ORA-00018 ORA-00020 ORA-00054 ORA-00060 ORA-01555 ORA-02391 ORA-04031 ORA-12516 ORA-12518 "
            "ORA-12519 ORA-12520"
        ),
        FailureCode.AGENCY_UNAVAILABLE: (
            "ORA-00028 ORA-01005 ORA-01012 ORA-01017 ORA-01033 ORA-01034 ORA-01089 ORA-01090 ORA-01109 "
            "ORA-02396 ORA-03113 ORA-03114 ORA-03135 ORA-12154 ORA-12170 ORA-12505 ORA-12514 ORA-12528 "
            "ORA-12537 ORA-12541 ORA-12543 ORA-12545 ORA-12547 ORA-12560 ORA-28000 ORA-28001 DPI-1010 "
            "DPI-1080 DPY-1001 DPY-4011 DPY-6000 DPY-6001 DPY-6003 DPY-6005"
        ),
    }
)
"""By full code (Oracle Database Error Messages; python-oracledb documentation, "Troubleshooting Errors")."""


def open_database(url: URL, manifest: SqlManifest, reach: Reach) -> ThreadedDatabase:
    """Every transaction is read only, and its calls end in time. Nothing is connected yet.

    Raises `AddressInvalid`, and `ConnectionUnusable` where thick mode finds no client libraries.
    """
    check_address(url, reach, encrypted=False)
    try:
        engine = create_engine(
            url.set(drivername="oracle+oracledb"),
            connect_args={"tcp_connect_timeout": manifest.timeout},
            thick_mode=True if manifest.connection.mode == "thick" else None,
            **pool_arguments(manifest),
        )
    except ModuleNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001  (the driver is an extra: its errors cannot be named here)
        reason = f"connection.mode: Oracle's client libraries cannot be loaded: {type(error).__name__}"
        raise ConnectionUnusable(reason) from None

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  (a driver's connection)
        connection.call_timeout = milliseconds(manifest.timeout)

    hold_to(reach, engine)
    return ThreadedDatabase(engine, manifest.concurrency, READ_ONLY)


def failure(error: BaseException) -> FailureCode | None:
    """By its full code."""
    return _FAILURES.get(getattr(error.args[0] if error.args else None, "full_code", ""))


def bind_padded(keys: Sequence[str], name: str = KEYS) -> BindParameter[Any]:
    """The keys as CHAR: Oracle compares them with a CHAR column whatever its padding, and with a VARCHAR2 column as
    they are (SQL Language Reference, "Blank-Padded and Nonpadded Comparison Semantics"); an index serves both.
    """
    return bindparam(name, list(keys), CHAR, expanding=True)


def among_lists(held: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the keys, by as many lists as they need."""
    starts = range(0, len(keys), LONGEST_LIST)
    return or_(*(held.in_(bind_padded(keys[at : at + LONGEST_LIST], f"{KEYS}_{at}")) for at in starts))


ORACLE: Final = Dialect(
    open_database, failure, among=among_lists, bind_keys=bind_padded, longest_list=LONGEST_LIST, extra="oracle"
)
