"""Signed texts of issuers: JWS in compact form (RFC 7515).

Keys come from the issuer's configured key set alone: `jku`, `x5u` and `jwk` in a text's header are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ALGORITHMS: Final = frozenset({"ES256", "EdDSA", "Ed25519", "RS256", "PS256"})
"""Signatures with a public key only: with a shared secret whoever verifies could sign."""

MAX_BYTES: Final = 8 * 1_048_576
"""The longest text that is decoded at all: a list of some 200,000 revoked consents."""

_ALGORITHM_OF_KEY: Final = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}
_NOT_A_JWS: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)

SigningKey = ECKey | OKPKey | RSAKey


class _Registry(JWSRegistry):
    """joserfc's checks with our list of algorithms and our bounds. Longer headers than its 512 bytes are read, for a
    text may carry the key in `jwk`, though nothing looks at it.
    """

    max_header_length: ClassVar[int] = 4_096  # type: ignore[misc]  # the library declares it without ClassVar
    max_payload_length: ClassVar[int] = MAX_BYTES  # type: ignore[misc]  # the same

    def get_alg(self, name: str) -> jws.JWSAlgModel:  # type: ignore[name-defined]  # exported without __all__
        """The algorithm; without the library's warning that `EdDSA` is now spelt `Ed25519` (RFC 9864)."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("the algorithm is not allowed")
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class Signed:
    """A decoded text. Nothing in it may be believed before `is_by`, but who claims to have signed it."""

    header: Mapping[str, object]
    claims: object
    _signature: jws.CompactSignature

    def is_by(self, keys: KeySet) -> bool:
        """Whether one of these keys made the signature, with an allowed algorithm."""
        try:
            return jws.validate_compact(self._signature, keys, registry=_Registry(strict_check_header=False))
        except _NOT_A_JWS:
            return False


def decode(text: bytes) -> Signed | None:
    """The text's header and claims, None where it is no JWS in compact form with JSON in it."""
    try:
        signature = jws.extract_compact(text, registry=_Registry())
        return Signed(signature.headers(), json.loads(signature.payload), signature)
    except _NOT_A_JWS:
        return None


def sign(key: SigningKey, kind: str, claims: Mapping[str, object]) -> str:
    """The claims, signed. `kind` is the header's `typ`; the private `key` decides the algorithm (EC: ES256, OKP:
    Ed25519, RSA: PS256).
    """
    header = {"alg": _ALGORITHM_OF_KEY[key.key_type], "typ": kind} | ({"kid": key.kid} if key.kid else {})
    return jws.serialize_compact(header, json.dumps(claims), key, registry=_Registry())
