"""How long others wait while large questions are worked on: what of the event loop these take at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Final
from urllib.parse import urlsplit

from benchmarks.contender import Running
from benchmarks.load import Load, LoadFailedError, loaded
from benchmarks.tables import Effort, Section, Table, milliseconds
from benchmarks.under_load import LOAD_CORE, started
from benchmarks.xinqiao import Xinqiao

PAUSE: Final = 0.002
"""Seconds between two small questions."""

PATH: Final = "/healthz"
"""Answered at once: what it takes is what it waits."""


def measure(effort: Effort) -> Section:
    """The section of the report."""
    gateway = Xinqiao()
    rows = []
    with started([gateway]) as running:
        server = running[gateway.name]
        for load in (None, *(Load(1_000, connections, effort.seconds) for connections in (1, 4))):
            with waiting(server) as waits:
                if load:
                    loaded(server, gateway.question(load.companies), load, first=load.connections, core=LOAD_CORE)
                else:
                    time.sleep(effort.seconds)
            beside = f"{load.companies:,} companies, {load.connections} at once" if load else "nothing"
            rows.append((beside, *map(milliseconds, _figures(waits))))
    return Section(
        "Beside large questions",
        f"Somebody asks {PATH} every {PAUSE * 1e3:.0f} ms, which needs but a moment of the event loop, while others "
        "ask about a thousand companies.",
        [Table(("beside", "p50 ms", "p99 ms", "longest ms"), rows)],
    )


@contextmanager
def waiting(server: Running) -> Iterator[Sequence[float]]:
    """Asks small questions one after another meanwhile; how long each waited, in seconds, once that is over.

    Raises `LoadFailedError` where one is not answered.
    """
    waits: list[float] = []
    faults: list[Exception] = []
    over = Event()
    address = urlsplit(server.url)

    def ask() -> None:
        try:
            with closing(HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
                while not over.wait(PAUSE):
                    began = time.perf_counter()
                    connection.request("GET", PATH)
                    connection.getresponse().read()
                    waits.append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits for it
            faults.append(error)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield waits
    finally:
        over.set()
        asking.join()
    if faults:
        raise LoadFailedError(f"{PATH}: {faults[0]}") from faults[0]


def _figures(waits: Sequence[float]) -> Sequence[float]:
    ordered = sorted(waits)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
