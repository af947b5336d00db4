"""CPU time of a call to an agency over each lane, one at a time and six at once.

In place of the fast lane others were measured with the same server and loop (uvloop), CPU microseconds for one call
and for six at once, as shares of one run: fast lane 1 and 1, pyreqwest 0.15 1.5 and 2.2, aiohttp 3.14 2.3 and 3.1,
httpx 0.28 with connections kept alive 15 and 45.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Final, cast

import uvloop

from benchmarks.tables import Effort, Section, Table, number
from connectors.fast_lane import FastLane
from connectors.httpx_lane import HttpxLane
from connectors.lane import Bodies, Lane
from connectors.outgoing import Outgoing
from connectors.reach import Reach

CALLS: Final = {"fast": 3000, "httpx": 300}
AT_ONCE: Final = 6
ROW: Final = {
    "code": "91330106MA000001XX",
    "number": "2026-1",
    "amount": 12345.67,
    "on": "2026-04-01",
    "facts": "x" * 40,
}
CONTENT: Final = json.dumps({"rows": [ROW] * 5}).encode()
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nserver: benchmark\r\ndate: Wed, 01 Apr 2026 00:00:00 GMT\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(CONTENT)
) + CONTENT


class Agency(asyncio.Protocol):
    """Gives the same answer to each request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport, self._read = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        *requests, self._read = (self._read + data).split(b"\r\n\r\n")
        for _ in requests:
            self._transport.write(ANSWER)


async def _serve() -> None:
    """Serves until standard input ends; says its port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Agency, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def _agency() -> Iterator[str]:
    """The address of an agency in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.lanes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  (this very file)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else b'')}"
    finally:
        process.communicate(timeout=30)


async def _call(lane: Lane, number: int) -> None:
    """One call. Raises `RuntimeError` for an answer that is not whole."""
    deadline = asyncio.get_running_loop().time() + 30
    answer = await lane.send(Outgoing("GET", f"/companies/{number:018}", "", {}, b""), deadline)
    if answer.content != CONTENT:
        raise RuntimeError("the answer is not whole")


async def _round(lane: Lane, calls: int) -> tuple[float, float]:
    """CPU microseconds of one call, and of six at once."""
    await asyncio.gather(*(_call(lane, call) for call in range(AT_ONCE)))
    start = time.process_time()
    for one in range(calls):
        await _call(lane, one)
    middle = time.process_time()
    for _ in range(calls // AT_ONCE):
        await asyncio.gather(*(_call(lane, call) for call in range(AT_ONCE)))
    end = time.process_time()
    return (middle - start) / calls * 1e6, (end - middle) / (calls // AT_ONCE) * 1e6


async def _measured(address: str, rounds: int) -> Mapping[str, Sequence[float]]:
    """Microseconds of one call and of six at once, by lane: medians over rounds in which the lanes take turns."""
    headers = {"Accept": "application/json", "User-Agent": "xinqiao"}
    reach = Reach(plain=(ip_network("127.0.0.0/8"),))
    lanes: dict[str, Lane] = {
        name: kind(address, headers, connections=100, bodies=Bodies(1_000_000), tls=None, reach=reach)
        for name, kind in (("fast", FastLane), ("httpx", HttpxLane))
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in lanes}
    for _ in range(rounds):
        for name, lane in lanes.items():
            figures[name].append(await _round(lane, CALLS[name]))
    for lane in lanes.values():
        await lane.close()
    return {
        name: [statistics.median(column) for column in zip(*several, strict=True)] for name, several in figures.items()
    }


def measure(effort: Effort) -> Section:
    """The section of the report."""
    with _agency() as url:
        found = uvloop.run(_measured(url, effort.rounds))
    rows = []
    for name, times in found.items():
        shares = [number(mine / fast) for mine, fast in zip(times, found["fast"], strict=True)]
        rows.append((name, number(times[0]), shares[0], number(times[1]), shares[1]))
    return Section(
        "Lanes to agencies",
        "Calls to an agency that answers at once, over each lane (`connectors/lane.py`), as CPU time of the caller.",
        [Table(("lane", "µs, one call", "share", "µs, six at once", "share"), rows)],
    )


if __name__ == "__main__":
    uvloop.run(_serve())
