"""Why calls are not sent that an agency does not bear, or of which nobody can tell whether it does."""

from __future__ import annotations

from typing import Final

from connectors.contract import FailureCode
from connectors.errors import NotSent

TAKEN: Final = "all places for calls to the agency were taken"
USED_UP: Final = "the agency's rate is used up"
SILENT: Final = "the store in which instances agree on calls to the agency does not answer"


def overloaded(reason: str) -> NotSent:
    """The failure of such a call."""
    return NotSent(FailureCode.AGENCY_OVERLOADED, reason)
