"""Servers of ASGI, each with a bare answer of the same size: uvicorn, which serves Xinqiao, and granian."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contender import Question, Running
from benchmarks.load import Load, LoadFailedError
from benchmarks.tables import Effort, Section, Table
from benchmarks.under_load import COLUMNS, GATEWAY_CORE, Case, measured, row
from benchmarks.upstream import Answer, needed
from benchmarks.xinqiao import Xinqiao

ROOT: Final = Path(__file__).parents[1]
GRANIAN: Final = "granian>=2.5,<3"
STARTING_SECONDS: Final = 20
SIZES: Final = (1, 100)


@dataclass(frozen=True)
class Bare:
    """A server with a bare answer, and its command; `{port}` is where it listens, `folder` what it imports from beside
    us.
    """

    name: str
    command: Sequence[str]
    answer: Path
    folder: str = ""
    answers: Sequence[Answer] = ()

    @contextmanager
    def start(self, upstream: str, core: int) -> Iterator[Running]:
        """Serves on one core; there is nothing upstream."""
        del upstream
        port = _free_port()
        paths = os.pathsep.join((str(ROOT), *([self.folder] if self.folder else [])))
        command = [needed("taskset", "util-linux"), "-c", str(core), sys.executable]
        command += [part.format(port=port) for part in self.command]
        environment = {**os.environ, "PYTHONPATH": paths, "BARE_ANSWER": str(self.answer)}
        started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        try:
            _await_port(port)
            yield Running(started.pid, f"http://127.0.0.1:{port}/graphql")
        finally:
            started.terminate()
            started.wait(STARTING_SECONDS)

    def question(self, companies: int) -> Question:
        """The same as Xinqiao is asked."""
        return Xinqiao().question(companies)

    def expected(self, codes: Sequence[str]) -> object:
        """Its answer, whatever the companies."""
        del codes
        return json.loads(self.answer.read_bytes())


_UVICORN: Final = (
    *("-m", "uvicorn", "benchmarks.bare_app:app", "--port", "{port}"),
    *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
)
_GRANIAN: Final = (
    *("-m", "granian", "--interface", "asgi", "benchmarks.bare_app:app", "--port", "{port}"),
    *("--loop", "uvloop", "--no-access-log", "--log-level", "warning"),
)


def measure(effort: Effort) -> Section:
    """The section of the report."""
    missing: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="servers-")))
        cases = []
        for size in SIZES:
            answer = folder / f"answer-{size}"
            codes = [f"91330100XQ{number:06d}00" for number in range(size)]
            answer.write_text(json.dumps(Xinqiao().expected(codes), ensure_ascii=False, separators=(",", ":")))
            load = Load(size, 16, effort.seconds)
            cases.append(Case(Bare(f"uvicorn, {answer.stat().st_size:,} bytes", _UVICORN, answer), load))
            if not effort.quick and (missing or not _installed(folder)):
                missing = [f"granian: `pip install {GRANIAN}` gave nothing."]
            elif not effort.quick:
                name = f"granian, {answer.stat().st_size:,} bytes"
                cases.append(Case(Bare(name, _GRANIAN, answer, str(folder / "granian")), load))
        running = {case.contender.name: stack.enter_context(case.contender.start("", GATEWAY_CORE)) for case in cases}
        found = measured(cases, running, effort)
    return Section(
        "Servers",
        "A bare Starlette route that answers bytes as long as Xinqiao's, to the same requests, with one worker on one "
        "core: what is left for a gateway to save.",
        [Table(("server", *COLUMNS), [(c.contender.name, *row(c.load, f)) for c, f in zip(cases, found, strict=True)])],
        missing=missing,
    )


def _installed(folder: Path) -> bool:
    """Whether granian is in the folder's `granian`, installed there from a wheel if need be."""
    target = folder / "granian"
    if target.exists():
        return True
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--target", str(target), GRANIAN]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_port(port: int) -> None:
    """Raises `LoadFailedError` where nothing listens there in time."""
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise LoadFailedError(f"nothing listens on port {port}: the server did not start")
