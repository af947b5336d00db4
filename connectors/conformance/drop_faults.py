"""Cases of bad days for systems that drop files: copies of the newest drop, as careless agencies leave them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from connectors.conformance.bad_days import PATIENT, expect_failure, expect_nothing_lost, expect_truth
from connectors.conformance.trial import Case, Subject, Trial, Unfit
from connectors.contract import FailureCode, Supply
from connectors.drops.names import NUMBER, newest_drop
from connectors.kinds import Transport

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a drop that is copied for the cases."""

_GONE: Final = frozenset({FailureCode.AGENCY_UNAVAILABLE, FailureCode.AGENCY_TIMEOUT})
_PATIENCE: Final = 3 * PATIENT


@dataclass(frozen=True, slots=True)
class Copy:
    """A directory with a copy of the newest drop: the path of its last file, and what that holds; the others of a drop
    of several files, which lie there already; and its marker.
    """

    path: Path
    content: bytes
    others: Mapping[Path, bytes]
    marker: Path | None

    def write_others(self) -> None:
        """Writes the other files."""
        for path, content in self.others.items():
            path.write_bytes(content)

    def write(self, content: bytes) -> None:
        """Writes the drop under another name, and renames it, as a careful agency does."""
        draft = self.path.parent / ".draft"
        draft.write_bytes(content)
        draft.replace(self.path)

    def write_over(self, content: bytes) -> None:
        """Writes the drop in place, as a careless one does."""
        self.path.write_bytes(content)


def _half(content: bytes) -> bytes:
    """The first half, which does not end with a line."""
    return content[: len(content) // 2].rstrip(b"\r\n\x00") + b"x"


def _need_ends(trial: Trial) -> None:
    """Raises `Unfit` where not the end of its last line tells that a drop is whole."""
    if getattr(trial.subject.dataset, "unended", False):
        raise Unfit("the marker tells that a drop is whole")


def _spoilt(content: bytes) -> bytes:
    """With bytes all over it that are no text in any encoding that is read."""
    step = max(len(content) // 100, 1)
    pieces = (content[start : start + step] for start in range(0, len(content), step))
    return b"\xff\xff\xff".join(pieces)


def _bad_at_first(name: str, what: str, made: Callable[[bytes], bytes]) -> Case:
    async def run(trial: Trial) -> None:
        if made is _half:
            _need_ends(trial)
        async with _copied(trial) as (copy, subject):
            copy.write(made(copy.content))
            async with subject.opened() as supply:
                await expect_failure(trial, subject, supply, _GONE)
                copy.write(copy.content)
                await expect_truth(trial, subject, supply)

    shows = f"a drop that is {what} does not count, and the next one does"
    return Case(f"drop-{name}", shows, run, Transport.DROP)


async def half_written_over(trial: Trial) -> None:
    """A good drop is written over by half of one, and then by the whole."""
    _need_ends(trial)
    async with _served(trial) as (copy, subject, supply):
        copy.write_over(_half(copy.content))
        await expect_nothing_lost(trial, subject, supply)
        copy.write_over(copy.content)
        await expect_truth(trial, subject, supply)


async def half_beside(trial: Trial) -> None:
    """Half of a drop takes the place of a good one: the good one goes on, or nothing does."""
    _need_ends(trial)
    async with _served(trial) as (copy, subject, supply):
        copy.write(_half(copy.content))
        for _ in range(3):
            await expect_nothing_lost(trial, subject, supply)
        copy.write(copy.content)
        await expect_truth(trial, subject, supply)


async def gone(trial: Trial) -> None:
    """There is no drop any more, and then there is one again."""
    async with _served(trial) as (copy, subject, supply):
        for path in (copy.path, *copy.others):
            path.unlink()
        await expect_failure(trial, subject, supply, _GONE)
        copy.write_others()
        copy.write(copy.content)
        await expect_truth(trial, subject, supply)


async def unmarked(trial: Trial) -> None:
    """A drop without its marker does not count."""
    async with _copied(trial) as (copy, subject):
        if copy.marker is None:
            raise Unfit("drops have no marker")
        copy.write(copy.content)
        copy.marker.unlink()
        async with subject.opened() as supply:
            await expect_failure(trial, subject, supply, _GONE)


async def part_missing(trial: Trial) -> None:
    """A drop of several files lacks one of them, and then has it."""
    dataset: Any = trial.subject.dataset
    if dataset.parts is None:
        raise Unfit("a drop is one file")
    if dataset.parts.count is None and NUMBER not in dataset.file:
        raise Unfit("nothing but its marker says that a part is missing")
    async with _copied(trial) as (copy, subject), subject.opened() as supply:
        await expect_failure(trial, subject, supply, _GONE)
        copy.write(copy.content)
        await expect_truth(trial, subject, supply)


CASES: Final = (
    _bad_at_first("half-written", "half-written", _half),
    _bad_at_first("empty", "empty", lambda _: b""),
    _bad_at_first("wrong-encoding", "no text in its encoding", _spoilt),
    Case(
        "drop-written-over",
        "a drop that is written over in place loses nothing meanwhile",
        half_written_over,
        Transport.DROP,
    ),
    Case(
        "drop-replaced-by-half", "a half-written drop in a good one's place loses nothing", half_beside, Transport.DROP
    ),
    Case("drop-gone", "an agency without a drop has failed, and is back with one", gone, Transport.DROP),
    Case("drop-part-missing", "a drop does not count before all its parts are there", part_missing, Transport.DROP),
    Case("drop-unmarked", "a drop does not count before its marker is there", unmarked, Transport.DROP),
)


@asynccontextmanager
async def _copied(trial: Trial) -> AsyncIterator[tuple[Copy, Subject]]:
    """A directory of the case's own, and the subject that reads there. The drop is not written yet."""
    if not trial.has_records():
        raise Unfit("none of the companies has a record that could be lost")
    dataset: Any = trial.subject.dataset
    connection: Any = trial.subject.manifest.connection
    drop = await asyncio.to_thread(newest_drop, Path(connection.path), dataset.names)
    if drop is None:
        raise Unfit("there is no drop")
    if sum(stamp.size for stamp in drop.stamps) > LARGEST:
        raise Unfit(f"the drop is larger than {LARGEST >> 20} MB: not copied")
    with TemporaryDirectory(prefix="xinqiao-conformance-") as directory:
        held = {Path(directory) / path.name: path.read_bytes() for path in (*drop.files, *drop.markers)}
        paths = [Path(directory) / path.name for path in drop.files]
        others = {path: held[path] for path in paths[:-1]}
        markers = [path for path in held if path not in paths]
        copy = Copy(paths[-1], held[paths[-1]], others, markers[0] if markers else None)
        copy.write_others()
        for path in markers:
            path.write_bytes(held[path])
        changes = {"path": directory, "sftp": None}
        yield copy, trial.subject.changed(changes, _PATIENCE)


@asynccontextmanager
async def _served(trial: Trial) -> AsyncIterator[tuple[Copy, Subject, Supply]]:
    """As `_copied`, with the drop written, and served."""
    async with _copied(trial) as (copy, subject):
        copy.write(copy.content)
        async with subject.opened() as supply:
            await expect_truth(trial, subject, supply)
            yield copy, subject, supply
