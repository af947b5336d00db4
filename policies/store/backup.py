"""Backup: all that a store holds as one archive, the same bytes for the same content, whatever the kind of store."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from policies.errors import ArchiveInvalid, StoreNotEmpty, VersionDamaged
from policies.load import PolicyFiles
from policies.store.contract import Store
from policies.store.model import Draft, Version, check_names
from policies.store.records import pack_draft, pack_version, unpack_draft, unpack_version

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that the format knows: archives of the same content are the same bytes."""


async def export(store: Store) -> bytes:
    """A ZIP archive of every version and draft, laid out as the store in a directory is (without revisions)."""
    packed = {f"versions/{version.number:06}": pack_version(version) for version in await store.versions()}
    packed |= {f"drafts/{draft.id}": pack_draft(draft) for draft in await store.drafts()}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for folder, files in sorted(packed.items()):
            for name, content in sorted(files.items()):
                made.writestr(zipfile.ZipInfo(f"{folder}/{name}", _EPOCH), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


async def restore(store: Store, archive: bytes) -> None:
    """Puts the archive's versions and drafts into a store that holds none. The whole archive is checked before anything
    is written. Do it before instances use the store: the versions come one by one.

    Raises `StoreNotEmpty`, `ArchiveInvalid`, `VersionDamaged`.
    """
    if await store.latest_number() or await store.drafts():
        raise StoreNotEmpty("the policy store holds versions or drafts; restore into an empty one")
    versions, drafts = _read(archive)
    for version in versions:
        await store.publish(version, expected=version.number - 1)
    for draft in drafts:
        await store.save_draft(draft)


def _read(archive: bytes) -> tuple[list[Version], list[Draft]]:
    try:
        folders = _folders(archive)
        versions = [unpack_version(int(folder), files) for folder, files in sorted(folders["versions"].items())]
        drafts = [unpack_draft(files) for _, files in sorted(folders["drafts"].items())]
    except VersionDamaged:
        raise
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ArchiveInvalid("the archive is not one that was exported from a policy store, or is damaged") from error
    if [version.number for version in versions] != list(range(1, len(versions) + 1)):
        raise ArchiveInvalid("the archive lacks versions: their numbers do not run 1, 2, 3 ...")
    for files in (*(version.files for version in versions), *(draft.files for draft in drafts)):
        check_names(files)
    return versions, drafts


def _folders(archive: bytes) -> Mapping[str, Mapping[str, PolicyFiles]]:
    """The files, by kind (`versions`, `drafts`) and by version or draft."""
    folders: defaultdict[str, defaultdict[str, dict[str, bytes]]] = defaultdict(lambda: defaultdict(dict))
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        for entry in read.namelist():
            kind, folder, name = entry.split("/", 2)
            folders[kind][folder][name] = read.read(entry)
    return folders
