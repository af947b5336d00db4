"""The errors of the demonstration."""

from __future__ import annotations

from typing import ClassVar

from gateway.errors import GatewayError


class AgencyNotStartedError(GatewayError):
    """One of the demonstration's agencies did not come up."""

    code: ClassVar[str] = "AGENCY_NOT_STARTED"
