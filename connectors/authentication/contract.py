"""What authenticating calls to an agency is: requests go in as they would be sent, and come out as they are."""

from __future__ import annotations

from typing import Final, Protocol

from connectors.outgoing import Outgoing

FORM: Final = "application/x-www-form-urlencoded"
"""The media type of forms."""


class Authenticator(Protocol):
    """Who tells an agency that a request is ours."""

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:
        """The request with what shows whose it is. Raises `AgencyFailure`.

        `deadline` is in seconds of the event loop's clock.
        """
        ...

    def renew(self, refused: Outgoing) -> bool:
        """Called with a signed request that the agency refused (401): whether signing it anew may help."""
        ...

    async def close(self) -> None:
        """Gives back what it holds."""
        ...


class Fixed:
    """What the schemes have in common whose secrets do not run out."""

    def renew(self, refused: Outgoing) -> bool:  # noqa: ARG002  (part of `Authenticator`)
        """Signing anew would give the same."""
        return False

    async def close(self) -> None:
        """There is nothing to give back."""
