"""Runs the suite: learns what the system says, then each case by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from connectors.conformance import connection_faults, drop_faults, http_faults, ordinary
from connectors.conformance.answers import records
from connectors.conformance.stand_in import WSDL
from connectors.conformance.trial import (
    Broken,
    Case,
    Recorder,
    Result,
    Subject,
    Trial,
    Unfit,
    Verdict,
    made_up_codes,
)
from connectors.contract import Asker, CompanyRows, FailureCode, Outcome, RecordShape, Supply
from connectors.environment import resolve
from connectors.kinds import Transport
from connectors.manifest import Manifest
from connectors.settings import SupplySettings
from connectors.watch import Exchange
from schema.credit_code import CreditCode

CASES: Final[tuple[Case, ...]] = (
    *ordinary.CASES,
    *http_faults.CASES,
    *connection_faults.CASES,
    *drop_faults.CASES,
)
"""Every case, in the order in which they run."""

INDEXING_SECONDS: Final = 600.0
"""How long the first index of a drop may take."""

_STRANGERS: Final = 2


async def conform(  # noqa: PLR0913  (what a supply needs, whom to ask about, and which cases)
    manifest: Manifest,
    shapes: Mapping[str, RecordShape],
    settings: SupplySettings,
    codes: Sequence[CreditCode],
    *,
    strangers: Sequence[CreditCode] = (),
    asker: Asker | None = None,
    only: Collection[str] = (),
) -> list[Verdict]:
    """A verdict for each case and dataset of the manifest.

    `codes` are companies that the system knows, `strangers` ones that it does not (made up, where there are none).
    Where the manifest forwards it, calls are made for the `asker`. `only` names the cases that are run; all, where it
    is empty. Raises `ConnectionNotConfigured`.
    """
    return [
        verdict
        async for verdict in verdicts(manifest, shapes, settings, codes, strangers=strangers, asker=asker, only=only)
    ]


async def verdicts(  # noqa: PLR0913
    manifest: Manifest,
    shapes: Mapping[str, RecordShape],
    settings: SupplySettings,
    codes: Sequence[CreditCode],
    *,
    strangers: Sequence[CreditCode] = (),
    asker: Asker | None = None,
    only: Collection[str] = (),
) -> AsyncIterator[Verdict]:
    """As `conform`, each verdict as it is reached."""
    (resolved,) = resolve([manifest], settings.environment)
    for dataset in resolved.datasets:
        recorder = Recorder()
        subject = Subject(
            resolved.model_copy(update={"datasets": (dataset.model_copy(update={"time_to_live": 0}),)}),
            shapes,
            replace(settings, watch=recorder, second_level=None),
            tuple(dict.fromkeys(codes)),
            tuple(dict.fromkeys(strangers)) or made_up_codes(_STRANGERS),
            asker or Asker("xinqiao-connector-test", None, "xinqiao-connector-test"),
        )
        async with subject.opened() as supply:
            trial = await _learn(subject, supply, recorder)
            for case in CASES:
                fits = case.transport in {None, subject.kind.transport}
                if fits and (not only or case.name in only):
                    yield await _judge(case, trial)


async def _learn(subject: Subject, supply: Supply, recorder: Recorder) -> Trial:
    """What the system says of each company alone, and how it was asked about the telling one."""
    await _wait_for_drops(subject, supply)
    truth: dict[CreditCode, CompanyRows] = {}
    asked: dict[CreditCode, list[Exchange]] = {}
    for code in subject.codes:
        before = len(recorder.exchanges)
        truth |= await subject.ask(supply, [code])
        asked[code] = recorder.exchanges[before:]
    telling = next((code for code in truth if records(truth[code])), subject.codes[0])
    described = [exchange for exchange in recorder.exchanges if exchange.place == WSDL]
    return Trial(subject, supply, recorder, truth, telling, [*described, *asked[telling]])


async def _wait_for_drops(subject: Subject, supply: Supply) -> None:
    if subject.kind.transport is not Transport.DROP:
        return
    until = asyncio.get_running_loop().time() + INDEXING_SECONDS
    while asyncio.get_running_loop().time() < until:
        answer = (await subject.ask(supply, subject.codes[:1]))[subject.codes[0]]
        if answer.outcome is not Outcome.FAILED or answer.failure is not FailureCode.AGENCY_TIMEOUT:
            return


async def _judge(case: Case, trial: Trial) -> Verdict:
    def verdict(result: Result, reason: str = "") -> Verdict:
        return Verdict(trial.subject.id, case.name, case.shows, result, reason)

    failed = all(answer.outcome is Outcome.FAILED for answer in trial.truth.values())
    if failed and case is not CASES[0]:
        return verdict(Result.SKIP, "the system did not answer")
    try:
        await case.run(trial)
    except Broken as broken:
        return verdict(Result.FAIL, str(broken))
    except Unfit as unfit:
        return verdict(Result.SKIP, str(unfit))
    return verdict(Result.PASS)
