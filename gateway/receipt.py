"""Receipts: what was answered, signed, so that whoever got it can prove it to others.

A receipt is a JWS whose payload is detached (RFC 7515, appendix F): the payload is the response's body, byte for byte.
The body carries the statement under `extensions.receipt`, so that it is signed with the rest.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.util import json_b64encode, urlsafe_b64encode

from gateway.audit.keys import SigningKeys
from gateway.errors import ReceiptInvalidError

TYPE: Final = "xinqiao-receipt"
"""The `typ` of a receipt: no other text that the same key signs passes for one."""

HEADER: Final = "Xinqiao-Receipt"
"""The header of a response that carries its receipt."""

ALGORITHM: Final = "Ed25519"
MAX_BYTES: Final = 512 * 1_048_576
"""The longest body that is verified."""

SHORT: Final = 65_536
"""The longest body (bytes) that is signed where it is, in less than half a millisecond: to hand a short one to a thread
takes as long as to sign it.
"""

_PART: Final = 3 * 65_536
"""What is encoded at once (bytes, in threes): all other threads wait for that."""

_NOT_A_RECEIPT: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError)


class _Registry(JWSRegistry):
    """joserfc's checks, for bodies longer than its 128,000 bytes."""

    max_payload_length: ClassVar[int] = MAX_BYTES  # type: ignore[misc]  # the library declares it without ClassVar


_REGISTRY: Final = _Registry(algorithms=[ALGORITHM])
_SIGNER: Final = _REGISTRY.get_alg(ALGORITHM)


@dataclass(frozen=True, slots=True)
class Salt:
    """The nonces of this installation, one for each request, derived from a secret: the log keeps digests that tell
    nothing to whoever lacks the nonce, and the installation can still say whether an answer was its own.
    """

    secret: bytes

    def nonce(self, request_id: str) -> bytes:
        """The nonce of a request (16 bytes)."""
        return hmac.digest(self.secret, request_id.encode(), "sha256")[:16]


def salted_digest(nonce: bytes, body: bytes) -> str:
    """The digest of a response that the log keeps: SHA-256 of the nonce (16 bytes) and the body, in hexadecimal."""
    digest = sha256(nonce)
    digest.update(body)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Receipts:
    """What signs receipts, in the name of `issuer`."""

    issuer: str
    keys: SigningKeys

    async def sign(self, body: bytes) -> str:
        """The receipt for a body; a long one is signed in a thread: it takes as long as the body is."""
        return self._sign(body) if len(body) <= SHORT else await asyncio.to_thread(self._sign, body)

    def _sign(self, body: bytes) -> str:
        key = self.keys.key
        header = json_b64encode({"alg": ALGORITHM, "kid": key.kid, "typ": TYPE})
        payload = (urlsafe_b64encode(body[start : start + _PART]) for start in range(0, len(body), _PART))
        signature = _SIGNER.sign(b".".join((header, b"".join(payload))), key)
        return f"{header.decode()}..{urlsafe_b64encode(signature).decode()}"


def verify_receipt(receipt: str, body: bytes, keys: KeySet) -> Mapping[str, Any]:
    """What the receipt states of the body. Raises `ReceiptInvalidError`."""
    header, dots, signature = receipt.strip().partition("..")
    if not dots:
        raise ReceiptInvalidError("it is no detached JWS: a header, two dots and a signature")
    try:
        payload = urlsafe_b64encode(body)
        signed = jws.deserialize_compact(
            b".".join((header.encode(), payload, signature.encode())), keys, registry=_REGISTRY
        )
        kind, statement = signed.headers().get("typ"), orjson.loads(body)["extensions"]["receipt"]
    except _NOT_A_RECEIPT as error:
        raise ReceiptInvalidError(f"none of the keys has signed this body: {type(error).__name__}") from None
    if kind != TYPE or not isinstance(statement, dict):
        raise ReceiptInvalidError("it is signed, and no receipt")
    return statement
