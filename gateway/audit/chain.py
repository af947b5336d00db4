"""How records are chained: each carries its number and the digest of the one before it.

A record is one line of JSON whose members begin with `number` and `previous`. What is hashed are the line's bytes as
they are kept, without the newline, as a leaf of a Merkle tree (`gateway.audit.merkle`): nothing is ever written anew to
be checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.audit.merkle import leaf

_BEGINNING: Final = re.compile(rb'\{"number":([1-9][0-9]{0,17}),"previous":"([0-9a-f]{64})",')


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: its last record's number and digest."""

    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """What a record says of its place in the chain, and its own digest."""

    number: int
    previous: bytes
    digest: bytes

    @property
    def head(self) -> Head:
        """The chain's end where this is the last record."""
        return Head(self.number, self.digest)


def genesis(chain: str) -> Head:
    """The end of a chain without records: bound to its name, so that one chain does not pass for another."""
    return Head(0, sha256(b"xinqiao audit chain\0" + chain.encode()).digest())


def chained(head: Head, records: Iterable[bytes]) -> tuple[Head, list[bytes]]:
    """The records (JSON objects with members) as lines that go on from `head`, without newlines, and the new end."""
    number, digest = head.number, head.digest
    lines = []
    for record in records:
        number += 1
        line = b'{"number":%d,"previous":"%b",%b' % (number, digest.hex().encode(), record[1:])
        digest = leaf(line)
        lines.append(line)
    return Head(number, digest), lines


def read_link(line: bytes) -> Link | None:
    """What a line says of its place, None where it does not begin as a record does."""
    found = _BEGINNING.match(line)
    return found and Link(int(found[1]), bytes.fromhex(found[2].decode()), leaf(line))
