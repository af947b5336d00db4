"""What the store keeps: versions, drafts and approvals."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policies.errors import FileNameInvalid, VersionDamaged
from policies.load import PolicyFiles

VERSION_FILE: Final = "version.yaml"
"""The file that tells a version's number, moment, publisher and reason: written by the store, never by an author."""

_NAME: Final = re.compile(r"(?:[a-z]+/)?[a-z0-9]+(?:[._-][a-z0-9]+)*\.yaml")


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody stands for a draft with this digest. `agency` is the approver's, None for a central administrator."""

    by: str
    agency: str | None
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """Files proposed in place of those of the version `base`.

    `agency` is the author's, None for a central administrator. `restores` is the version whose files these are, in a
    rollback. `revision` counts how often the draft was saved (0: never), so that two who change it at once are noticed.
    """

    id: str
    base: int
    files: PolicyFiles
    author: str
    agency: str | None
    why: str
    created_at: datetime
    approvals: tuple[Approval, ...] = ()
    restores: int | None = None
    revision: int = 0

    @property
    def digest(self) -> str:
        """The digest of the files as they are now: approvals of any other have lapsed."""
        return digest_of(self.files)


@dataclass(frozen=True, slots=True)
class Version:
    """A published policy: its files (with `version.yaml`), their digest, who wrote it, when it was published, and why.

    `restores` is the version whose files it publishes again; `emergency` marks a deny that one person published alone.
    """

    number: int
    digest: str
    files: PolicyFiles
    published_at: datetime
    by: str
    why: str
    approvals: tuple[Approval, ...] = ()
    restores: int | None = None
    emergency: bool = False


def new_version(  # noqa: PLR0913 - what is told of a version
    number: int,
    files: PolicyFiles,
    *,
    published_at: datetime,
    by: str,
    why: str,
    approvals: Iterable[Approval] = (),
    restores: int | None = None,
    emergency: bool = False,
) -> Version:
    """The version that publishes these files, with a `version.yaml` that says so."""
    by, why = one_line(by), one_line(why)
    return Version(
        number,
        digest_of(files),
        {**files, VERSION_FILE: publication(number, published_at, by, why)},
        published_at,
        by,
        why,
        tuple(approvals),
        restores,
        emergency,
    )


def authored(files: PolicyFiles) -> PolicyFiles:
    """The files that people write: all but `version.yaml`."""
    return {name: content for name, content in files.items() if name != VERSION_FILE}


def digest_of(files: PolicyFiles) -> str:
    """SHA-256, in hexadecimal, over what `sha256sum` prints of the files in the order of their names; `version.yaml` is
    left out.
    """
    lines = (f"{sha256(content)}  {name}\n" for name, content in sorted(authored(files).items()))
    return sha256("".join(lines).encode())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def changed(before: PolicyFiles, after: PolicyFiles) -> tuple[str, ...]:
    """The names, in order, of the files that were changed, added or removed; `version.yaml` is left out."""
    names = authored({**before, **after})
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))


def check_names(files: Iterable[str]) -> None:
    """Raises `FileNameInvalid` for a name that could leave the policy's directory, or that two systems would take for
    different files.
    """
    for name in files:
        if not _NAME.fullmatch(name):
            raise FileNameInvalid(
                f"`{name!a}` cannot name a policy file: lower-case letters, digits and `-`, at most one folder, and "
                "`.yaml`, as in `rules/nation.yaml`"
            )


def one_line(text: str) -> str:
    """The text with its white space, line ends among it, made single spaces, and what cannot be printed replaced."""
    return "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))


def publication(number: int, published_at: datetime, by: str, why: str) -> bytes:
    """The content of `version.yaml`."""
    # A text in JSON's quotation marks is one in YAML's too.
    texts = {"by": by, "why": why}
    lines = [f"{key}: {json.dumps(text, ensure_ascii=False)}\n" for key, text in texts.items()]
    return f"number: {number}\npublished_at: {published_at.isoformat()}\n{''.join(lines)}".encode()


def loadable(files: PolicyFiles, now: datetime) -> PolicyFiles:
    """The files with a `version.yaml`, which drafts lack, so that they can be loaded as if published now."""
    return {**files, VERSION_FILE: publication(1, now, "draft", "draft")}


def checked(version: Version, digests: Mapping[str, str]) -> Version:
    """The version, if its files are those that were published. `digests` are the files' SHA-256 as recorded.

    Raises `VersionDamaged`, which names the version and the file.
    """
    for name in sorted({*version.files, *digests}):
        if name not in version.files:
            raise _damaged(version, name, "is missing")
        if name not in digests:
            raise _damaged(version, name, "was added")
        if sha256(version.files[name]) != digests[name]:
            raise _damaged(version, name, "was changed")
    said = publication(version.number, version.published_at, version.by, version.why)
    if version.files.get(VERSION_FILE) != said:
        raise _damaged(version, VERSION_FILE, "does not say what the version's record says")
    if digest_of(version.files) != version.digest:
        raise _damaged(version, "its record", "holds another digest than that of the files")
    return version


def _damaged(version: Version, name: str, what: str) -> VersionDamaged:
    return VersionDamaged(
        f"version {version.number} is not what was published: {name} {what}; restore it from a backup, or publish an "
        "undamaged version again"
    )
