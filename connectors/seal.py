"""The seal on rows that leave the process: nobody who keeps them can tell what or whom they are about, nor change them.

Names are keyed BLAKE2b (RFC 7693); contents are sealed with AES-256-GCM-SIV (RFC 8452). Its nonces are drawn at random,
and among billions of entries some will be alike: where AES-GCM would fail then, SIV only shows whether two contents of
one name are equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

PREFIX: Final = b"xinqiao:rows:"
"""What every name begins with, for whoever shares a store among several users."""

_NONCE: Final = 12

Name = Callable[[str], bytes]
"""From a credit code to the name of its entry."""


class Seal:
    """The keys for names and contents, both derived from one key of at most 64 bytes.

    Another key makes other names: entries under an old one are not found, and expire.
    """

    def __init__(self, key: bytes) -> None:
        self._names = blake2b(key=key, digest_size=32, person=b"row names").digest()
        self._cipher = AESGCMSIV(blake2b(key=key, digest_size=32, person=b"row contents").digest())

    def names(self, shelf: bytes) -> Name:
        """The names of the companies' entries on a shelf."""
        begun = blake2b(shelf, key=self._names, digest_size=32)

        def name(code: str) -> bytes:
            digest = begun.copy()
            digest.update(code.encode())
            return PREFIX + digest.hexdigest().encode()

        return name

    def close(self, name: bytes, content: bytes) -> bytes:
        """The content, sealed for this name only."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, name)

    def open(self, name: bytes, sealed: bytes) -> bytes | None:
        """What was sealed for this name; None where this was not, or is not whole."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name)
        except Exception:  # noqa: BLE001  (whatever the library makes of bytes that anybody may have written)
            return None
