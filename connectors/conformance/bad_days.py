"""What every case of a bad day has in common: the failure is told, nothing is lost silently, and it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from connectors.conformance.answers import difference, records, told
from connectors.conformance.trial import Broken, Subject, Trial
from connectors.contract import CompanyRows, FailureCode, Outcome, Supply

QUICK: Final = 0.5
"""Seconds of a call that will not be answered."""

PATIENT: Final = 10.0
"""Seconds of a call that fails by itself."""

RECOVERY_SECONDS: Final = 20.0
"""How long a system that is back may seem to be away."""

_PAUSE: Final = 0.1


async def expect_failure(trial: Trial, subject: Subject, supply: Supply, called: Collection[FailureCode]) -> None:
    """Raises `Broken` unless the telling company has failed, for one of these reasons."""
    answer = await _told(trial, subject, supply)
    if answer.outcome is not Outcome.FAILED:
        raise Broken(f"it passes for {answer.outcome}, with {len(records(answer))} rows")
    if answer.failure not in called:
        raise Broken(f"{answer.failure} instead of {' or '.join(sorted(called))}")


async def expect_truth(trial: Trial, subject: Subject, supply: Supply) -> None:
    """Raises `Broken` unless the telling company is answered as it was by the system, soon."""
    until = asyncio.get_running_loop().time() + RECOVERY_SECONDS
    truth = told(trial.truth[trial.telling])
    while True:
        found = told(await _told(trial, subject, supply))
        if found == truth:
            return
        if found[0] is not Outcome.FAILED or asyncio.get_running_loop().time() > until:
            raise Broken(f"the system is back: {difference(truth, found)}")
        await asyncio.sleep(_PAUSE)


async def expect_nothing_lost(trial: Trial, subject: Subject, supply: Supply) -> None:
    """Raises `Broken` where the telling company is answered with other rows than those of the system."""
    answer = await _told(trial, subject, supply)
    if answer.outcome is Outcome.ANSWERED and told(answer) != told(trial.truth[trial.telling]):
        raise Broken(f"it passes for {answer.outcome}, with {len(records(answer))} rows")


async def _told(trial: Trial, subject: Subject, supply: Supply) -> CompanyRows:
    return (await subject.ask(supply, [trial.telling]))[trial.telling]
