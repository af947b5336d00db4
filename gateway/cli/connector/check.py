"""`xinqiao connector check`: everything that can be wrong with a manifest, without asking its agency."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from connectors.environment import missing_references
from gateway.cli.manifests import read_manifests, show_faults, show_unset
from gateway.cli.output import FAILED, Json, counted, failing_plainly, print_json


def check(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="The manifests' files.")],
    *,
    json: Json = False,
) -> None:
    """Check manifests, and the copies of WSDLs beside them. Nothing is asked of any agency."""
    with failing_plainly():
        good, faults = read_manifests(manifests)
    unset = [reason for manifest in good.values() for reason in missing_references(manifest, os.environ)]
    if json:
        print_json({"manifests": len(good), "mistakes": faults, "notSet": unset})
    elif faults:
        show_faults(faults)
    else:
        typer.echo(f"{counted(len(good), 'manifest')} {'is' if len(good) == 1 else 'are'} good.")
    if not json:
        show_unset(unset)
    if faults:
        raise typer.Exit(FAILED)
