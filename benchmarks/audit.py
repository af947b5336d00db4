"""The audit log: how long until a line is durable, by how many write at once, beside the file system's own time."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from benchmarks.tables import Effort, Section, Table, microseconds, milliseconds, number
from gateway.audit.files import FileSink, Rotation
from gateway.audit.log import AuditLog

WRITERS: Final = (1, 16, 64)
LINES: Final = 6_400
LINES_QUICK: Final = 640
SHARES: Final = (0.5, 0.99, 0.999)


def measure(effort: Effort) -> Section:
    """The section of the report. The log is written in the folder for temporary files."""
    lines = LINES_QUICK if effort.quick else LINES
    with TemporaryDirectory(prefix="audit-") as folder:
        directory = Path(folder)
        own = sorted(_synced(directory / "own", len(_line(0)["decisions"]) * 100, lines // 4))
        rows = [("write and fsync of the file system", "", *map(milliseconds, _shares(own)), "")]
        for writers in WRITERS:
            times, cpu = uvloop.run(_appended(directory / f"{writers}.jsonl", writers, lines))
            figures = map(milliseconds, _shares(sorted(times)))
            rows.append(("append", str(writers), *figures, microseconds(cpu / lines)))
    return Section(
        "Audit",
        f"`AuditLog.append` returns when its line is on the disk; lines that wait together are written together. "
        f"{number(lines, 4)} lines of {len(str(_line(0))):,} characters.",
        [Table(("", "writers at once", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs a line"), rows)],
    )


def _line(count: int) -> Mapping[str, Any]:
    """A line like that of a request about one company."""
    return {
        "at": dt.datetime.now(dt.UTC),
        "requestId": f"benchmark-{count}",
        "subject": "bank-officer",
        "organisation": "first-bank",
        "companies": ["91330100XQ000CT7XF"],
        "decisions": [
            {"agency": "registry", "coordinate": f"Registration.field{n}", "decision": "CLEAR", "rule": "public-data"}
            for n in range(40)
        ],
    }


def _synced(file: Path, size: int, times: int) -> Sequence[float]:
    """Seconds of a write of so many bytes and its fsync, each time."""
    content, found = b"x" * size, []
    with file.open("ab", buffering=0) as opened:
        for _ in range(times):
            began = time.perf_counter()
            opened.write(content)
            os.fsync(opened.fileno())
            found.append(time.perf_counter() - began)
    return found


async def _appended(file: Path, writers: int, lines: int) -> tuple[Sequence[float], float]:
    """Seconds of each append, and the CPU seconds of all."""
    found: list[float] = []

    async def write(log: AuditLog, count: int) -> None:
        for index in range(count):
            line = _line(index)
            began = time.perf_counter()
            await log.append(line)
            found.append(time.perf_counter() - began)

    async with AuditLog(FileSink(file, "benchmark", Rotation(1 << 30, 86_400))) as log:
        before = time.process_time()
        await asyncio.gather(*(write(log, lines // writers) for _ in range(writers)))
        return found, time.process_time() - before


def _shares(ordered: Sequence[float]) -> Sequence[float]:
    return [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in SHARES]
