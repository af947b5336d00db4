"""Checkpoints: signed statements of where every chain stands.

A checkpoint is a JWS in compact form (RFC 7515), signed with Ed25519 (RFC 8037, RFC 9864). Each names the one before it
by its digest, so checkpoints are a chain themselves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

import msgspec
from joserfc.jwk import KeySet, OKPKey

from gateway.audit.chain import genesis
from gateway.errors import CheckpointInvalidError
from policies.signature import decode, sign

TYPE: Final = "xinqiao-checkpoint"
"""The `typ` of a checkpoint: no other text that the same key signs passes for one."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where one chain stands: the records `first` to `last` are new since the checkpoint before, none where `first` is
    above `last`.

    `root` is that of the Merkle tree over them, `head` the digest of record `last`. The records are kept from number
    `since` on, and `previous` is the digest of the one before it. Digests are in hexadecimal digits.
    """

    chain: str
    since: int
    previous: str
    first: int
    last: int
    root: str
    head: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All chains of an instance at one moment. `previous` is the digest of the checkpoint before; empty: the first."""

    instance: str
    number: int
    previous: str
    at: dt.datetime
    spans: Sequence[Span]


def beginning(chain: str) -> Span:
    """Where a chain stands that no checkpoint names yet."""
    digest = genesis(chain).digest.hex()
    return Span(chain, 1, digest, 1, 0, "", digest)


def sign_checkpoint(checkpoint: Checkpoint, key: OKPKey) -> str:
    """The checkpoint's text."""
    return sign(key, TYPE, {**asdict(checkpoint), "at": checkpoint.at.isoformat()})


def read_checkpoint(text: str, keys: KeySet) -> Checkpoint:
    """What a checkpoint says. Raises `CheckpointInvalidError` where none of the keys has signed it."""
    signed = decode(text.encode())
    if signed is None or signed.header.get("typ") != TYPE:
        raise CheckpointInvalidError("it is not a checkpoint")
    if not signed.is_by(keys):
        raise CheckpointInvalidError(
            f"its signature is by none of the known keys (`kid`: {signed.header.get('kid')!a})"
        )
    try:
        return msgspec.convert(signed.claims, Checkpoint)
    except msgspec.ValidationError as error:
        raise CheckpointInvalidError("it does not say what a checkpoint says") from error


def digest_of(text: str) -> str:
    """The digest by which the next checkpoint names this one."""
    return sha256(text.encode()).hexdigest()
