"""Load from wrk: companies that differ in each request, and what the gateway's processes spent on it."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.request import Request, urlopen

import psutil

from benchmarks.contender import Question, Running
from benchmarks.upstream import needed
from gateway.demo.identifiers import ALPHABET, credit_code
from schema.legacy_id import organisation_check_character

SCRIPT: Final = Path(__file__).with_suffix(".lua")
NUMBERS: Final = len(ALPHABET) ** 6
STEP: Final = 387_420_479
"""How far one company's number is from the next one's; odd and prime to 31, so that all are different."""

TIMEOUT: Final = 30
PATIENCE: Final = 180
"""Seconds that wrk waits for an answer, and that a single request does."""


class LoadFailedError(Exception):
    """An answer under load was not whole, or not as expected."""


class NoAnswerError(LoadFailedError):
    """Not one answer came within the load's time."""


@dataclass(frozen=True)
class Load:
    """What is asked: companies a request, over so many connections, for seconds a round.

    `pool`: how many different companies there are in all (0: never the same one twice).
    """

    companies: int
    connections: int
    seconds: float
    pool: int = 0


@dataclass(frozen=True)
class Figures:
    """What one round came to, or the medians of several: requests a second, seconds, and CPU seconds a request."""

    rate: float
    p50: float
    p99: float
    p999: float
    cpu: float
    requests: int

    @staticmethod
    def medians(rounds: Sequence[Figures]) -> Figures:
        """The median of each figure; the requests of all together."""
        parts = {
            name: statistics.median(getattr(one, name) for one in rounds)
            for name in ("rate", "p50", "p99", "p999", "cpu")
        }
        return Figures(**parts, requests=sum(one.requests for one in rounds))


def company(number: int) -> str:
    """The credit code of a made-up company, by its number, as `load.lua` makes it."""
    digits = []
    for _ in range(6):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    organisation = "XQ" + "".join(reversed(digits))
    return credit_code("9", "1", "330100", organisation + organisation_check_character(organisation))


def companies(first: int, count: int) -> list[str]:
    """The companies that a round which begins with the first one asks about."""
    return [company((first + turn * STEP) % NUMBERS) for turn in range(count)]


def ask(running: Running, question: Question, codes: Sequence[str], *, number: int = 0) -> Any:  # noqa: ANN401 - JSON
    """The answer about these companies, as JSON is read. Raises `LoadFailedError` where there is none."""
    body = question.body(codes).replace(b"@@", str(number).encode())
    headers = {"Content-Type": "application/json", **running.headers}
    try:
        with urlopen(Request(running.url, body, headers), timeout=PATIENCE) as answer:  # noqa: S310 - our own address
            return json.loads(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise LoadFailedError(f"{running.url}: {error}") from error


def cpu_seconds(process: int) -> float:
    """The CPU time that a process and its children have used, in seconds; those that ended in between count for what
    they had used when they ended.
    """
    total = 0.0
    root = psutil.Process(process)
    for one in (root, *root.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def loaded(running: Running, question: Question, load: Load, *, first: int, core: int) -> Figures:
    """One round of load, from the company of this number on.

    Raises `LoadFailedError` where any answer failed, `NoAnswerError` where none came.
    """
    wrk, pin = needed("wrk", "wrk"), needed("taskset", "util-linux")
    with TemporaryDirectory(prefix="load-") as folder:
        plan = Path(folder) / "plan"
        headers = [f"{name}: {value}" for name, value in running.headers.items()]
        numbers = f"{load.companies} {first} {load.pool}"
        plan.write_text("\n".join((question.before, question.after, numbers, *headers)) + "\n")
        command = [pin, "-c", str(core), wrk, "-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s"]
        command += ["--timeout", f"{TIMEOUT}s", "-s", str(SCRIPT), running.url, "--", str(plan)]
        before, began = cpu_seconds(running.process), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 + 2 * load.seconds)  # noqa: S603 - our own
        spent = cpu_seconds(running.process) - before
    found = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not found:
        raise LoadFailedError(f"wrk said nothing: {done.stdout[-500:]} {done.stderr[-500:]}")
    requests, duration, failed, p50, p99, p999 = (int(part) for part in found[0][1:])
    if not requests and not failed:
        raise NoAnswerError(f"{running.url}: no answer in {time.monotonic() - began:.1f} s")
    if failed:
        raise LoadFailedError(
            f"{running.url}: {failed} of {requests} requests failed in {time.monotonic() - began:.1f} s"
        )
    return Figures(requests / duration * 1e6, p50 / 1e6, p99 / 1e6, p999 / 1e6, spent / requests, requests)


def asked_once(running: Running, question: Question, load: Load, *, first: int) -> Figures:
    """The figures of a single request, for a gateway that takes longer than a round. Raises `LoadFailedError`."""
    before, began = cpu_seconds(running.process), time.perf_counter()
    answer = ask(running, question, companies(first, load.companies))
    seconds = time.perf_counter() - began
    if "errors" in answer:
        raise LoadFailedError(f"{running.url}: the answer has errors")
    return Figures(1 / seconds, seconds, seconds, seconds, cpu_seconds(running.process) - before, 1)


def whole(answer: object) -> object:
    """An answer without extensions, its records in one order: those of one day may come either way round."""
    if isinstance(answer, Mapping):
        return {
            key: sorted(map(whole, value), key=_text) if key == "records" and isinstance(value, list) else whole(value)
            for key, value in answer.items()
            if key != "extensions"
        }
    return [whole(one) for one in answer] if isinstance(answer, list) else answer


def _text(answer: object) -> str:
    return json.dumps(answer, sort_keys=True)


def differences(got: object, expected: object, path: str = "") -> Iterator[str]:
    """Where two answers differ, by path; at most one place a branch."""
    if isinstance(got, Mapping) and isinstance(expected, Mapping) and got.keys() == expected.keys():
        for key in got:
            yield from differences(got[key], expected[key], f"{path}.{key}")
    elif isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        for index, (mine, theirs) in enumerate(zip(got, expected, strict=True)):
            yield from differences(mine, theirs, f"{path}[{index}]")
    elif got != expected:
        yield f"{path}: {got!r} is not {expected!r}"


def check(name: str, got: object, expected: object) -> None:
    """Raises `LoadFailedError` where an answer is not what was expected."""
    found = next(differences(whole(got), whole(expected)), None)
    if found:
        raise LoadFailedError(f"{name}: {found}")
