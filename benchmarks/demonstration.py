"""Latency and CPU of the gateway over the demonstration nation, its agencies as slow and as dirty as they are."""

from __future__ import annotations

import http.client
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from benchmarks.tables import Effort, Section, Table, milliseconds

QUERY: Final = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
  registration { status record { name legalRepresentative status { code label } establishedOn } }
  penalties { status records { decidedOn severity { code } amount { amount } responsiblePerson } }
  judgmentDefaults { status records { caseNumber filedOn amountDue { amount } } }
  customsStanding { status record { grade { code } registeredOn } }
  environmentCredits { status records { year grade { code } } } } }"""
SIZES: Final = (1, 10, 100)
ROUNDS: Final = 30


@dataclass(frozen=True)
class Figures:
    """Seconds: the median and the slowest hundredth of the latency, and the gateway's CPU time a request."""

    median: float
    slowest: float
    cpu: float


@contextmanager
def demonstration() -> Iterator[tuple[subprocess.Popen[bytes], Mapping[str, Any]]]:
    """The running demonstration: its process, and what it said of itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from gateway.cli import app; app()", "demo", "--json", "--port", "0"],
        stdout=subprocess.PIPE,
    )
    try:
        yield process, json.loads(process.stdout.readline() if process.stdout else b"")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _asked(process: psutil.Process, said: Mapping[str, Any], samples: Sequence[Sequence[str]]) -> Figures:
    """Asks about each sample in turn. Raises `RuntimeError` for an answer that is not whole."""
    address = urlsplit(said["url"])
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {said['tokens']['bank']}"}
    before, seconds = process.cpu_times(), []
    for codes in samples:
        body = json.dumps({"query": QUERY, "variables": {"codes": list(codes)}})
        started = time.perf_counter()
        connection.request("POST", address.path, body, headers)
        answer = json.loads(connection.getresponse().read())
        seconds.append(time.perf_counter() - started)
        if len(answer["data"]["enterprises"]) != len(codes):
            raise RuntimeError("the answer lacks companies")
    after = process.cpu_times()
    cpu = max(0.0, after.user + after.system - before.user - before.system) / len(samples)
    return Figures(statistics.median(seconds), max(seconds), cpu)


def measure(effort: Effort) -> Section:
    """The section of the report."""
    rounds = ROUNDS // 3 if effort.quick else ROUNDS
    rows = []
    with demonstration() as (process, said):
        gateway, codes = psutil.Process(process.pid), said["codes"]
        _asked(gateway, said, [codes[:1]] * 20)
        for size in SIZES:
            starts = range(0, len(codes) - size + 1, size)
            cold = [codes[start : start + size] for start in starts][1 : rounds + 1]
            for name, samples in (("new", cold), ("the same", [codes[:size]] * rounds)):
                found = _asked(gateway, said, samples)
                figures = map(milliseconds, (found.median, found.slowest, found.cpu))
                rows.append((f"{size}", name, *figures))
    return Section(
        "The demonstration",
        "`xinqiao demo`, a database, drops of files and web services of its own: one request at a time, about new "
        "companies, and about the same ones while their rows may still be kept.",
        [Table(("companies", "which", "median ms", "slowest ms", "gateway's CPU ms"), rows)],
    )
