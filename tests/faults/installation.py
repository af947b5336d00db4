"""A gateway over agencies, as an operator starts it: `xinqiao serve`, a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

COMMAND = [sys.executable, "-c", "from gateway.cli import app; app()", "serve", "--port", "0", "--json"]
PATIENCE = 60.0

QUERY = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    judgmentDefaults { status records { caseNumber } sources { status failure { code retryable } } }
    penalties { status records { documentNumber } sources { agency { id } status failure { code retryable } } }
  }
}
"""


@dataclass(frozen=True)
class Supplier:
    """An agency as the gateway knows it: by its manifest, at this address, vouched for by `authority`."""

    agency: str
    record: str
    number: str
    day: str
    url: str
    authority: str = ""
    time_to_live: int = 0
    timeout: int = 2
    column: str = "number"

    @property
    def variable(self) -> str:
        return f"URL_{self.agency.upper().replace('-', '_')}"

    @property
    def manifest(self) -> str:
        trusting = f', tls: {{authority: "file:{self.authority}"}}' if self.authority else ""
        return f"""
agency: {self.agency}
name: {{en: {self.agency}, zh: {self.agency}}}
kind: rest
connection: {{url: "${{{self.variable}}}"{trusting}}}
timeout: {self.timeout}
concurrency: 8
datasets:
  - record: {self.record}
    key: code
    batch: 200
    timeToLive: {self.time_to_live}
    missingMeans: error
    request: {{method: POST, path: /ask, keys: {{in: body, name: codes, style: list}}}}
    response: {{rows: rows}}
    fields: {{recordId: id, {self.number}: {self.column}{f", {self.day}: day" if self.day else ""}}}
"""


def penalties(agency: str, url: str, authority: str = "", time_to_live: int = 0, timeout: int = 2) -> Supplier:
    return Supplier(agency, "Penalty", "documentNumber", "decidedOn", url, authority, time_to_live, timeout)


def defaults(agency: str, url: str) -> Supplier:
    return Supplier(agency, "JudgmentDefault", "caseNumber", "filedOn", url)


@dataclass(frozen=True)
class Answer:
    status: int
    json: Any
    seconds: float

    @property
    def code(self) -> str:
        """Why it was refused."""
        return str(self.json["errors"][0]["extensions"]["code"])

    def of(self, field: str) -> list[dict[str, Any]]:
        """What each company has of one kind."""
        return [company[field] for company in self.json["data"]["enterprises"]]


class Gateway:
    """A gateway that runs. Its callers have no credentials, and see what is public."""

    def __init__(self, process: Process, url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self.audit = folder / "audit.jsonl"
        self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, codes: Sequence[str], milliseconds: int = 5_000, query: str = QUERY, **headers: str) -> Answer:
        started = time.monotonic()
        answer = await self._client.post(
            self.url,
            json={"query": query, "variables": {"codes": codes}},
            headers={"X-Timeout-Ms": str(milliseconds), "Accept": "application/graphql-response+json", **headers},
        )
        return Answer(answer.status_code, answer.json(), time.monotonic() - started)

    async def ready(self) -> dict[str, Any]:
        return (await self._client.get(self.url.replace("/graphql", "/readyz"))).json()

    def told(self, number: int) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    def audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_bytes().splitlines()]


def environment_of(folder: Path, suppliers: Sequence[Supplier], settings: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a gateway over these agencies is started, whose manifests it writes."""
    agencies = folder / "agencies"
    agencies.mkdir(exist_ok=True)
    for supplier in suppliers:
        (agencies / f"{supplier.agency}.yaml").write_text(supplier.manifest)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("XINQIAO_")},
        "XINQIAO_MANIFESTS": str(agencies),
        "XINQIAO_SECRET": "s" * 32,
        "XINQIAO_ANONYMOUS": "public",
        "XINQIAO_AUDIT_FILE": str(folder / "audit.jsonl"),
        "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]',
        "XINQIAO_NETWORKS": '["127.0.0.0/8"]',
        "XINQIAO_LOG_LEVEL": "error",
        "XINQIAO_DRAIN": "0",
        **{supplier.variable: supplier.url for supplier in suppliers},
        **settings,
    }


@asynccontextmanager
async def serving(
    folder: Path, suppliers: Sequence[Supplier], command: Sequence[str] = COMMAND, **settings: str
) -> AsyncIterator[Gateway]:
    """A gateway over these agencies. In the end it is told to end, and killed where it does not."""
    environment = environment_of(folder, suppliers, settings)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = await process.stdout.readline()
        async with Gateway(process, json.loads(said)["url"], folder) as gateway:
            yield gateway
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
