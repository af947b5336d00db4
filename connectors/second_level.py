"""The second level of the cache of raw rows: what other processes and machines asked, sealed, in a store they share.

An entry is served for the seconds that the manifest allows since the agency was asked, by this machine's clock, and not
at all where that was in its future by more than `SKEW`: so the clocks of machines that share a store must agree to
within that, and rows are at most that much older than they seem.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Final

import structlog

from connectors.contract import CompanyKey, CompanyRows, FetchRequest, RecordShape
from connectors.entries import FORMAT, Entry, EntryFormat
from connectors.kindness.shared_day import Add
from connectors.lifetimes import Lifetimes
from connectors.manifest import DatasetManifest, Manifest
from connectors.pace_store import StorePace
from connectors.place_store import PlaceStore, StorePlaces
from connectors.row_store import RowStore
from connectors.seal import Seal
from connectors.shelf import question_of
from connectors.trips import Trips
from connectors.turns import Turn

SKEW: Final = 1.0
"""Seconds by which the clocks of two machines may differ."""

MOST_ROWS: Final = 1_000
"""The most rows of a company that are kept here: writing and reading more of them at once would hold the loop."""

MOST_WAITING: Final = 20_000
"""The most companies whose rows wait to be put; those of further ones are not."""

CHUNK: Final = 100
"""The most entries that are put in one trip."""

SHORTEST: Final = 0.1
"""Seconds for which rows must be fresh yet, to be put at all."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that were found: the columns that they hold, and for how many seconds more they are fresh (none, where they
    may only stand in for an agency that fails).
    """

    columns: frozenset[str]
    rows: CompanyRows
    left: float


@dataclass(slots=True)
class Counts:
    """How many entries were found, in time and whole; not found; found, but of no use; put; and left out."""

    found: int = 0
    absent: int = 0
    unusable: int = 0
    put: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class DatasetEntries:
    """A dataset's entries: their format, and a digest of all that makes the dataset's rows what they are."""

    format: EntryFormat
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Put:
    """Answers that wait to be put, as these entries: when they were asked for (Unix epoch), and are kept until (the
    loop's clock).
    """

    request: FetchRequest
    entries: DatasetEntries
    answers: Sequence[tuple[CompanyKey, CompanyRows]]
    asked_at: float
    kept_until: float


class SecondLevel:
    """Rows in a store that is shared; by `trips` there instances agree on calls. Whoever made it closes it, inside the
    loop in which it was made.
    """

    def __init__(self, store: RowStore, trips: Trips, seal: Seal) -> None:
        self.counts = Counts()
        self._store = store
        self._trips = trips
        self._places = PlaceStore(trips)
        self._seal = seal
        self._datasets: dict[str, DatasetEntries] = {}
        self._puts: list[_Put] = []
        self._waiting = 0
        self._wake = asyncio.Event()
        self._putting = asyncio.create_task(self._put_all(), name="puts to the cache's second level")

    @property
    def failures(self) -> int:
        """How many trips to the store failed."""
        return self._store.reading.failures + self._store.writing.failures + self._trips.outages.failures

    def know(self, name: str, entries: DatasetEntries) -> None:
        """Keeps rows under this name (`FetchRequest.dataset`) from now on."""
        self._datasets[name] = entries

    async def look(
        self, request: FetchRequest, codes: Sequence[CompanyKey], lifetimes: Lifetimes
    ) -> dict[CompanyKey, Kept]:
        """What is kept of these companies, with all the asked columns: fresh, or of use where the agency fails."""
        if request.deadline - asyncio.get_running_loop().time() <= self._store.deadline:
            return {}
        entries = self._datasets[request.dataset]
        name = self._seal.names(entries.digest + question_of(request).encode())
        names = [name(code) for code in codes]
        values = await self._store.get(names)
        found: dict[CompanyKey, Kept] = {}
        turn = Turn()
        for code, entry_name, value in zip(codes, names, values, strict=True):
            if value is None:
                self.counts.absent += 1
                continue
            if turn.is_over():
                await turn.pass_on()
            kept = self._read(request, entries.format, entry_name, value, lifetimes)
            if kept is None:
                self.counts.unusable += 1
            else:
                self.counts.found += 1
                found[code] = kept
        return found

    def put(
        self,
        request: FetchRequest,
        answers: Iterable[tuple[CompanyKey, CompanyRows]],
        asked_at: float,
        kept_until: float,
    ) -> None:
        """Sees to it that the answers are put, without waiting for it."""
        kept = [(code, rows) for code, rows in answers if len(rows.rows) <= MOST_ROWS]
        if self._waiting + len(kept) > MOST_WAITING:
            self.counts.left_out += len(kept)
        elif kept:
            self._waiting += len(kept)
            self._puts.append(_Put(request, self._datasets[request.dataset], kept, asked_at, kept_until))
            self._wake.set()

    def counter(self, what: str) -> Add:
        """What counts days in the store, for whatever has this name."""
        name = self._seal.names(f"calls of {what}".encode())

        async def add(day: str, number: int, known: int, seconds: float) -> int | None:
            return await self._store.add(name(day), number, known, seconds)

        return add

    def places(self, what: str, most: int, longest: float) -> StorePlaces:
        """What lends the places at whatever has this name, of which there are so many; no request takes longer than
        `longest` (seconds).
        """
        name = self._seal.names(f"places at {what}".encode())
        return StorePlaces(self._places, [name("loans"), name("turn")], most, longest)

    def pace(self, what: str, between: float, longest: float) -> StorePace:
        """What lets a call leave in every `between` seconds to whatever has this name; `longest` as for `places`."""
        return StorePace(self._trips, self._seal.names(f"pace at {what}".encode())("due"), between, longest)

    async def close(self) -> None:
        """Gives up what waits to be put, and closes the store."""
        self._putting.cancel()
        await asyncio.gather(self._putting, return_exceptions=True)
        await self._places.close()
        await self._trips.close()
        await self._store.close()
        _log.info("the cache's second level is closed", failures=self.failures, **asdict(self.counts))

    def _read(
        self, request: FetchRequest, form: EntryFormat, name: bytes, value: bytes, lifetimes: Lifetimes
    ) -> Kept | None:
        content = self._seal.open(name, value)
        entry = form.read(content) if content is not None else None
        if entry is None or not request.columns <= entry.columns:
            return None
        age = time.time() - entry.asked_at
        time_to_live = lifetimes.of(entry.rows)
        if not -SKEW <= age < time_to_live + lifetimes.stale:
            return None
        # One set of columns for all entries alike, not one for each.
        columns = request.columns if entry.columns == request.columns else entry.columns
        return Kept(columns, entry.rows, time_to_live - max(age, 0))

    async def _put_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            puts, self._puts, self._waiting = self._puts, [], 0
            by_dataset: dict[str, list[_Put]] = {}
            for put in puts:
                by_dataset.setdefault(put.request.dataset, []).append(put)
            for alike in by_dataset.values():
                try:
                    await self._put_dataset(alike)
                except Exception as error:  # noqa: BLE001  (whatever it is, the next answers must be put)
                    _log.warning("rows are not put to the cache's second level", reason=type(error).__name__)

    async def _put_dataset(self, puts: Sequence[_Put]) -> None:
        """Puts answers of one dataset, which are kept for about as long as each other, in few trips."""
        kept_until = min(put.kept_until for put in puts)
        chunk: list[tuple[bytes, bytes]] = []
        turn = Turn()
        for put in puts:
            name = self._seal.names(put.entries.digest + question_of(put.request).encode())
            for code, rows in put.answers:
                content = put.entries.format.write(Entry(put.asked_at, put.request.columns, rows))
                if content is None:
                    self.counts.left_out += 1
                    continue
                entry_name = name(code)
                chunk.append((entry_name, self._seal.close(entry_name, content)))
                if len(chunk) == CHUNK:
                    await self._put_chunk(chunk, kept_until)
                    chunk = []
                elif turn.is_over():
                    await turn.pass_on()
        await self._put_chunk(chunk, kept_until)

    async def _put_chunk(self, chunk: Sequence[tuple[bytes, bytes]], kept_until: float) -> None:
        left = kept_until - asyncio.get_running_loop().time()
        if chunk and left >= SHORTEST and await self._store.put(chunk, left):
            self.counts.put += len(chunk)
        else:
            self.counts.left_out += len(chunk)


def dataset_entries(manifest: Manifest, dataset: DatasetManifest, shape: RecordShape) -> DatasetEntries:
    """A dataset's entries. The manifest's connection is resolved: rows of another address or credential are others."""
    kinds = sorted((name, kind.value) for name, kind in shape.fields.items())
    parts = (
        f"{FORMAT} {manifest.agency} {manifest.kind} {manifest.none} {kinds}",
        manifest.connection.model_dump_json(),
        dataset.model_dump_json(),
    )
    return DatasetEntries(EntryFormat(shape.fields), blake2b("\x1f".join(parts).encode(), digest_size=32).digest())
