"""`xinqiao diff`: what changes for those who ask, from one version of manifests to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connectors.changes import changes
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest, load_manifests
from gateway.assembly import record_shapes
from gateway.cli.output import FAILED, Json, counted, failing_plainly, print_json, print_table
from schema.contract import national


def diff(
    old: Annotated[Path, typer.Argument(help="A manifest, or a directory of them.")],
    new: Annotated[Path, typer.Argument(help="The same, as it is to become.")],
    *,
    json: Json = False,
) -> None:
    """Say what changes for those who ask. The exit status is 1 where something of it breaks queries or rules."""
    with failing_plainly():
        found = changes(_manifests(old), _manifests(new))
    breaking = sum(change.breaking for change in found)
    if json:
        told = [{"place": one.place, "message": one.message, "breaking": one.breaking} for one in found]
        print_json({"breaking": breaking, "changes": told})
    elif found:
        rows = [("BREAKS" if one.breaking else "", one.place, one.message) for one in found]
        print_table(f"{counted(len(found), 'change')}, {breaking} breaking", ("", "where", "what"), rows)
    else:
        typer.echo("Nothing changes for those who ask.")
    if breaking:
        raise typer.Exit(FAILED)


def _manifests(path: Path) -> dict[str, Manifest]:
    """The manifests of a file or a directory, by agency. Raises `ManifestInvalid`."""
    shapes = record_shapes(national().catalogue)
    loaded = load_manifests(path, shapes).values() if path.is_dir() else (load_manifest(path, shapes),)
    return {manifest.agency: manifest for manifest in loaded}
