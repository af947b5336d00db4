"""Verifies the whole log: every chain record by record, every checkpoint, every copy of one at an anchor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from joserfc.jwk import KeySet

from gateway.audit.chain import Head, genesis, read_link
from gateway.audit.checkpoint import Checkpoint, Span, digest_of, read_checkpoint
from gateway.audit.merkle import leaf, root
from gateway.audit.notary import Books
from gateway.audit.sink import Archive
from gateway.errors import AuditSinkError, CheckpointInvalidError


class Fault(StrEnum):
    """What can be wrong with a log."""

    RECORD_CHANGED = "RECORD_CHANGED"
    RECORDS_MISSING = "RECORDS_MISSING"
    RECORD_MISPLACED = "RECORD_MISPLACED"
    LOG_CUT = "LOG_CUT"
    CHECKPOINT_INVALID = "CHECKPOINT_INVALID"
    CHECKPOINTS_CUT = "CHECKPOINTS_CUT"
    ANCHOR_UNREADABLE = "ANCHOR_UNREADABLE"
    ANCHOR_BEHIND = "ANCHOR_BEHIND"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `where` names a chain, an anchor or the checkpoints; `number` is a record's or a
    checkpoint's, where one can be named.
    """

    fault: Fault
    where: str
    number: int | None
    message: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """A chain as it was found: its first and last record, and up to which it is under a checkpoint."""

    chain: str
    first: int
    last: int
    certified: int


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found. `certified_at` is when the last checkpoint was made; `anchored` is the number of the last
    checkpoint at each anchor.
    """

    chains: tuple[ChainReport, ...]
    checkpoints: int
    certified_at: dt.datetime | None
    anchored: Mapping[str, int]
    findings: tuple[Finding, ...]


async def verify(instance: str, books: Books, keys: KeySet | None) -> Report:
    """Verifies everything. Without keys no checkpoint can be. Raises `AuditSinkError` where the log cannot be read."""
    findings: list[Finding] = []
    texts = await books.ledger.all() if keys is not None else []
    checkpoints = _Checkpoints(instance, texts, keys, findings).read() if keys is not None else []
    anchored = {name: await _anchor(name, books, texts, findings) for name in books.anchors}
    spans: dict[str, list[Span]] = {name: [] for name in await books.archive.chains()}
    for checkpoint in checkpoints:
        for span in checkpoint.spans:
            spans.setdefault(span.chain, []).append(span)
    chains = [await _Chain(name, of_chain, findings).verify(books.archive) for name, of_chain in sorted(spans.items())]
    certified_at = checkpoints[-1].at if checkpoints else None
    return Report(tuple(chains), len(checkpoints), certified_at, anchored, tuple(findings))


@dataclass(frozen=True, slots=True)
class _Checkpoints:
    """The checkpoints of an instance, to be read in their order."""

    instance: str
    texts: Sequence[str]
    keys: KeySet
    findings: list[Finding]

    def read(self) -> list[Checkpoint]:
        """Those that can be believed."""
        read: list[Checkpoint] = []
        previous = ""
        for number, text in enumerate(self.texts, 1):
            try:
                checkpoint = read_checkpoint(text, self.keys)
            except CheckpointInvalidError as error:
                self._find(number, str(error))
            else:
                for mistake in self._mistakes(checkpoint, number, previous, read[-1].spans if read else ()):
                    self._find(number, mistake)
                read.append(checkpoint)
            previous = digest_of(text)
        return read

    def _mistakes(self, checkpoint: Checkpoint, number: int, previous: str, before: Sequence[Span]) -> Iterator[str]:
        if (checkpoint.instance, checkpoint.number) != (self.instance, number):
            yield f"it is number {checkpoint.number} of the instance {checkpoint.instance}"
        if checkpoint.previous != previous:
            yield "it does not follow the checkpoint before it"
        spans = {span.chain: span for span in checkpoint.spans}
        for old in before:
            new = spans.get(old.chain)
            if new is None or new.first != old.last + 1 or new.since < old.since:
                yield f"it does not go on where the checkpoint before it left the chain {old.chain}"

    def _find(self, number: int, message: str) -> None:
        self.findings.append(Finding(Fault.CHECKPOINT_INVALID, "checkpoints", number, message))


async def _anchor(name: str, books: Books, texts: Sequence[str], findings: list[Finding]) -> int:
    """How many checkpoints the anchor has; each must be the one of that number here, and none but the newest, which may
    be on its way, may be missing there.
    """
    try:
        copies = await books.anchors[name].all()
    except AuditSinkError as error:
        findings.append(Finding(Fault.ANCHOR_UNREADABLE, name, None, str(error)))
        return 0
    if len(copies) > len(texts):
        message = f"there are {len(copies)} checkpoints at the anchor, and {len(texts)} here"
        findings.append(Finding(Fault.CHECKPOINTS_CUT, name, len(texts) + 1, message))
    if len(copies) < len(texts) - 1 or (texts and not copies):
        message = f"it has {len(copies)} checkpoints of {len(texts)}: is it the right one, and why is it not reached?"
        findings.append(Finding(Fault.ANCHOR_BEHIND, name, len(copies) + 1, message))
    for number, (copy, text) in enumerate(zip(copies, texts, strict=False), 1):
        if copy != text:
            message = "the checkpoint at the anchor is another"
            findings.append(Finding(Fault.CHECKPOINT_INVALID, name, number, message))
            break
    return len(copies)


_NOWHERE: Final = Head(0, b"")


@dataclass(slots=True)
class _Chain:
    """One chain, read from its first record to its last, beside the spans that checkpoints name of it."""

    name: str
    spans: Sequence[Span]
    findings: list[Finding]
    _first: int | None = None
    _head: Head = field(default=_NOWHERE)
    _place: int = 0
    _leaves: list[bytes] = field(default_factory=list)

    async def verify(self, archive: Archive) -> ChainReport:
        """How the chain was found. What is wrong is added to the findings."""
        follower = archive.follow(self.name)
        try:
            while lines := await follower.read():
                for line in lines:
                    self._see(line)
        finally:
            await follower.close()
        certified = self.spans[-1].last if self.spans else 0
        if self._head.number < certified:
            self._find(
                Fault.LOG_CUT,
                self._head.number + 1,
                f"the log ends with record {self._head.number}; a checkpoint names record {certified}",
            )
        return ChainReport(self.name, self._first or 0, self._head.number, min(certified, self._head.number))

    def _see(self, line: bytes) -> None:
        link = read_link(line)
        if self._first is None:
            self._begin(link.number if link else 1)
        expected = self._head.number + 1
        if link is None:
            self._find(Fault.RECORD_CHANGED, expected, "this is not a record")
            self._advance(Head(expected, leaf(line)))
        elif link.number < expected:
            self._find(Fault.RECORD_MISPLACED, link.number, f"it stands again, or too late: before record {expected}")
        else:
            if link.number > expected:
                self._find(Fault.RECORDS_MISSING, expected, f"the next record is number {link.number}")
            elif link.previous != self._head.digest:
                message = f"record {link.number} was written after another record {expected - 1} than stands there"
                self._find(Fault.RECORD_CHANGED, expected - 1, message)
            self._advance(link.head)

    def _begin(self, number: int) -> None:
        """Where the chain must begin: with its first record, or with one before which a checkpoint says that records
        are not kept.
        """
        beginnings = {1: genesis(self.name).digest.hex()} | {span.since: span.previous for span in self.spans}
        latest = self.spans[-1].since if self.spans else 1
        self._first = number
        if number in beginnings:
            self._head = Head(number - 1, bytes.fromhex(beginnings[number]))
        else:
            self._head = Head(latest - 1, bytes.fromhex(beginnings[latest]))
        while self._place < len(self.spans) and self.spans[self._place].last <= self._head.number:
            self._place += 1

    def _advance(self, head: Head) -> None:
        """Goes on to a record, and compares with the checkpoint that ends there."""
        self._head = head
        if self._place < len(self.spans) and head.number >= self.spans[self._place].first:
            self._leaves.append(head.digest)
        while self._place < len(self.spans) and self.spans[self._place].last <= head.number:
            span = self.spans[self._place]
            self._place += 1
            if span.first <= span.last:
                self._compare(span, head)

    def _compare(self, span: Span, head: Head) -> None:
        whole = self._first is not None and self._first <= span.first
        same = span.last == head.number and span.head == head.digest.hex()
        if not same or (whole and root(self._leaves).hex() != span.root):
            message = f"records {span.first} to {span.last} are not those that a checkpoint names"
            self._find(Fault.RECORD_CHANGED, span.last, message)
        self._leaves.clear()

    def _find(self, fault: Fault, number: int | None, message: str) -> None:
        self.findings.append(Finding(fault, self.name, number, message))
