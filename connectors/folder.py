"""The folder of manifests as it changes: what each file holds now, and which take the places of those before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.contract import RecordShape
from connectors.errors import ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest, manifest_paths
from connectors.secret import Stamp, stamp_of

Reasons = tuple[str, ...]
"""Why a manifest is refused: a sentence for each mistake, which names no value of a secret."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder: the good manifests, the reasons against the others, and the stamps of all."""

    manifests: Mapping[Path, Manifest] = field(default_factory=dict)
    refused: Mapping[Path, Reasons] = field(default_factory=dict)
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)


def stamps_of(directory: Path) -> Mapping[Path, Stamp]:
    """The stamps of all files in a directory and below it, but for what is hidden. Blocks. Raises `OSError`."""
    stamps: dict[Path, Stamp] = {}
    for path in directory.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if not hidden and path.is_file():
            stamps[path] = stamp_of(path)
    return stamps


def read_folder(directory: Path, shapes: Mapping[str, RecordShape], before: Folder) -> Folder:
    """What the files hold; those that are as they were `before` are not read again. Blocks.

    Raises `ManifestInvalid` where there is no manifest at all, and `OSError`.
    """
    manifests: dict[Path, Manifest] = {}
    refused: dict[Path, Reasons] = {}
    stamps: dict[Path, Stamp] = {}
    for path in manifest_paths(directory):
        stamps[path] = stamp_of(path)
        known = before.manifests.get(path)
        if known is not None and stamps[path] == before.stamps.get(path):
            manifests[path] = known
            continue
        try:
            manifests[path] = load_manifest(path, shapes)
        except ManifestInvalid as error:
            refused[path] = tuple(map(str, error.findings))
        except Exception as error:  # noqa: BLE001  (a kind of another package may raise anything)
            refused[path] = (f"cannot be checked: {type(error).__name__}",)
    return Folder(manifests, refused, stamps)


def succeed(
    folder: Folder, before: Mapping[Path, Manifest], known: Callable[[str], bool]
) -> tuple[dict[Path, Manifest], dict[Path, Reasons]]:
    """The manifests that are to be in force, and the reasons against each file's that are not.

    A file that is refused keeps the manifest that it had `before`; one that is gone has none. `known` tells whether the
    policy knows an agency.
    """
    refused = dict(folder.refused)
    chosen: dict[Path, Manifest] = {}
    for path in (*folder.manifests, *folder.refused):
        old, new = before.get(path), folder.manifests.get(path)
        if old is not None and (new is None or new.agency == old.agency):
            chosen[path] = new or old
    taken = {manifest.agency for manifest in chosen.values()}
    for path, new in folder.manifests.items():
        if path in chosen:
            continue
        manifest: Manifest | None = new
        if new.agency in taken:
            refused[path] = (f"a second manifest of the agency {new.agency!r}",)
        elif not known(new.agency):
            refused[path] = (f"the agency {new.agency!r} is not in the policy's tree of agencies",)
        if path in refused:
            manifest = before.get(path)
        if manifest is not None and manifest.agency not in taken:
            chosen[path] = manifest
            taken.add(manifest.agency)
    return chosen, refused
