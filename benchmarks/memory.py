"""Memory of the gateway: what a connection, a plan and a row that is kept add to it, and whether it stays."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

import psutil

from benchmarks.contender import Running
from benchmarks.load import NUMBERS, Load, LoadFailedError, companies, loaded
from benchmarks.tables import Curves, Effort, Section, Series, Table, number
from benchmarks.under_load import GATEWAY_CORE, LOAD_CORE, check_answers, started
from benchmarks.upstream import compiled, serving
from benchmarks.workload import AGENCIES
from benchmarks.xinqiao import Xinqiao

IDLE: Final = 1_000
BUSY: Final = 200
PLANS: Final = 300
COMPANIES: Final = 5_000
QUICK_SHARE: Final = 10
"""By which all of these are divided where it has to be quick."""

SLOW: Final = 1.0
"""Seconds that each agency takes while connections are busy."""

SLICES: Final = 20
STEADY_FROM: Final = 0.25
"""The share of a soak after which memory is to stay as it is: caches and the allocator's pools are full then."""


def resident(process: int) -> int:
    """Bytes that a process and its children keep in memory, what they share counted once for each."""
    root = psutil.Process(process)
    return sum(one.memory_info().rss for one in (root, *root.children(recursive=True)))


def measure(effort: Effort) -> Section:
    """The section of the report."""
    share = QUICK_SHARE if effort.quick else 1
    rows: list[Sequence[str]] = []

    def add(what: str, count: int, size: float) -> None:
        rows.append((what, f"{count:,}", number(size / 1024)))

    plain, new, kept = Xinqiao("plain"), Xinqiao("new", new_texts=True), Xinqiao("kept", time_to_live=3_600)
    with started([plain, new, kept]) as running:
        for gateway in (plain, new, kept):
            _ask_many(running[gateway.name], gateway, 1, 200)
        at_rest = resident(running["plain"].process)
        add("connection, idle", IDLE // share, _idle(running["plain"], plain, IDLE // share))
        add("plan and operation that are kept", PLANS // share, _plans(running["new"], new, PLANS // share))
        add("row that is kept", *_rows(running["kept"], kept, COMPANIES // share))
    with _slow(plain) as server:
        add("connection, busy: about one company, while six agencies think", *_busy(server, plain, BUSY // share))
    return Section(
        "Memory",
        "Differences of the resident memory of the gateway's processes, divided by how many there were. After hundreds "
        f"of requests it is {at_rest / 2**20:,.0f} MiB, the process that compiles policies included.",
        [Table(("one more", "of", "KiB each"), rows)],
    )


def soak(effort: Effort) -> Section:
    """A load that lasts: whether memory stays as it is."""
    gateway = Xinqiao(time_to_live=5)
    length = max(1.0, effort.soak / SLICES)
    slices = round(effort.soak / length)
    draw = Random(1)  # noqa: S311 - codes, no secret
    points: list[tuple[float, float]] = []
    with started([gateway]) as running:
        server = running[gateway.name]
        for index in range(slices):
            load = Load(100, 2, length) if index % 4 == 3 else Load(1, 16, length)  # noqa: PLR2004 - every fourth
            loaded(server, gateway.question(1), load, first=draw.randrange(NUMBERS), core=LOAD_CORE)
            points.append(((index + 1) * length, resident(server.process) / 2**20))
    steady = [size for second, size in points if second >= effort.soak * STEADY_FROM]
    return Section(
        "Soak",
        f"{number(effort.soak)} seconds of requests about new companies, one at a time and a hundred, rows kept for "
        "five seconds each.",
        [
            Table(
                ("", "MiB"),
                [
                    ("at the first look", number(points[0][1])),
                    (f"at {STEADY_FROM:.0%} of the time", number(steady[0])),
                    ("at the end", number(steady[-1])),
                    ("the most after the first quarter", number(max(steady))),
                ],
            )
        ],
        [
            Curves(
                "benchmark-soak",
                "Memory under lasting load",
                "seconds",
                "MiB",
                [Series("resident", points)],
                logarithmic=False,
            )
        ],
    )


def _ask_many(server: Running, gateway: Xinqiao, size: int, requests: int) -> None:
    """So many requests about so many new companies each, one after the other."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    first = Random(f"{gateway.name}{requests}").randrange(NUMBERS)  # noqa: S311 - codes, no secret
    codes = companies(first, size * requests)
    for index in range(requests):
        body = gateway.question(size).body(codes[index * size : (index + 1) * size])
        body = body.replace(b"@@", str(first + index).encode())
        connection.request("POST", address.path, body, {"Content-Type": "application/json", **server.headers})
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK or b'"errors"' in answer.read():
            raise LoadFailedError(f"{gateway.name}: an answer is not whole")
    connection.close()


def _idle(server: Running, gateway: Xinqiao, count: int) -> float:
    """Bytes of a connection that had one request and waits for another."""
    address = urlsplit(server.url)
    before = resident(server.process)
    body = gateway.question(1).body(companies(1, 1))
    with ExitStack() as stack:
        for _ in range(count):
            connection = http.client.HTTPConnection(address.netloc, timeout=60)
            stack.callback(connection.close)
            connection.request("POST", address.path, body, {"Content-Type": "application/json", **server.headers})
            connection.getresponse().read()
        return (resident(server.process) - before) / count


def _plans(server: Running, gateway: Xinqiao, count: int) -> float:
    """Bytes of an operation that was asked once, with its plan."""
    before = resident(server.process)
    _ask_many(server, gateway, 1, count)
    return (resident(server.process) - before) / count


def _rows(server: Running, gateway: Xinqiao, count: int) -> tuple[int, float]:
    """How many rows the companies have, and the bytes of one."""
    rows = sum(agency.rows for agency in AGENCIES) * count
    before = resident(server.process)
    _ask_many(server, gateway, 100, count // 100)
    return rows, (resident(server.process) - before) / rows


@contextmanager
def _slow(gateway: Xinqiao) -> Iterator[Running]:
    """The gateway over agencies that take long."""
    with (
        compiled() as program,
        serving(program, gateway.answers, core=LOAD_CORE, delay=SLOW) as upstream,
        gateway.start(upstream.address, GATEWAY_CORE) as server,
    ):
        check_answers(gateway, server)
        yield server


def _busy(server: Running, gateway: Xinqiao, count: int) -> tuple[int, float]:
    """How many connections were busy at once, and the bytes of one."""
    address = urlsplit(server.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items())
    before = resident(server.process)
    with ExitStack() as stack:
        for code in companies(77, count):
            body = gateway.question(1).body([code])
            head = (
                f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n{headers}"
            )
            opened = socket.create_connection((address.hostname or "", address.port or 80), 10)
            stack.callback(opened.close)
            opened.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        largest = 0
        waiting = threading.Event()
        for _ in range(int(SLOW * 10) - 2):
            waiting.wait(0.1)
            largest = max(largest, resident(server.process))
        return count, (largest - before) / count
