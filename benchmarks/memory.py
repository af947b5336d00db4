"""Memory of the gateway: what a connection, a plan and a row that is kept add to it, and whether it stays."""

from __future__ import annotations

import http.client
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
CHUNK: Final = 100
LOOKS: Final = 10
"""How often a second memory is looked at while connections are busy."""

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

    gateway = Xinqiao(time_to_live=3_600, new_texts=True)
    with started([gateway]) as running:
        server = running[gateway.name]
        _ask(server, gateway, [companies(1, 1)] * 200)
        at_rest = resident(server.process)
        add("connection, idle", IDLE // share, _idle(server, gateway, IDLE // share))
        add("plan and operation that are kept", PLANS // share, _plans(server, gateway, PLANS // share))
        add("row that is kept", *_rows(server, gateway, COMPANIES // share))
    with _slow(Xinqiao()) as server:
        count = BUSY // share
        add("connection, busy: about one company, while six agencies think", count, _busy(server, Xinqiao(), count))
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


def _ask(server: Running, gateway: Xinqiao, requests: Sequence[Sequence[str]], *, new_texts: bool = False) -> None:
    """One request about each of these sets of companies, one after the other, with the same text or new ones."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    for index, codes in enumerate(requests):
        _send(connection, server, gateway, codes, number=index if new_texts else 0)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK or b'"errors"' in answer.read():
            raise LoadFailedError(f"{gateway.name}: an answer is not whole")
    connection.close()


def _send(
    connection: http.client.HTTPConnection, server: Running, gateway: Xinqiao, codes: Sequence[str], *, number: int
) -> None:
    body = gateway.question(len(codes)).body(codes).replace(b"@@", str(number).encode())
    connection.request("POST", urlsplit(server.url).path, body, {"Content-Type": "application/json", **server.headers})


def _idle(server: Running, gateway: Xinqiao, count: int) -> float:
    """Bytes of a connection that had one request and waits for another."""
    before = resident(server.process)
    with ExitStack() as stack:
        for _ in range(count):
            connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
            stack.callback(connection.close)
            _send(connection, server, gateway, companies(1, 1), number=0)
            connection.getresponse().read()
        return (resident(server.process) - before) / count


def _plans(server: Running, gateway: Xinqiao, count: int) -> float:
    """Bytes of an operation that was asked once, with its plan."""
    before = resident(server.process)
    _ask(server, gateway, [companies(1, 1)] * count, new_texts=True)
    return (resident(server.process) - before) / count


def _rows(server: Running, gateway: Xinqiao, count: int) -> tuple[int, float]:
    """How many rows the companies have, and the bytes of one."""
    rows = sum(agency.rows for agency in AGENCIES) * count
    codes = companies(2, count)
    before = resident(server.process)
    _ask(server, gateway, [codes[start : start + CHUNK] for start in range(0, count, CHUNK)])
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


def _busy(server: Running, gateway: Xinqiao, count: int) -> float:
    """Bytes of a connection whose request waits for the agencies."""
    before = resident(server.process)
    with ExitStack() as stack:
        for code in companies(77, count):
            connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
            stack.callback(connection.close)
            _send(connection, server, gateway, [code], number=0)
        largest = before
        waiting = threading.Event()
        for _ in range(int(SLOW * LOOKS)):
            waiting.wait(1 / LOOKS)
            largest = max(largest, resident(server.process))
        return (largest - before) / count
