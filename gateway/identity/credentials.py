"""What a request brings to show whose it is, not yet checked."""

from __future__ import annotations

import msgspec

from gateway.identity.certificates import Certificate


class Credentials(msgspec.Struct, frozen=True):
    """The values of the headers Authorization and X-API-Key (None where absent), and the caller's certificate."""

    authorization: str | None = None
    api_key: str | None = None
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        """Nothing of them: they are secrets."""
        return "Credentials()"
