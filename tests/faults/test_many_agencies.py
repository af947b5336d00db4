"""A hundred agencies of which twenty fail at random, under load: each answer is right or marked, and none is lost.

For seconds in the tests; `make soak` goes on for ten minutes, or `SOAK` seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from benchmarks.large_policy import demonstration_policy
from schema.records import catalogue
from tests.connectors.support import CODES
from tests.faults.agency import (
    Behaviour,
    Call,
    agency,
    be_busy,
    behave,
    fail,
    freeze,
    hang_up_half_way,
    reset,
    row,
    send_garbage,
    speak_no_http,
)
from tests.faults.callers import PATIENT
from tests.faults.installation import Answer, Gateway, penalties, serving

SECONDS = float(os.environ.get("SOAK", "2"))
AGENCIES = 100
FAILING = 20
CALLERS = 6
DEADLINE_MS = 4_000
ALLOWED_SECONDS = 10.0
"""Past the deadline, for a machine that has others to serve as well."""

TROUBLES: tuple[Behaviour, ...] = (behave, freeze, reset, hang_up_half_way, send_garbage, speak_no_http, be_busy, fail)
FAILURES = {"AGENCY_TIMEOUT", "AGENCY_UNAVAILABLE", "AGENCY_OVERLOADED", "AGENCY_BAD_RESPONSE"}


async def fail_at_random(call: Call) -> None:
    await random.choice(TROUBLES)(call)  # noqa: S311  (troubles, no secret)


def check(answer: Answer, asked: list[str], sound: frozenset[str]) -> int:
    """Each agency that behaves has answered; of each that has answered the record is there. How many have failed."""
    assert answer.status == 200
    assert answer.seconds < DEADLINE_MS / 1_000 + ALLOWED_SECONDS
    failed = 0
    for code, one in zip(asked, answer.of("penalties"), strict=True):
        answered = {source["agency"]["id"] for source in one["sources"] if source["status"] == "ANSWERED"}
        failures = [source["failure"]["code"] for source in one["sources"] if source["status"] == "FAILED"]
        assert sound <= answered
        assert len(answered) + len(failures) == AGENCIES
        assert set(failures) <= FAILURES
        assert one["status"] == ("PARTIAL" if failures else "COMPLETE")
        numbers = [record["documentNumber"] for record in one["records"]]
        assert numbers == [row(code)["number"]] * len(answered)
        failed += len(failures)
    return failed


@pytest.mark.timeout(SECONDS + 120)
async def test_each_answer_is_right_or_marked_and_memory_stays(tmp_path: Path) -> None:
    names = [f"region-{number}" for number in range(AGENCIES)]
    policy = tmp_path / "policy"
    for name, content in demonstration_policy(catalogue(), names, 1_000).items():
        (policy / name).parent.mkdir(parents=True, exist_ok=True)
        (policy / name).write_bytes(content)
    async with AsyncExitStack() as stack:
        agencies = [
            await stack.enter_async_context(agency(fail_at_random if number < FAILING else behave))
            for number in range(AGENCIES)
        ]
        suppliers = [penalties(name, one.url, timeout=PATIENT) for name, one in zip(names, agencies, strict=True)]
        gateway = await stack.enter_async_context(serving(tmp_path, suppliers, XINQIAO_POLICIES=str(policy)))
        process = psutil.Process(gateway.process.pid)
        answers, failed = await ask_for(gateway, SECONDS / 2, frozenset(names[FAILING:]))
        settled = process.memory_info().rss
        more, more_failed = await ask_for(gateway, SECONDS / 2, frozenset(names[FAILING:]))
        assert failed + more_failed > 0
        assert process.memory_info().rss < settled * 1.2 + 32 * 2**20
        assert len(gateway.audited()) == answers + more


async def ask_for(gateway: Gateway, seconds: float, sound: frozenset[str]) -> tuple[int, int]:
    """Asks from several callers; how many answers there were, and how many failures in them."""
    end = asyncio.get_running_loop().time() + seconds
    answers = failed = 0

    async def ask_on() -> None:
        nonlocal answers, failed
        while asyncio.get_running_loop().time() < end:
            asked = [str(code) for code in random.sample(CODES, 3)]
            failed += check(await gateway.ask(asked, DEADLINE_MS), asked, sound)
            answers += 1

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(ask_on())
    return answers, failed
