"""What authenticating calls to an agency is: requests go in as they would be sent, and come out as they are."""

from __future__ import annotations

from typing import Final, Protocol

from connectors.lane import LaneAnswer
from connectors.outgoing import Outgoing

UNAUTHORISED: Final = 401
"""The status by which a request is refused that does not show whose it is (RFC 9110, section 15.5.2)."""

FORM: Final = "application/x-www-form-urlencoded"
"""The media type of forms."""


class Authenticator(Protocol):
    """Who tells an agency that a request is ours."""

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:
        """The request with what shows whose it is. Raises `AgencyFailure`.

        `deadline` is in seconds of the event loop's clock.
        """
        ...

    async def is_refused(self, answer: LaneAnswer) -> bool:
        """Whether the agency says by this answer that it does not take what showed whose the request is."""
        ...

    def renew(self, refused: Outgoing) -> bool:
        """Called with a signed request that the agency refused: whether signing it anew may help."""
        ...

    async def close(self) -> None:
        """Gives back what it holds."""
        ...


class Fixed:
    """What the schemes have in common whose secrets do not run out."""

    async def is_refused(self, answer: LaneAnswer) -> bool:
        """By the status that is there for it."""
        return answer.status == UNAUTHORISED

    def renew(self, refused: Outgoing) -> bool:  # noqa: ARG002  (part of `Authenticator`)
        """Signing anew would give the same."""
        return False

    async def close(self) -> None:
        """There is nothing to give back."""
