"""Proves one record without the others: by its path in the Merkle tree of a signed checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from joserfc.jwk import KeySet

from gateway.audit.chain import Link, read_link
from gateway.audit.checkpoint import Checkpoint, Span, read_checkpoint
from gateway.audit.merkle import path, root, root_by_path
from gateway.audit.notary import Books
from gateway.errors import ProofInvalidError


@dataclass(frozen=True, slots=True)
class Proof:
    """A record (its line as it is kept), the checkpoint that it is under, and the digests beside it on its way up to
    the root, in hexadecimal digits.
    """

    chain: str
    record: str
    checkpoint: str
    path: Sequence[str]


async def prove(chain: str, line: bytes, books: Books, keys: KeySet) -> Proof:
    """The proof of a record. Raises `ProofInvalidError` where no checkpoint names it (yet), or the records beside it
    are not kept any more; `AuditSinkError`, `CheckpointInvalidError`.
    """
    link = read_link(line)
    if link is None:
        raise ProofInvalidError("it is not a record")
    for text in await books.ledger.all():
        for span in read_checkpoint(text, keys).spans:
            if span.chain == chain and span.first <= link.number <= span.last:
                leaves = await _leaves(span, books)
                index = link.number - span.first
                if root(leaves).hex() != span.root or leaves[index] != link.digest:
                    raise ProofInvalidError(
                        f"records {span.first} to {span.last} are not kept, or changed; see `xinqiao audit verify`"
                    )
                return Proof(chain, line.decode(), text, [one.hex() for one in path(index, leaves)])
    raise ProofInvalidError("no checkpoint names it yet")


def check_proof(proof: Proof, keys: KeySet) -> Checkpoint:
    """The checkpoint by which the record is proved. Raises `ProofInvalidError`, `CheckpointInvalidError`."""
    checkpoint = read_checkpoint(proof.checkpoint, keys)
    link = read_link(proof.record.encode())
    try:
        beside = [bytes.fromhex(digest) for digest in proof.path]
    except ValueError:
        raise ProofInvalidError("its path cannot be read") from None
    for span in checkpoint.spans:
        if link and span.chain == proof.chain and _is_in(link, span, beside):
            return checkpoint
    raise ProofInvalidError("the record is not among those that the checkpoint names")


def _is_in(link: Link, span: Span, beside: Sequence[bytes]) -> bool:
    found = root_by_path(link.digest, link.number - span.first, span.last - span.first + 1, beside)
    return found is not None and found.hex() == span.root


async def _leaves(span: Span, books: Books) -> list[bytes]:
    """The digests of the records of a span, as far as they are kept."""
    follower = books.archive.follow(span.chain, span.first - 1)
    leaves: list[bytes] = []
    try:
        while lines := await follower.read():
            for line in lines:
                link = read_link(line)
                if link is None or link.number > span.last:
                    return leaves
                leaves.append(link.digest)
    finally:
        await follower.close()
    return leaves
