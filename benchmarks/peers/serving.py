"""Starting a peer's server on a core, and ending it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from benchmarks.contender import Running
from benchmarks.peers.graph import question
from benchmarks.upstream import needed

_STARTS_WITHIN: Final = 90.0
_ENDS_WITHIN: Final = 10.0
_SOME_CODE: Final = "91330100MA2RQ0000X"
_QUIET: Final = {"DO_NOT_TRACK": "1", "OTEL_SDK_DISABLED": "true", "APOLLO_TELEMETRY_DISABLED": "true"}
"""No telemetry: of any tool that heeds the common wish, of OpenTelemetry, of Apollo's tools."""


class PeerFailedError(Exception):
    """A peer's server did not start to answer; the message ends with what it wrote."""


def free_port() -> int:
    """A port that nobody listens on at 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def served(  # noqa: PLR0913 - where it runs and what it is told
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    port: int,
    core: int,
    folder: Path,
    headers: Mapping[str, str],
) -> Iterator[Running]:
    """The server that the command starts, once it answers the question; it writes its log into the folder.

    Of this process's environment it has the path to programs alone: no key by which a tool would report anywhere.
    Raises `PeerFailedError`.
    """
    log = folder / "log"
    url = f"http://127.0.0.1:{port}/graphql"
    with log.open("wb") as written:
        started = subprocess.Popen(  # noqa: S603 - our own
            [needed("taskset", "util-linux"), "-c", str(core), *command],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **_QUIET, **environment},
            cwd=folder,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + _STARTS_WITHIN
        while not _answers(url, headers):
            if started.poll() is not None or time.monotonic() > until:
                raise PeerFailedError(log.read_text(errors="replace")[-2_000:])
            time.sleep(0.1)
        yield Running(started.pid, url, headers)
    finally:
        started.terminate()
        try:
            started.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _answers(url: str, headers: Mapping[str, str]) -> bool:
    asked = Request(url, question().body([_SOME_CODE]), {"Content-Type": "application/json", **headers})  # noqa: S310
    try:
        with urlopen(asked, timeout=_ENDS_WITHIN) as answer:  # noqa: S310 - our own address
            return b'"errors"' not in answer.read()
    except (OSError, HTTPException):
        return False
