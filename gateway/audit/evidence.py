"""The audit log read as evidence of what is asked: the shapes of requests, counted."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from gateway.audit.database import DatabaseArchive
from gateway.audit.files import ROTATED
from gateway.audit.lines import read_lines
from policies.analysis.shapes import Decided, Evidence, Gathering
from policies.decision import Basis, CallerClass
from policies.policy import Act


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where an instance keeps its audit log: in files beside this one, or in a database."""

    file: Path
    instance: str = ""
    database: SecretStr | None = None


def log_files(path: Path, since: dt.datetime) -> tuple[Path, ...]:
    """The audit log, those of workers, and the rotated neighbours of each, oldest first: those written to since a
    moment, and of each log the one before them (which shows that it reaches back so far). None where there is no log.
    """
    logs: defaultdict[str, list[tuple[float, Path]]] = defaultdict(list)
    for file in path.parent.glob("*"):
        log = _log_of(path, file)
        if log is not None and file.is_file():
            logs[log].append((file.stat().st_mtime, file))
    found: list[tuple[float, Path]] = []
    for files in logs.values():
        files.sort()
        older = sum(modified < since.timestamp() for modified, _ in files)
        found += files[max(0, older - 1) :]
    return tuple(file for _, file in sorted(found))


def _log_of(path: Path, file: Path) -> str | None:
    """The name of the log that a file is, or was before it was rotated; None where it is another thing."""
    log = rf"{re.escape(path.stem)}(-[1-9][0-9]?)?{re.escape(path.suffix)}"
    named = re.fullmatch(rf"({log})({ROTATED.pattern})?", file.name)
    return named[1] if named else None


def read_evidence(files: Iterable[Path], since: dt.datetime) -> Evidence:
    """What was asked since a moment (with its offset), from audit logs, line by line.

    Refusals and administrators' acts only show how far the logs reach. A last line without its end is left out (it is
    being written); other lines that cannot be read are counted. Raises `OSError`. It reads for as long as the logs are
    long: run it in another process.
    """
    return _gather((line for file in files for line in read_lines(file)), since)


def read_log(place: LogPlace, since: dt.datetime) -> Evidence:
    """As `read_evidence`, of the log at this place. Raises `OSError`, `AuditSinkError`."""
    return _gather(log_lines(place, since), since)


def log_lines(place: LogPlace, since: dt.datetime) -> Iterator[bytes]:
    """The lines of the log since a moment, and some from before. There must be no event loop in this thread.

    Raises `OSError`, `AuditSinkError`.
    """
    if place.database is None:
        for file in log_files(place.file, since):
            yield from read_lines(file)
        return
    with asyncio.Runner() as runner:
        batches = _batches(place.database.get_secret_value(), place.instance, since)

        async def following() -> Sequence[bytes]:
            return await anext(batches, None) or ()

        while lines := runner.run(following()):
            yield from lines


async def _batches(url: str, instance: str, since: dt.datetime) -> AsyncIterator[Sequence[bytes]]:
    archive = DatabaseArchive(url, instance)
    try:
        for chain in await archive.chains():
            # One from before, too: it shows that nothing is missing since.
            follower = archive.follow(chain, await archive.last_before(chain, since) - 1)
            while lines := await follower.read():
                yield lines
    finally:
        await archive.close()


def _gather(lines: Iterable[bytes], since: dt.datetime) -> Evidence:
    gathering = Gathering()
    unread = sum(not _read(line, since, gathering) for line in lines)
    return gathering.evidence(unread)


def _read(line: bytes, since: dt.datetime, gathering: Gathering) -> bool:
    """Whether the line can be read; what it says is then gathered."""
    try:
        record = orjson.loads(line)
        at = dt.datetime.fromisoformat(record["at"])
        # A record from before shows that nothing is missing since.
        gathering.cover(max(at, since))
        if at >= since and record.get("outcome") == "ANSWERED":
            gathering.add(at, [_decided(record, one) for one in record["classes"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _decided(record: Mapping[str, Any], one: Mapping[str, Any]) -> Decided:
    caller = CallerClass(
        frozenset(record["roles"]),
        record["organisation"],
        record["purpose"],
        frozenset(map(Basis, one["bases"])),
        frozenset(one["scope"]),
    )
    cells = frozenset(
        (decision["agency"], Act(decision["act"]), decision["coordinate"], decision["rule"])
        for decision in one["decisions"]
    )
    return Decided(caller, cells, one["companies"])
