"""Manifests as the commands read them: the good ones, and the mistakes of the others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from connectors.errors import ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import check_manifest
from gateway.assembly import record_shapes
from gateway.cli.output import print_table
from schema.contract import national

Fault = dict[str, Any]
"""A mistake: file, line (0 where there is none), message, hint."""


def read_manifests(paths: Iterable[Path]) -> tuple[dict[Path, Manifest], list[Fault]]:
    """The good manifests, by file, and the mistakes of the others. Files that they name are read as well."""
    shapes = record_shapes(national().catalogue)
    good: dict[Path, Manifest] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            good[path] = check_manifest(path, shapes)
        except ManifestInvalid as error:
            faults += faults_of(error)
    return good, faults


def faults_of(error: ManifestInvalid) -> list[Fault]:
    """The mistakes of a manifest."""
    return [
        {
            "file": error.file,
            "line": found.line,
            "message": f"{found.path}: {found.message}" if found.path else found.message,
            "hint": found.hint,
        }
        for found in error.findings
    ]


def show_faults(faults: list[Fault]) -> None:
    """Prints mistakes as a table."""
    rows = [(f"{fault['file']}:{fault['line']}", fault["message"], fault["hint"]) for fault in faults]
    print_table(f"{len(faults)} mistakes", ("where", "what", "way out"), rows)


def show_unset(reasons: Iterable[str]) -> None:
    """Prints what has to be set before a gateway can ask."""
    for reason in reasons:
        typer.echo(f"Before it can serve: {reason}.")
