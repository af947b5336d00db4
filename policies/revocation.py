"""Revocations: an issuer's signed list of its consents that no longer count. JWS (RFC 7515) with JWT claims (RFC 7519).

Claims: `iss`, `iat`, `exp` (until when the list may be relied on) and ours: `revoked`, the `jti` of each such consent.
The header's `typ` tells a list from all else that the issuer signs (RFC 8725, section 3.11).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from joserfc.jwk import KeySet

from policies.claims import Claims
from policies.errors import RevocationsInvalid
from policies.signature import MAX_BYTES, SigningKey, decode, sign

TYPE: Final = "consent-revocations+jwt"

LEEWAY: Final = 60
"""Seconds by which an issuer's clock may be ahead of ours. A list from further in the future is refused, for no later
one could take its place.
"""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What an issuer has revoked; `issued` and `expires` are in seconds since the epoch."""

    revoked: frozenset[str]
    issued: float
    expires: float

    def is_fresh(self, now: float) -> bool:
        """Whether the list may be relied on for what it does not name."""
        return now < self.expires


NEVER_REVOKES: Final = RevocationList(frozenset(), 0, math.inf)
"""The list of an issuer that has none."""


def read_revocations(text: bytes, issuer: str, keys: KeySet, now: float) -> RevocationList:
    """The issuer's list in a text. Raises `RevocationsInvalid` where it is not one, not by one of the issuer's keys, or
    not yet valid; a list past its freshness is given all the same.
    """
    if len(text) > MAX_BYTES:
        raise RevocationsInvalid(f"the revocation list is longer than {MAX_BYTES} bytes")
    signed = decode(text.strip())
    if signed is None:
        raise RevocationsInvalid("the revocation list is no JWS in compact form (RFC 7515)")
    if signed.header.get("typ") != TYPE:
        raise RevocationsInvalid(f"the revocation list's type (typ) must be {TYPE}")
    if not signed.is_by(keys):
        raise RevocationsInvalid("the revocation list's signature is not by a key of its issuer")
    claims = Claims(signed.claims, "revocation list", RevocationsInvalid)
    if claims.text("iss") != issuer:
        raise RevocationsInvalid("the revocation list is another issuer's")
    found = RevocationList(claims.texts("revoked"), claims.moment("iat"), claims.moment("exp"))
    if found.issued > now + LEEWAY:
        raise RevocationsInvalid("the revocation list is dated in the future; check the clocks")
    return found


def issue_revocations(
    key: SigningKey, *, issuer: str, revoked: Collection[str], issued: datetime, expires: datetime
) -> str:
    """A signed list, for issuers and tests. `key` is private."""
    claims = {
        "iss": issuer,
        "iat": int(issued.timestamp()),
        "exp": int(expires.timestamp()),
        "revoked": sorted(revoked),
    }
    return sign(key, TYPE, claims)
