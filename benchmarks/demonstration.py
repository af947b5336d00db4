"""Latency and CPU of the gateway over the demonstration nation, as a Markdown table."""

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
from typing import Any
from urllib.parse import urlsplit

import psutil

QUERY = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
  registration { status record { name legalRepresentative status { code label } establishedOn } }
  penalties { status records { decidedOn severity { code } amount { amount } responsiblePerson } }
  judgmentDefaults { status records { caseNumber filedOn amountDue { amount } } }
  customsStanding { status record { grade { code } registeredOn } }
  environmentCredits { status records { year grade { code } } } } }"""
SIZES = (1, 10, 100)
ROUNDS = 30


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


def measure(process: psutil.Process, said: Mapping[str, Any], samples: Sequence[Sequence[str]]) -> Figures:
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
    cpu = (after.user + after.system - before.user - before.system) / len(samples)
    return Figures(statistics.median(seconds), max(seconds), cpu)


def main() -> None:
    """Prints the table."""
    with demonstration() as (process, said):
        gateway, codes = psutil.Process(process.pid), said["codes"]
        measure(gateway, said, [codes[:1]] * 20)
        print("| companies | | median ms | slowest ms | gateway CPU ms |\n| --- | --- | --- | --- | --- |")
        for size in SIZES:
            starts = range(0, len(codes) - size + 1, size)
            cold = [codes[start : start + size] for start in starts][1 : ROUNDS + 1]
            for name, samples in (("cold", cold), ("warm", [codes[:size]] * ROUNDS)):
                found = measure(gateway, said, samples)
                figures = " | ".join(f"{part * 1_000:.1f}" for part in (found.median, found.slowest, found.cpu))
                print(f"| {size} | {name} | {figures} |")


if __name__ == "__main__":
    main()
