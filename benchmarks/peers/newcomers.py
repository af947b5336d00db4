"""Gateways as newcomers write them in Python, with Strawberry: `naive.py` and `tuned.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contender import Question, Running
from benchmarks.peers import graph
from benchmarks.peers.install import HERE, python_environment
from benchmarks.peers.serving import free_port, served
from benchmarks.upstream import Answer
from benchmarks.workload import rest_answers


@dataclass(frozen=True)
class Newcomer:
    """A peer in Python: a module that lies beside this one, and what is said of it."""

    module: str
    manner: str

    @property
    def name(self) -> str:
        """Strawberry's version, and the manner."""
        version = re.search(r"^strawberry-graphql==(\S+)", (HERE / "requirements.lock").read_text(), re.MULTILINE)
        return f"Strawberry {version[1] if version else ''}, {self.manner}"

    @property
    def answers(self) -> Sequence[Answer]:
        """The agencies' own."""
        return tuple(rest_answers())

    @contextmanager
    def start(self, upstream: str, core: int) -> Iterator[Running]:
        """See `Contender.start`. Raises `PeerFailedError` where it does not come to answer."""
        environment, port = python_environment(), free_port()
        command: list[str | Path] = [
            environment / "bin/uvicorn",
            f"{self.module}:app",
            f"--app-dir={HERE}",
            f"--port={port}",
            "--loop=uvloop",
            "--http=httptools",
            "--no-access-log",
            "--log-level=warning",
        ]
        headers = {"X-User": "officer"}
        with (
            TemporaryDirectory(prefix="peer-") as folder,
            served(
                command, {"UPSTREAM": upstream}, port=port, core=core, folder=Path(folder), headers=headers
            ) as running,
        ):
            yield running

    def question(self, companies: int) -> Question:  # noqa: ARG002 - the same for any number
        """The peers' question."""
        return graph.question()

    def expected(self, codes: Sequence[str]) -> object:
        """The peers' answer."""
        return graph.expected(codes)


NEWCOMERS: Final = (
    Newcomer("naive", "naive, with casbin at every field"),
    Newcomer("tuned", "well tuned, without authorisation"),
)
