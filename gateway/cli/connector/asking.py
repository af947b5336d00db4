"""What the commands that ask a real system have in common."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import structlog
import typer

from connectors.contract import Asker, RecordShape
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import check_manifest
from connectors.reach import Reach
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from gateway.cli.manifests import faults_of, show_faults
from gateway.cli.output import FAILED, UNUSABLE
from gateway.own_records import contract_of
from gateway.settings import load_settings
from schema.credit_code import CreditCode, CreditCodeError
from schema.records import catalogue

SHAPES: Final = record_shapes(catalogue())

Organisation = Annotated[
    str, typer.Option(help="For a manifest that forwards the caller: the organisation in whose name is asked.")
]
Purpose = Annotated[str | None, typer.Option(help="For a manifest that forwards the caller: the purpose.")]


def good_manifest(path: Path) -> Manifest:
    """The manifest in the file; where it has mistakes, they are printed, and the command ends."""
    try:
        return check_manifest(path, SHAPES)
    except ManifestInvalid as error:
        show_faults(faults_of(error))
        raise typer.Exit(FAILED) from None


def shapes_of(manifest: Manifest) -> Mapping[str, RecordShape]:
    """The record types that the manifest may supply: the nation's, and its own."""
    return record_shapes(contract_of((manifest,)).catalogue)


def supply_settings() -> SupplySettings:
    """How the gateway would ask, from the settings. Logs are turned off: the command prints what there is to say.

    Raises `SettingsInvalidError`.
    """
    settings = load_settings()
    logging.getLogger().setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return SupplySettings(reach=Reach(settings.networks, settings.plain_networks))


def credit_codes(texts: list[str]) -> list[CreditCode]:
    """The credit codes that the texts mean. Ends the command where one is none."""
    try:
        return [CreditCode.parse(text) for text in texts]
    except CreditCodeError as error:
        raise typer.BadParameter(f"{error.code}: {error}") from None


def not_configured(error: ConnectionNotConfigured) -> typer.Exit:
    """Prints why the connection cannot be opened, and what may help."""
    typer.echo(f"{error.code}: {error}", err=True)
    if "without TLS" in str(error):
        typer.echo("An agency that is asked by http has to be in XINQIAO_PLAIN_NETWORKS.", err=True)
    return typer.Exit(UNUSABLE)


def asker(organisation: str, purpose: str | None) -> Asker:
    """For whom an agency is asked."""
    return Asker(organisation, purpose, str(uuid4()))
