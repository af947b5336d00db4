"""The gateway under load, beside a floor: what a bare answer of the same size costs on the same server.

One core serves, the other asks and stands for the agencies. Everything that a request has in earnest is on: a signed
token, a policy decided for each company, masks, statuses, publicity, and an audit line durable before the answer
leaves. No company is asked about twice.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import psutil
import uvloop

from benchmarks.agencies import AGENCIES, variable, write_manifests
from gateway.demo.identifiers import credit_code, organisation_code
from gateway.demo.people import CALLERS, key_set, mint, new_key
from gateway.demo.people import ISSUER as TOKEN_ISSUER

QUERY: Final = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode
  registration { status record { name legalRepresentative address establishedOn authority businessScope validUntil
    registrationNumber } }
  penalties { status sources { status asOf } access { coordinate decision reason }
    records { documentNumber decidedOn authority facts severity { code } amount { amount currency } } }
  judgmentDefaults { status records { caseNumber court filedOn amountDue { amount currency } obligations conduct } }
  taxCredits { status records { year grade { code } authority ratedOn } }
  customsStanding { status record { registrationNumber registeredOn customsOffice } }
  environmentCredits { status records { year ratedOn authority score } } } }"""


@dataclass(frozen=True)
class Load:
    """How much is asked at once: companies a request, connections, and requests in a round."""

    companies: int
    connections: int
    requests: int


@dataclass(frozen=True)
class Round:
    """What one round came to: latencies in seconds, requests a second, and the server's CPU seconds a request."""

    latencies: Sequence[float]
    rate: float
    cpu: float


LOADS: Final = (Load(1, 16, 1_500), Load(100, 1, 60), Load(1_000, 1, 12))
QUICK: Final = (Load(1, 16, 400), Load(100, 1, 20), Load(1_000, 1, 4))
ROUNDS: Final = 3
FLOOR_TIMES: Final = 10
"""How often the floor is asked the same: the operating system counts CPU time in hundredths of a second."""

FLOOR: Final = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

body = open(sys.argv[1], "rb").read()

async def answer(request: Request) -> Response:
    await request.body()
    return Response(body, media_type="application/json")

app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
config = uvicorn.Config(app, log_config=None, access_log=False)
uvicorn.Server(config).run([__import__("socket").socket(fileno=int(sys.argv[2]))])
"""


@contextmanager
def running(command: Sequence[str], listener: socket.socket, core: int) -> Iterator[psutil.Process]:
    """A server on an open listening socket, whose descriptor ends its command, pinned to a core."""
    started = subprocess.Popen([*command, str(listener.fileno())], pass_fds=[listener.fileno()])  # noqa: S603 - our own
    process = psutil.Process(started.pid)
    process.cpu_affinity([core])
    try:
        yield process
    finally:
        started.terminate()
        started.wait(30)


@contextmanager
def gateway(directory: Path, agencies: str, core: int) -> Iterator[tuple[psutil.Process, str, str]]:
    """The gateway over the agencies: its process, its address, and a bank officer's token."""
    manifests = directory / "agencies"
    manifests.mkdir()
    write_manifests(manifests)
    key = new_key()
    settings = {
        "XINQIAO_MANIFESTS": str(manifests),
        "XINQIAO_SECRET": "s" * 32,
        "XINQIAO_ISSUERS": json.dumps([{"id": TOKEN_ISSUER, "jwks": key_set(key)}]),
        "XINQIAO_AUDIT_FILE": str(directory / "audit.jsonl"),
        "XINQIAO_LOG_LEVEL": "warning",
        "XINQIAO_DEADLINE__DEFAULT": "30",
        **{variable(agency): agencies for agency in AGENCIES},
    }
    started = subprocess.Popen(
        [sys.executable, "-c", "from gateway.cli import app; app()", "serve", "--json", "--port", "0"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
    )
    try:
        said = json.loads(started.stdout.readline() if started.stdout else b"")
        process = psutil.Process(started.pid)
        process.cpu_affinity([core])
        yield process, said["url"], mint(key, CALLERS[0], "", dt.datetime.now(dt.UTC))
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(30)


def codes(draw: random.Random, number: int) -> list[str]:
    """Lawful credit codes that nobody has."""
    return [credit_code("9", "1", "330100", organisation_code(draw)) for _ in range(number)]


def request(draw: random.Random, companies: int, token: str) -> bytes:
    """One HTTP request about companies that were not asked about before."""
    body = json.dumps({"query": QUERY, "variables": {"codes": codes(draw, companies)}}).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measured(server: psutil.Process, address: tuple[str, int], load: Load, requests: Sequence[bytes]) -> Round:
    """Sends the requests over the connections, each connection one after another."""
    latencies: list[float] = []
    waiting = iter(requests)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(*address, limit=2**24)
        for one in waiting:
            begun = time.perf_counter()
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            latencies.append(time.perf_counter() - begun)
            if b" 200 " not in head[:20] or b'"errors"' in answer:
                raise RuntimeError(f"an answer is not whole: {answer[:200]!r}")
        writer.close()

    before, begun = server.cpu_times(), time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(load.connections)))
    seconds, after = time.perf_counter() - begun, server.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Round(sorted(latencies), len(requests) / seconds, used / len(requests))


