"""`xinqiao doctor`: what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections import Counter
from collections.abc import Mapping, Sequence

import typer

from gateway.cli.doctor.agencies import agencies
from gateway.cli.doctor.entrance import entrance
from gateway.cli.doctor.finding import Finding, Verdict, fault, good
from gateway.cli.doctor.machine import machine
from gateway.cli.doctor.rules import read_manifests, rules
from gateway.cli.doctor.stores import stores
from gateway.cli.output import FAILED, Json, counted, print_json, print_table
from gateway.errors import SettingsInvalidError
from gateway.settings import Settings, load_settings


def doctor(*, json: Json = False) -> None:
    """Look over the installation that the settings describe: settings, keys, stores, manifests, policies, agencies.

    Run it where and as the gateway runs. Agencies are connected to, and asked nothing.
    """
    found = asyncio.run(_examined(os.environ))
    verdicts = Counter(finding.verdict for finding in found)
    if json:
        print_json({"faults": verdicts[Verdict.FAULT], "warnings": verdicts[Verdict.WARNING], "findings": found})
    else:
        _show(found, verdicts)
    if verdicts[Verdict.FAULT]:
        raise typer.Exit(FAILED)


async def _examined(environment: Mapping[str, str]) -> Sequence[Finding]:
    try:
        settings = load_settings()
    except SettingsInvalidError as error:
        remedy = "mend the settings first (docs/settings.md): all else depends on them"
        return [fault("settings", line, remedy) for line in str(error).splitlines()]
    return await examine(settings, environment, dt.datetime.now(dt.UTC))


async def examine(settings: Settings, environment: Mapping[str, str], now: dt.datetime) -> Sequence[Finding]:
    """All that is found of an installation; `environment` holds the manifests' `${NAME}`."""
    manifests, found = await asyncio.to_thread(read_manifests, settings)
    parts = await asyncio.gather(
        machine(settings),
        rules(settings, manifests),
        entrance(settings, now),
        stores(settings, environment, now),
        agencies(settings, manifests, environment),
    )
    return [good("settings", "they can be read"), *found, *(finding for part in parts for finding in part)]


def _show(found: Sequence[Finding], verdicts: Mapping[Verdict, int]) -> None:
    worst_first = sorted(found, key=lambda one: list(Verdict).index(one.verdict), reverse=True)
    rows = [(one.verdict.value, one.subject, one.message, one.remedy) for one in worst_first]
    faults, warnings = counted(verdicts[Verdict.FAULT], "fault"), counted(verdicts[Verdict.WARNING], "warning")
    print_table(f"{faults}, {warnings}", ("", "what", "was found", "what to do"), rows)
