"""`xinqiao check`: everything that can be wrong with an installation's files, before it is started."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from connectors.environment import missing_references
from connectors.errors import Finding, ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import clashes, load_manifest, manifest_json_schema, manifest_paths
from connectors.yaml_lines import read_yaml
from gateway.assembly import policy_files, record_shapes
from gateway.cli.output import FAILED, Json, failing_plainly, print_json, print_table
from gateway.own_records import contract_of, own_clashes
from gateway.settings import load_settings
from policies.errors import PolicyInvalid
from policies.load import PolicyFiles, load_policy
from policies.publicity import load_publicity
from schema.catalogue import Catalogue
from schema.contract import national

Fault = dict[str, Any]
"""A mistake: file, line (0 where there is none), message, hint."""


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
        manifests, faults = _manifests(settings.manifests)
        clashing = {clash.agency for clash in own_clashes(manifests)}
        catalogue = contract_of(one for one in manifests if one.agency not in clashing).catalogue
        files = asyncio.run(policy_files(settings.policies))
        faults += _policies(files, catalogue, [manifest.agency for manifest in manifests])
    unset = [reason for manifest in manifests for reason in missing_references(manifest, os.environ)]
    if json:
        print_json({"manifests": len(manifests), "mistakes": faults, "notSet": unset})
    else:
        _show(len(manifests), faults, unset)
    if faults:
        raise typer.Exit(FAILED)


def _manifests(directory: Path) -> tuple[list[Manifest], list[Fault]]:
    """The good manifests of the directory, and the mistakes of the others."""
    shapes = record_shapes(national().catalogue)
    good: dict[Path, Manifest] = {}
    faults: list[Fault] = []
    try:
        paths = manifest_paths(directory)
    except ManifestInvalid as error:
        return [], _faults(error)
    for path in paths:
        try:
            good[path] = load_manifest(path, shapes)
        except ManifestInvalid as error:
            faults += _faults(error)
    manifests = list(good.values())
    for place, found in clashes(directory, manifests):
        faults += _faults(ManifestInvalid(str(place), [found]))
    for clash in own_clashes(manifests):
        path = next(path for path, manifest in good.items() if manifest.agency == clash.agency)
        at = f"records.{clash.index}.name"
        found = Finding(read_yaml(path).line(at), at, clash.reason, "rename one of the two")
        faults += _faults(ManifestInvalid(str(path), [found]))
    return manifests, faults


def _faults(error: ManifestInvalid) -> list[Fault]:
    return [
        {
            "file": error.file,
            "line": found.line,
            "message": f"{found.path}: {found.message}" if found.path else found.message,
            "hint": found.hint,
        }
        for found in error.findings
    ]


def _policies(files: PolicyFiles, catalogue: Catalogue, agencies: list[str]) -> list[Fault]:
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
        rows = [(f"{fault['file']}:{fault['line']}", fault["message"], fault["hint"]) for fault in faults]
        print_table(f"{len(faults)} mistakes", ("where", "what", "way out"), rows)
    else:
        typer.echo(f"{manifests} manifests and the policies are good.")
    for reason in unset:
        typer.echo(f"Before it can serve: {reason}.")
