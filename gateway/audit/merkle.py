"""Merkle trees over records, so that one record is proved without the others.

Source: RFC 6962, section 2.1. Leaves and nodes are hashed with different prefixes, so that no node passes for a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def leaf(record: bytes) -> bytes:
    """The digest of one record (32 bytes)."""
    return sha256(b"\0" + record).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The digest of a tree with these leaves, in their order; of none, the digest of nothing."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = _middle(len(leaves))
    return _node(root(leaves[:middle]), root(leaves[middle:]))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """What is needed beside the leaf at `index` to compute the tree's root, from the leaf upwards."""
    if len(leaves) <= 1:
        return []
    middle = _middle(len(leaves))
    if index < middle:
        return [*path(index, leaves[:middle]), root(leaves[middle:])]
    return [*path(index - middle, leaves[middle:]), root(leaves[:middle])]


def root_by_path(digest: bytes, index: int, size: int, beside: Sequence[bytes]) -> bytes | None:
    """The root of a tree of `size` leaves, of which that at `index` has this digest; None where the path does not fit
    such a tree.
    """
    if not 0 <= index < size:
        return None
    if size == 1:
        return None if beside else digest
    if not beside:
        return None
    middle = _middle(size)
    if index < middle:
        left = root_by_path(digest, index, middle, beside[:-1])
        return left and _node(left, beside[-1])
    right = root_by_path(digest, index - middle, size - middle, beside[:-1])
    return right and _node(beside[-1], right)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _middle(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
