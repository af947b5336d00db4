"""Manifests as the commands read them: the good ones, and the mistakes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from connectors.errors import Finding, ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import check_manifest
from connectors.yaml_lines import read_yaml
from gateway.assembly import record_shapes
from gateway.cli.output import counted, print_table
from gateway.editions.own_records import own_clashes
from schema.contract import national

Fault = dict[str, Any]
"""A mistake: file, line (0 where there is none), message, hint."""


def read_manifests(paths: Iterable[Path]) -> tuple[dict[Path, Manifest], list[Fault]]:
    """The good manifests, by file, and the mistakes of the others, and of those that clash. Files that they name are
    read as well.
    """
    shapes = record_shapes(national().catalogue)
    good: dict[Path, Manifest] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            good[path] = check_manifest(path, shapes)
        except ManifestInvalid as error:
            faults += faults_of(error)
    return good, [*faults, *_clashes(good)]


def _clashes(good: Mapping[Path, Manifest]) -> Iterator[Fault]:
    files = {manifest.agency: path for path, manifest in good.items()}
    for clash in own_clashes(list(good.values())):
        path, at = files[clash.agency], f"records.{clash.index}.name"
        found = Finding(read_yaml(path).line(at), at, clash.reason, "rename one of the two")
        yield from faults_of(ManifestInvalid(str(path), [found]))


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
    print_table(counted(len(faults), "mistake"), ("where", "what", "way out"), rows)


def show_unset(reasons: Iterable[str]) -> None:
    """Prints what has to be set before a gateway can ask."""
    for reason in reasons:
        typer.echo(f"Before it can serve: {reason}.")
