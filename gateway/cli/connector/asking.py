"""What the commands that ask a real system have in common."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import structlog
import typer

from connectors.contract import Asker, CompanyKey, RecordShape
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import check_manifest
from connectors.reach import Reach
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from gateway.cli.manifests import faults_of, show_faults
from gateway.cli.output import FAILED, UNUSABLE
from gateway.editions.own_records import contract_of
from gateway.settings import load_settings
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from schema.credit_code import CreditCode, CreditCodeError, normalise
from schema.errors import LegacyIdError, SearchNameError
from schema.records import catalogue

_NUMBER: Final = 15
"""The length of registration and tax numbers. Every registration number has the form of a tax number, too."""

_CHINESE: Final = re.compile("[\u4e00-\u9fff]")

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


def chosen(manifest: Manifest, records: Collection[str] | None) -> Manifest:
    """The manifest with its datasets of these record types alone, where some are named. Ends the command where one has
    no dataset.
    """
    supplied = [dataset.record for dataset in manifest.datasets]
    missing = next((record for record in records or () if record not in supplied), None)
    if missing is not None:
        raise typer.BadParameter(f"no dataset of {missing}: there are {', '.join(supplied)}", param_hint="--record")
    datasets = tuple(dataset for dataset in manifest.datasets if not records or dataset.record in records)
    return manifest.model_copy(update={"datasets": datasets})


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


def company_keys(texts: list[str]) -> list[CompanyKey]:
    """The keys that the texts mean: registration and tax numbers of 15 characters, names where there is a Chinese
    character, and credit codes. Ends the command where one is none.
    """
    try:
        return [_company_key(text) for text in texts]
    except (CreditCodeError, LegacyIdError, SearchNameError) as error:
        raise typer.BadParameter(f"{error.code}: {error}") from None


def _company_key(text: str) -> CompanyKey:
    if len(normalise(text)) == _NUMBER:
        return LegacyId.parse(LegacyIdKind.TAX_NUMBER, text)
    return SearchName.parse(text) if _CHINESE.search(text) else CreditCode.parse(text)


def nobody_known_by(keys: list[str]) -> typer.BadParameter:
    """What is wrong where no dataset of a manifest can be asked by any of these keys."""
    return typer.BadParameter(f"no dataset of the manifest knows companies by such keys: {', '.join(keys)}")


def not_configured(error: ConnectionNotConfigured) -> typer.Exit:
    """Prints why the connection cannot be opened, and what may help."""
    typer.echo(f"{error.code}: {error}", err=True)
    if "without TLS" in str(error):
        typer.echo("An agency that is asked by http has to be in XINQIAO_PLAIN_NETWORKS.", err=True)
    return typer.Exit(UNUSABLE)


def asker(organisation: str, purpose: str | None) -> Asker:
    """For whom an agency is asked."""
    return Asker(organisation, purpose, str(uuid4()))
