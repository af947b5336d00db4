"""What the errors of databases mean, in the contract's words."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure
from connectors.kinds.sql.dialect import Dialect, number_of
from connectors.lane import LaneError

_NO_TABLE: Final = "no such table or view, or none that this account may read"
_NO_COLUMN: Final = "no such column"
_NO_DAY: Final = "a date is before the year 1 or after 9999: let a statement give it as a text"
_MISTAKES: Final = {
    **dict.fromkeys(("42P01", "1146", "ORA-00942", "208"), _NO_TABLE),
    **dict.fromkeys(("42703", "1054", "ORA-00904", "207"), _NO_COLUMN),
    **dict.fromkeys(("42501", "1142", "1143", "ORA-01031", "229", "230"), "this account may not read it"),
    **dict.fromkeys(("22000", "42883"), "a column that is compared holds no texts: let a statement compare it as one"),
}
"""What a statement's author did wrong, by SQLSTATE (PostgreSQL; 22000 is what its driver says), number (MariaDB and
MySQL, SQL Server) or full code (Oracle).
"""
_SAID: Final = {"no such table": _NO_TABLE, "no such column": _NO_COLUMN}


def failure_of(error: Exception, place: str, dialect: Dialect) -> AgencyFailure:
    """What an error means, of SQLAlchemy or of the driver. Its own message is left out: it holds the statement and its
    values.
    """
    if isinstance(error, LaneError):
        return AgencyFailure(error.failure, f"{place}: {error}", retryable=error.retryable)
    code = _failure_code(error, dialect)
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    mistake = _mistake(original)
    reason = f"{place}: {type(original).__name__}" + (f" ({mistake})" if mistake else "")
    return AgencyFailure(code, reason, retryable=code is not FailureCode.AGENCY_BAD_RESPONSE)


def _mistake(error: BaseException) -> str | None:
    """What the manifest says wrongly, as far as the error's code tells; SQLite has one code for all that."""
    if isinstance(error, OverflowError):
        return _NO_DAY
    full = getattr(error.args[0] if error.args else None, "full_code", None)
    code = number_of(error) or full or getattr(error, "sqlstate", None)
    said = str(error) if isinstance(error, sqlite3.Error) else ""
    return _MISTAKES.get(str(code)) or next((why for begin, why in _SAID.items() if said.startswith(begin)), None)


def _failure_code(error: Exception, dialect: Dialect) -> FailureCode:
    if isinstance(error, PoolTimeout):
        return FailureCode.AGENCY_OVERLOADED
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    known = dialect.failure(original)
    if known is not None:
        return known
    if isinstance(original, TimeoutError):
        return FailureCode.AGENCY_TIMEOUT
    lost = isinstance(original, OSError) or isinstance(error, InterfaceError)
    if lost or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return FailureCode.AGENCY_UNAVAILABLE
    return FailureCode.AGENCY_BAD_RESPONSE
