"""`xinqiao connector test`: the conformance suite over a real system."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from connectors.conformance.runner import CASES, verdicts
from connectors.conformance.trial import Result, Verdict
from connectors.contract import Asker, CompanyKey
from connectors.errors import ConnectionNotConfigured
from connectors.manifest import Manifest
from connectors.settings import SupplySettings
from gateway.cli.connector.asking import (
    Organisation,
    Purpose,
    asker,
    chosen,
    company_keys,
    good_manifest,
    nobody_known_by,
    not_configured,
    shapes_of,
    supply_settings,
)
from gateway.cli.output import FAILED, Json, failing_plainly, print_json

_NAMES: Final = tuple(dict.fromkeys(case.name for case in CASES))


def run_tests(  # noqa: PLR0913 - the options of a command
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest's file.")],
    *,
    code: Annotated[
        list[str],
        typer.Option(help="Credit code (number, name) of a company that it knows and has records of; repeat it."),
    ],
    unknown: Annotated[
        list[str] | None, typer.Option(help="Credit code of a company that it does not know; made up otherwise.")
    ] = None,
    record: Annotated[list[str] | None, typer.Option(help="Only this record type; may be repeated.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this case; may be repeated.")] = None,
    organisation: Organisation = "xinqiao-connector-test",
    purpose: Purpose = None,
    json: Json = False,
) -> None:
    """Test whether the system, behind its manifest, gives what the gateway counts on, and fails as it should.

    The system is asked some dozens of times, as the gateway would, one question after the other. For bad days a
    stand-in takes its place, repeats what it said, and misbehaves (before a database stands a proxy, which passes on a
    few more questions). No value is printed.
    """
    strange = sorted(set(only or ()) - set(_NAMES))
    if strange:
        raise typer.BadParameter(f"no case {strange[0]!r}: there are {', '.join(_NAMES)}", param_hint="--only")
    with failing_plainly():
        read, settings = chosen(good_manifest(manifest), record), supply_settings()
        known, strangers = company_keys(code), company_keys(unknown or [])
        who = asker(organisation, purpose)
        try:
            found = asyncio.run(_run(read, settings, known, strangers, only or [], who, quiet=json))
        except ConnectionNotConfigured as error:
            raise not_configured(error) from None
    if not found:
        raise nobody_known_by(code)
    if json:
        print_json([{**_parts(verdict), "result": str(verdict.result)} for verdict in found])
    else:
        ended = Counter(verdict.result for verdict in found)
        typer.echo(f"\n{ended[Result.PASS]} passed, {ended[Result.FAIL]} failed, {ended[Result.SKIP]} skipped.")
    if any(verdict.result is Result.FAIL for verdict in found):
        raise typer.Exit(FAILED)


async def _run(  # noqa: PLR0913, PLR0917  (all that a run depends on)
    manifest: Manifest,
    settings: SupplySettings,
    codes: Sequence[CompanyKey],
    strangers: Sequence[CompanyKey],
    only: Sequence[str],
    who: Asker,
    *,
    quiet: bool,
) -> list[Verdict]:
    found: list[Verdict] = []
    async for verdict in verdicts(
        manifest, shapes_of(manifest), settings, codes, strangers=strangers, asker=who, only=only
    ):
        if not quiet:
            if not found or found[-1].dataset != verdict.dataset:
                typer.secho(verdict.dataset, bold=True)
            reason = f" ({verdict.reason})" if verdict.reason else ""
            typer.echo(f"  {verdict.result}  {verdict.shows}  [{verdict.case}]{reason}")
        found.append(verdict)
    return found


def _parts(verdict: Verdict) -> dict[str, str]:
    return {
        "dataset": verdict.dataset,
        "case": verdict.case,
        "shows": verdict.shows,
        "reason": verdict.reason,
    }
