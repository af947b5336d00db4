"""`xinqiao check`: everything that can be wrong with an installation's files, before it is started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer

from connectors.environment import missing_references
from connectors.errors import ManifestInvalid
from connectors.lending import store_wanted
from connectors.manifest import Manifest
from connectors.manifest_file import clashes, manifest_json_schema, manifest_paths
from gateway.assembly import policy_files
from gateway.cli.manifests import Fault, faults_of, read_manifests, show_faults, show_unset
from gateway.cli.output import FAILED, Json, failing_plainly, print_json
from gateway.editions.own_records import contract_of, without_clashes
from gateway.settings import load_settings
from policies.errors import PolicyInvalid
from policies.load import PolicyFiles, load_policy
from policies.publicity import load_publicity


def check(
    *,
    json: Json = False,
    json_schema: Annotated[
        bool, typer.Option("--json-schema", help="Print the JSON Schema of manifests, for editors, and check nothing.")
    ] = False,
) -> None:
    """Check the settings, the manifests and the policies. Nothing is asked of any agency."""
    if json_schema:
        typer.echo(orjson.dumps(manifest_json_schema(), option=orjson.OPT_INDENT_2).decode())
        return
    with failing_plainly():
        settings = load_settings()
        manifests, faults = check_manifests(settings.manifests)
        faults += check_policies(asyncio.run(policy_files(settings.policies)), manifests)
    unset = [reason for manifest in manifests for reason in missing_references(manifest, os.environ)]
    if settings.cache_url is None:
        unset += [reason for manifest in manifests for reason in store_wanted(manifest, settings.instances)]
    if json:
        print_json({"manifests": len(manifests), "mistakes": faults, "notSet": unset})
    else:
        _show(len(manifests), faults, unset)
    if faults:
        raise typer.Exit(FAILED)


def check_manifests(directory: Path) -> tuple[list[Manifest], list[Fault]]:
    """The good manifests of the directory, and the mistakes of the others."""
    try:
        good, faults = read_manifests(manifest_paths(directory))
    except ManifestInvalid as error:
        return [], faults_of(error)
    manifests = list(good.values())
    for place, found in clashes(directory, manifests):
        faults += faults_of(ManifestInvalid(str(place), [found]))
    return manifests, faults


def check_policies(files: PolicyFiles, manifests: Sequence[Manifest]) -> list[Fault]:
    """The mistakes of a version, as rules over what these manifests supply."""
    catalogue = contract_of(without_clashes(manifests)).catalogue
    agencies = [manifest.agency for manifest in manifests]
    faults: list[Fault] = []
    for load in (lambda: load_policy(files, catalogue, agencies), lambda: load_publicity(files, catalogue)):
        try:
            load()
        except PolicyInvalid as error:
            faults += [
                {"file": found.file, "line": found.line, "message": found.message, "hint": found.hint or ""}
                for found in error.findings
            ]
    return faults


def _show(manifests: int, faults: list[Fault], unset: list[str]) -> None:
    if faults:
        show_faults(faults)
    else:
        typer.echo(f"{manifests} manifests and the policies are good.")
    show_unset(unset)
