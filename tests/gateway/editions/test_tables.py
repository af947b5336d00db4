"""Tables are compiled in a process of their own, which keeps the versions, and shared by callers alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import pickle
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.editions.compiler import Compiler
from gateway.editions.tables import Tables, announce
from gateway.editions.workshop import KEPT, Announced, Offered, Workshop, open_workshop
from policies.decision import CallerClass, DecisionTable, Effect
from policies.load import PolicyFiles, read_directory
from policies.policy import Outline
from schema.records import catalogue

FILES = read_directory(Path(__file__).parents[3] / "policies")
OFFERED = Offered(
    catalogue(), {"registry": frozenset({"Registration", "Registration.name", "Registration.paidInCapital"})}
)
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
ANYBODY = CallerClass(frozenset({"anonymous"}), "public", None)
BANKS = b"""
  one-bank: {name: One, name_zh: x, roles: [bank.officer], purposes: [credit]}
  other-bank: {name: Other, name_zh: x, roles: [bank.officer], purposes: [credit]}
  third-bank: {name: Third, name_zh: x, parent: other-bank, roles: [bank.officer], purposes: [credit]}
  fourth-bank: {name: Fourth, name_zh: x, roles: [bank.officer], purposes: [credit.underwriting]}
"""


def with_rules(*rules: str) -> PolicyFiles:
    lines = "".join(f"  - {{{rule}, for: any, given: any, note: x}}\n" for rule in rules)
    return {
        **FILES,
        "rules/nation.yaml": FILES["rules/nation.yaml"] + b"\n" + lines.encode(),
        "organisations.yaml": FILES["organisations.yaml"] + BANKS,
    }


def denying(id_: str) -> PolicyFiles:
    return with_rules(f"id: {id_}, deny: Registration.name, of: any, to: any")


@pytest.fixture(scope="module")
def begin() -> Callable[[], None]:
    return open_workshop


@pytest.fixture
async def compiler(begin: Callable[[], None]) -> AsyncIterator[Compiler]:
    async with Compiler(begin) as opened:
        yield opened


@dataclass
class Counting:
    """A source of tables in this process that counts how often it was asked."""

    workshop: Workshop
    key: str
    asked: list[CallerClass] = field(default_factory=list)
    failures: int = 0

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        self.asked.append(caller)
        if len(self.asked) <= self.failures:
            raise MemoryError
        return self.workshop.table(self.key, caller, public=public)


def tables_here(files: PolicyFiles, failures: int = 0) -> tuple[Tables, Counting]:
    workshop = Workshop()
    told = workshop.announce("key", files, OFFERED, NOW)
    source = Counting(workshop, "key", failures=failures)
    return Tables(told.policy.organisations, told.representatives, source), source


def officer(organisation: str, purpose: str | None = "credit.underwriting") -> CallerClass:
    return CallerClass(frozenset({"bank.officer"}), organisation, purpose)


async def test_a_table_is_compiled_after_the_process_was_killed(compiler: Compiler) -> None:
    _, version = await announce(compiler, denying("stop"), OFFERED, NOW)
    os.kill(await compiler.run(os.getpid), signal.SIGKILL)
    table = await version.table(ANYBODY, public=False)
    assert table.at("registry", "Registration.name").rule == "stop"


async def test_a_version_that_requests_under_way_have_answers_as_it_did_however_many_came_after_it(
    compiler: Compiler,
) -> None:
    _, first = await announce(compiler, denying("stop-0"), OFFERED, NOW)
    for number in range(1, KEPT + 1):
        await announce(compiler, denying(f"stop-{number}"), OFFERED, NOW)
    table = await first.table(ANYBODY, public=False)
    assert table.at("registry", "Registration.name").rule == "stop-0"


async def test_jobs_and_what_is_told_of_a_version_carry_no_rows(begin: Callable[[], None]) -> None:
    begin()
    jobs: list[Any] = []
    told: list[Announced] = []

    class Recording:
        async def run(self, make: Callable[..., Any], *args: Any, urgent: bool = False) -> Any:
            jobs.append((make, args, urgent))
            made = make(*args)
            told.extend([made] if isinstance(made, Announced) else [])
            return made

    _, version = await announce(Recording(), denying("one-of-the-rows"), OFFERED, NOW)
    await version.table(ANYBODY, public=False)
    await version.openable(ANYBODY.roles, ANYBODY.organisation, public=False)
    assert [len(pickle.dumps(job)) < 1_000 for job in jobs] == [False, True, True]
    assert type(told[0].policy) is Outline
    assert b"one-of-the-rows" not in pickle.dumps(told[0])


async def test_what_is_told_of_a_version_is_all_that_requests_need_beside_decisions(compiler: Compiler) -> None:
    told, _ = await announce(compiler, denying("stop"), OFFERED, NOW)
    policy = told.policy
    assert policy.number == 1
    assert policy.organisations["one-bank"].roles == {"bank.officer"}
    policy.check_purpose("one-bank", "credit.underwriting")
    assert policy.tiers["Registration.name"] == "PUBLIC"
    assert policy.next_change is None


async def test_an_urgent_job_comes_before_all_that_wait(compiler: Compiler) -> None:
    done: list[str] = []

    async def job(name: str, *, urgent: bool = False) -> None:
        await compiler.run(int, urgent=urgent)
        done.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ("first", "second", "third"):
            group.create_task(job(name))
        group.create_task(job("urgent", urgent=True))
    assert done == ["first", "urgent", "second", "third"]


async def test_a_job_that_is_given_up_while_it_waits_holds_up_nobody(compiler: Compiler) -> None:
    jobs = [asyncio.create_task(compiler.run(int)) for _ in range(3)]
    await asyncio.sleep(0)
    jobs[1].cancel()
    async with asyncio.timeout(30):
        assert await asyncio.gather(jobs[0], jobs[2], compiler.run(int)) == [0, 0, 0]
    assert jobs[1].cancelled()


async def test_organisations_that_no_rule_tells_apart_share_a_table() -> None:
    tables, source = tables_here(with_rules())
    first = await tables.table(officer("one-bank"))
    assert await tables.table(officer("other-bank")) is first
    assert await tables.table(officer("third-bank")) is first
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    ("organisation", "at"), [("other-bank", "other-bank"), ("third-bank", "third-bank"), ("third-bank", "other-bank")]
)
async def test_an_organisation_that_a_rule_names_or_one_above_it_has_a_table_of_its_own(
    organisation: str, at: str
) -> None:
    tables, _ = tables_here(with_rules(f"id: stop, deny: Registration.name, of: any, to: any, at: {at}"))
    shared = await tables.table(officer("one-bank"))
    own = await tables.table(officer(organisation))
    assert shared.at("registry", "Registration.name").effect is Effect.CLEAR
    assert own.at("registry", "Registration.name").effect is Effect.WITHHELD


async def test_an_organisation_that_is_registered_for_other_purposes_is_advised_by_a_table_of_its_own() -> None:
    tables, source = tables_here(with_rules())
    await tables.table(officer("one-bank", None))
    await tables.table(officer("fourth-bank", None))
    assert len(source.asked) == 2


async def test_roles_that_an_organisation_may_not_hold_make_no_table_of_their_own() -> None:
    tables, source = tables_here(with_rules())
    plain = await tables.table(officer("one-bank"))
    boasting = CallerClass(frozenset({"bank.officer", "policy.admin"}), "one-bank", "credit.underwriting")
    assert await tables.table(boasting) is plain
    assert len(source.asked) == 1


async def test_a_table_that_could_not_be_made_is_made_when_it_is_asked_for_again() -> None:
    tables, source = tables_here(with_rules(), failures=1)
    with pytest.raises(MemoryError):
        await tables.table(ANYBODY)
    assert (await tables.table(ANYBODY)).at("registry", "Registration.name").effect is Effect.CLEAR
    assert len(source.asked) == 2


async def test_callers_that_need_the_same_cold_table_wait_for_one_compilation() -> None:
    tables, source = tables_here(with_rules())
    first, second = await asyncio.gather(tables.table(officer("one-bank")), tables.table(officer("other-bank")))
    assert first is second
    assert len(source.asked) == 1
