"""Puts what is new in all chains under signed checkpoints, again and again, beside those that write."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

import structlog

from gateway.audit.chain import Head, Link, read_link
from gateway.audit.checkpoint import Checkpoint, Span, beginning, digest_of, read_checkpoint, sign_checkpoint
from gateway.audit.keys import SigningKeys
from gateway.audit.ledger import Ledger
from gateway.audit.merkle import root
from gateway.audit.sink import Archive, Follower
from gateway.errors import AuditSinkError, CheckpointInvalidError
from gateway.logs import outline

MOST_RECORDS: Final = 65_536
"""The most records of a chain in one span, so that a proof is short, and about how many digests are held at once."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Books:
    """What a notary works with: what it reads, where its checkpoints go, and their copies by what they are called."""

    archive: Archive
    ledger: Ledger
    anchors: Mapping[str, Ledger]


class Notary:
    """Makes the checkpoints of an instance. Only one may run at a time. `keep` is for how long records are kept; what
    is past its time must be so by `now`, and by the seconds of the `clock` since this notary began, so that a wall
    clock that is set to a wrong day deletes nothing.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - two clocks
        self,
        instance: str,
        keys: SigningKeys,
        books: Books,
        keep: dt.timedelta | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._instance = instance
        self._keys = keys
        self._books = books
        self._keep = keep
        self._now = now
        self._clock = clock
        self._began = now(), clock()
        self._text: str | None = None
        self._last: Checkpoint | None = None
        self._followers: dict[str, Follower] = {}
        self._faults: dict[str, str] = {}

    async def run(self, seconds: float) -> None:
        """Makes checkpoints every so many seconds, for as long as it runs. What goes wrong is tried again."""
        while True:
            await asyncio.sleep(seconds)
            await self.try_certify()

    async def try_certify(self) -> None:
        """As `certify`; what goes wrong is logged, and tried again from the last checkpoint that was kept."""
        try:
            await self.certify()
        except (AuditSinkError, CheckpointInvalidError) as error:
            self._tell("checkpoints", f"{error.code}: {error}")
            await self.close()
        except Exception as error:  # noqa: BLE001 - a notary that ended would leave all that follows unsigned
            self._tell("checkpoints", "; ".join(outline(error)))
            await self.close()
        else:
            self._tell("checkpoints", None)

    async def certify(self) -> None:
        """Puts all that is new under checkpoints, copies them to the anchors, and deletes what is past its time.

        Raises `AuditSinkError`, `CheckpointInvalidError`. An anchor that fails is logged, and caught up with next time.
        """
        await self._recall()
        while await self._certify_some():
            pass
        anchored = await self._anchor()
        if self._keep is not None and anchored and await self._retire(self._surely_past() - self._keep):
            await self._anchor()
        await self._delete_retired()

    async def close(self) -> None:
        """Lets go of the chains."""
        for chain in list(self._followers):
            await self._drop(chain)

    async def _recall(self) -> None:
        """Goes on from the last checkpoint that was kept."""
        text = await self._books.ledger.last()
        if text != self._text:
            self._last = read_checkpoint(text, self._keys.public) if text is not None else None
            self._text = text
            for chain in list(self._followers):
                await self._drop(chain)

    @property
    def _spans(self) -> Mapping[str, Span]:
        return {span.chain: span for span in self._last.spans} if self._last else {}

    async def _certify_some(self) -> bool:
        """Whether there was something new, which is under a checkpoint now."""
        known = self._spans
        names = sorted({*known, *await self._books.archive.chains()})
        spans = [await self._try_next(known.get(name) or beginning(name)) for name in names]
        if all(span.first > span.last for span in spans):
            return False
        await self._sign(spans)
        return True

    async def _sign(self, spans: Sequence[Span]) -> None:
        number = self._last.number + 1 if self._last else 1
        previous = digest_of(self._text) if self._text is not None else ""
        checkpoint = Checkpoint(self._instance, number, previous, self._now(), spans)
        text = sign_checkpoint(checkpoint, self._keys.key)
        await self._books.ledger.append(number, text)
        self._last, self._text = checkpoint, text

    async def _try_next(self, before: Span) -> Span:
        """The span of what is new in a chain; empty where there is nothing, or nothing that goes on from the last, or
        where it cannot be read: the other chains need not wait for that.
        """
        try:
            return await self._next(before)
        except AuditSinkError as error:
            await self._drop(before.chain)
            self._tell(before.chain, str(error))
            return _nothing_after(before)

    async def _next(self, before: Span) -> Span:
        if before.chain not in self._followers:
            self._followers[before.chain] = self._books.archive.follow(before.chain, before.last)
        head, leaves = Head(before.last, bytes.fromhex(before.head)), list[bytes]()
        while len(leaves) < MOST_RECORDS and (lines := await self._followers[before.chain].read()):
            links = await asyncio.to_thread(_links, lines, head)
            leaves += [link.digest for link in links]
            head = links[-1].head if links else head
            if len(links) < len(lines):
                await self._drop(before.chain)
                fault = f"record {head.number + 1} does not go on from the one before; see `xinqiao audit verify`"
                self._tell(before.chain, fault)
                break
        else:
            self._tell(before.chain, None)
        tree = await asyncio.to_thread(root, leaves)
        return replace(before, first=before.last + 1, last=head.number, root=tree.hex(), head=head.digest.hex())

    async def _drop(self, chain: str) -> None:
        if chain in self._followers:
            await self._followers.pop(chain).close()

    async def _anchor(self) -> bool:
        """Whether every anchor has every checkpoint now."""
        return all([await self._anchored(name, anchor) for name, anchor in self._books.anchors.items()])

    async def _anchored(self, name: str, anchor: Ledger) -> bool:
        try:
            text = await anchor.last()
            for number, one in (await self._missing(text)).items():
                await anchor.append(number, one)
        except (AuditSinkError, CheckpointInvalidError) as error:
            return self._tell(name, f"{error.code}: {error}")
        return self._tell(name, None)

    async def _missing(self, text: str | None) -> Mapping[int, str]:
        """The checkpoints after this one by their numbers. Raises `CheckpointInvalidError` where it is none of ours."""
        if text == self._text:
            return {}
        if self._last and self._text and self._last.previous == (digest_of(text) if text else ""):
            return {self._last.number: self._text}
        done = read_checkpoint(text, self._keys.public).number if text is not None else 0
        rest = await self._books.ledger.all(max(done, 1))
        if done and (not rest or rest[0] != text):
            raise CheckpointInvalidError(f"its last checkpoint, number {done}, is not the one of that number here")
        return dict(enumerate(rest[1:] if done else rest, done + 1))

    def _surely_past(self) -> dt.datetime:
        """The earlier of what the wall clock says, and what it would had nobody set it."""
        began, started = self._began
        return min(self._now(), began + dt.timedelta(seconds=self._clock() - started))

    async def _retire(self, before: dt.datetime) -> bool:
        """Whether a new checkpoint says that fewer records are kept."""
        spans = [
            _since(span, await self._books.archive.expired(span.chain, before, span.last))
            for span in self._spans.values()
        ]
        if [span.since for span in spans] == [span.since for span in self._spans.values()]:
            return False
        await self._sign([_nothing_after(span) for span in spans])
        return True

    async def _delete_retired(self) -> None:
        """Deletes what the last checkpoint says is not kept, once every anchor says so too."""
        if self._keep is None or not self._spans or self._faults.keys() & self._books.anchors.keys():
            return
        for span in self._spans.values():
            await self._books.archive.retire(span.chain, span.since)

    def _tell(self, what: str, fault: str | None) -> bool:
        """Logs a fault when it is new, and its end. Whether there is none."""
        before = self._faults.pop(what, None)
        if fault is not None:
            self._faults[what] = fault
            if fault != before:
                _log.error("audit log is not certified", part=what, reason=fault)
        elif before is not None:
            _log.info("audit log is certified again", part=what)
        return fault is None


def _nothing_after(span: Span) -> Span:
    return replace(span, first=span.last + 1, root=root([]).hex())


def _links(lines: Iterable[bytes], head: Head) -> list[Link]:
    """The links of the lines as far as they go on from `head`."""
    links = []
    for line in lines:
        link = read_link(line)
        if link is None or (link.number, link.previous) != (head.number + 1, head.digest):
            break
        links.append(link)
        head = link.head
    return links


def _since(span: Span, kept: Link | None) -> Span:
    """The span with the oldest record to keep."""
    if kept is None or kept.number <= span.since:
        return span
    return replace(span, since=kept.number, previous=kept.previous.hex())
