"""The demonstration as a user starts it: `xinqiao demo --json`, a process of its own, and its agencies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson
import psutil
import pytest

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """A GraphQL answer, as text too."""

    status: int
    text: str

    @property
    def json(self) -> dict[str, Any]:
        return orjson.loads(self.text)

    @property
    def data(self) -> dict[str, Any]:
        return self.json["data"]


@dataclass(frozen=True)
class Demonstration:
    process: subprocess.Popen[bytes]
    said: Mapping[str, Any]
    client: httpx.Client

    @property
    def showcase(self) -> str:
        """The company that all seven agencies know."""
        return self.said["codes"][0]

    def ask(
        self,
        query: str,
        who: str | None = None,
        *,
        purpose: str | None = None,
        consents: tuple[str, ...] = (),
        **variables: Any,
    ) -> Answer:
        headers = {"Accept": "application/graphql-response+json"}
        if who:
            headers["Authorization"] = f"Bearer {self.said['tokens'][who]}"
        if purpose:
            headers["X-Purpose"] = purpose
        if consents:
            headers["X-Consent"] = ",".join(consents)
        answer = self.client.post(self.said["url"], json={"query": query, "variables": variables}, headers=headers)
        return Answer(answer.status_code, answer.text)

    def end(self, number: signal.Signals) -> None:
        """Tells it to end, which it does with all that it started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        assert self.process.wait(STOP_SECONDS) == 0
        _, alive = psutil.wait_procs(children, timeout=STOP_SECONDS)
        assert alive == []

    def agency_requests(self, agency: str) -> dict[str, Any]:
        """What an agency says that it was asked."""
        return self.client.get(urljoin(self.said["agencies"][agency], "/requests")).json()


@contextmanager
def demonstration() -> Iterator[Demonstration]:
    process = subprocess.Popen(
        [Path(sys.executable).with_name("xinqiao"), "demo", "--json", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
        # The script that is installed, with the code that is tested.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("XINQIAO_")},
            "PYTHONPATH": str(ROOT),
        },
    )
    try:
        line = process.stdout.readline()
        assert line, "the demonstration ended before it answered"
        # Connections that are kept could end just when they are used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(limits=limits, timeout=30, trust_env=False) as client:
            running = Demonstration(process, orjson.loads(line), client)
            yield running
            if process.poll() is None:
                running.end(signal.SIGINT)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.fixture(scope="session")
def demo() -> Iterator[Demonstration]:
    with demonstration() as running:
        yield running


@pytest.fixture(scope="module")
def own_demo() -> Iterator[Demonstration]:
    """A demonstration of these tests alone, which they may damage."""
    with demonstration() as running:
        yield running


@pytest.fixture
def clean_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Variables without those that steer `xinqiao`, to be set and left as the test needs."""
    for name in os.environ:
        if name.startswith(("XINQIAO_", "XQ_")):
            monkeypatch.delenv(name)
    return monkeypatch
