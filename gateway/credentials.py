"""What a request brings to show whose it is, not yet checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Credentials:
    """The values of the headers Authorization and X-API-Key (None where absent), and the caller's certificate."""

    authorization: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    certificate: Certificate | None = None