async def answer_of(address: tuple[str, int], one: bytes) -> bytes:
    """The body of the answer to one request."""
    reader, writer = await asyncio.open_connection(*address, limit=2**24)
    writer.write(one)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()
    return body


def row(load: Load, rounds: Sequence[Round], floors: Sequence[Round]) -> str:
    """One line of the report."""
    latencies = sorted(latency for one in rounds for latency in one.latencies)
    cpu, floor = (statistics.median(one.cpu for one in several) for several in (rounds, floors))
    tail = latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))]
    return (
        f"| {load.companies:,} | {load.connections} | {statistics.median(one.rate for one in rounds):,.0f} "
        f"| {statistics.median(latencies) * 1e3:.1f} | {tail * 1e3:.1f} | {cpu * 1e3:.2f} | {floor * 1e3:.2f} "
        f"| {cpu / floor:.1f} |"
    )


async def main(loads: Sequence[Load]) -> None:
    """Prints the report, a Markdown table."""
    draw = random.Random(20_261_125)  # noqa: S311 - codes, no secret
    last = os.cpu_count() or 1
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        upstream = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.enter_context(running([sys.executable, "-m", "benchmarks.agencies"], upstream, last - 1))
        agencies = f"http://127.0.0.1:{upstream.getsockname()[1]}"
        process, url, token = stack.enter_context(gateway(directory, agencies, 0))
        psutil.Process().cpu_affinity([last - 1])
        address = ("127.0.0.1", httpx.URL(url).port or 80)
        print("| companies | connections | requests/s | p50 ms | p99 ms | CPU ms | floor's CPU ms | ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for load in loads:
            sample = await answer_of(address, request(draw, load.companies, token))
            with socket.create_server(("127.0.0.1", 0)) as listener:
                floor_address = listener.getsockname()
                (directory / "answer.json").write_bytes(sample)
                command = [sys.executable, "-c", FLOOR, str(directory / "answer.json")]
                with running(command, listener, 0) as floor:
                    rounds, floors = [], []
                    for _ in range(ROUNDS):
                        asked = [request(draw, load.companies, token) for _ in range(load.requests)]
                        rounds.append(await measured(process, address, load, asked))
                        floors.append(await measured(floor, floor_address, load, asked * FLOOR_TIMES))
            print(row(load, rounds, floors), flush=True)
        print(f"\nLargest resident memory of the gateway: {process.memory_info().rss / 2**20:,.0f} MiB")


if __name__ == "__main__":
    uvloop.run(main(QUICK if "--quick" in sys.argv else LOADS))
