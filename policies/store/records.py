"""Versions and drafts as sets of files: what the directory and the archives hold. Beside the policy's own files stands
one in JSON that tells the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from policies.errors import VersionDamaged
from policies.load import PolicyFiles
from policies.store.model import Approval, Draft, Version, checked, sha256

RECORD: Final = "record.json"
"""The file that tells who, when and why. It is no YAML, so that nobody takes it for a policy file."""


def pack_version(version: Version) -> PolicyFiles:
    """The version's files and its record, which holds the SHA-256 of each."""
    record = {
        "number": version.number,
        "digest": version.digest,
        "published_at": version.published_at.isoformat(),
        "by": version.by,
        "why": version.why,
        "approvals": [_approval(approval) for approval in version.approvals],
        "restores": version.restores,
        "emergency": version.emergency,
        "files": {name: sha256(content) for name, content in sorted(version.files.items())},
    }
    return {**version.files, RECORD: _json(record)}


def unpack_version(number: int, packed: PolicyFiles) -> Version:
    """The version that was packed, checked. Raises `VersionDamaged`."""
    try:
        record = json.loads(packed[RECORD])
        version = Version(
            number=record["number"],
            digest=record["digest"],
            files=_files(packed),
            published_at=datetime.fromisoformat(record["published_at"]),
            by=record["by"],
            why=record["why"],
            approvals=_approvals(record),
            restores=record["restores"],
            emergency=record["emergency"],
        )
        digests = dict(record["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise VersionDamaged(f"version {number} is not what was published: {RECORD} cannot be read") from error
    if version.number != number:
        raise VersionDamaged(f"version {number} is not what was published: {RECORD} is that of {version.number!r}")
    return checked(version, digests)


def pack_draft(draft: Draft) -> PolicyFiles:
    """The draft's files and its record."""
    record = {
        "id": draft.id,
        "base": draft.base,
        "author": draft.author,
        "agency": draft.agency,
        "why": draft.why,
        "created_at": draft.created_at.isoformat(),
        "approvals": [_approval(approval) for approval in draft.approvals],
        "restores": draft.restores,
    }
    return {**draft.files, RECORD: _json(record)}


def unpack_draft(packed: PolicyFiles, revision: int = 0) -> Draft:
    """The draft that was packed. Raises `KeyError`, `TypeError` or `ValueError` where the record cannot be read."""
    record = json.loads(packed[RECORD])
    return Draft(
        id=record["id"],
        base=record["base"],
        files=_files(packed),
        author=record["author"],
        agency=record["agency"],
        why=record["why"],
        created_at=datetime.fromisoformat(record["created_at"]),
        approvals=_approvals(record),
        restores=record["restores"],
        revision=revision,
    )


def _files(packed: PolicyFiles) -> PolicyFiles:
    return {name: content for name, content in sorted(packed.items()) if name != RECORD}


def _approval(approval: Approval) -> Mapping[str, str | None]:
    return {
        "by": approval.by,
        "agency": approval.agency,
        "digest": approval.digest,
        "at": approval.at.isoformat(),
    }


def _approvals(record: Mapping[str, Any]) -> tuple[Approval, ...]:
    return tuple(
        Approval(one["by"], one["agency"], one["digest"], datetime.fromisoformat(one["at"]))
        for one in record["approvals"]
    )


def _json(record: Mapping[str, object]) -> bytes:
    return (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode()
