"""Runs the suite: learns what the system says, then each case by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
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
    subjects,
)
from connectors.contract import Asker, CompanyKey, CompanyRows, Outcome, RecordShape, Supply
from connectors.manifest import Manifest
from connectors.settings import SupplySettings
from connectors.watch import Exchange

CASES: Final[tuple[Case, ...]] = (
    *ordinary.CASES,
    *http_faults.CASES,
    *connection_faults.CASES,
    *drop_faults.CASES,
)
"""Every case, in the order in which they run."""


async def conform(  # noqa: PLR0913  (what a supply needs, whom to ask about, and which cases)
    manifest: Manifest,
    shapes: Mapping[str, RecordShape],
    settings: SupplySettings,
    codes: Sequence[CompanyKey],
    *,
    strangers: Sequence[CompanyKey] = (),
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
    codes: Sequence[CompanyKey],
    *,
    strangers: Sequence[CompanyKey] = (),
    asker: Asker | None = None,
    only: Collection[str] = (),
) -> AsyncIterator[Verdict]:
    """As `conform`, each verdict as it is reached."""
    made_for = asker or Asker("xinqiao-connector-test", None, "xinqiao-connector-test")
    for subject in subjects(manifest, shapes, settings, codes, strangers, made_for):
        recorder = Recorder()
        async with subject.opened(recorder) as supply:
            trial = await _learn(subject, supply, recorder)
            for case in CASES:
                fits = case.transport in {None, subject.kind.transport}
                if fits and (not only or case.name in only):
                    yield await _judge(case, trial)


async def _learn(subject: Subject, supply: Supply, recorder: Recorder) -> Trial:
    """What the system says of each company alone, and how it was asked about the telling one."""
    await subject.wait_for_drops(supply)
    truth: dict[CompanyKey, CompanyRows] = {}
    asked: dict[CompanyKey, list[Exchange]] = {}
    for code in subject.codes:
        before = len(recorder.exchanges)
        truth |= await subject.ask(supply, [code])
        asked[code] = recorder.exchanges[before:]
    telling = next((code for code in subject.codes if records(truth[code])), subject.codes[0])
    described = [exchange for exchange in recorder.exchanges if exchange.place == WSDL]
    return Trial(subject, supply, recorder, truth, telling, [*described, *asked[telling]])


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
