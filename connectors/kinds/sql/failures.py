"""What the errors of databases mean, in the contract's words."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure
from connectors.kinds.sql.dialect import Dialect
from connectors.lane import LaneError


def failure_of(error: Exception, place: str, dialect: Dialect) -> AgencyFailure:
    """What an error means, of SQLAlchemy or of the driver. Its own message is left out: it holds the statement and its
    values.
    """
    if isinstance(error, LaneError):
        return AgencyFailure(error.failure, f"{place}: {error}", retryable=error.retryable)
    code = _failure_code(error, dialect)
    kind = type(error.orig if isinstance(error, DBAPIError) else error).__name__
    return AgencyFailure(code, f"{place}: {kind}", retryable=code is not FailureCode.AGENCY_BAD_RESPONSE)


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
