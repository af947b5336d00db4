"""The file of API keys: read, and written by the command line. It holds digests of secrets, and no secret."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml  # type: ignore[import-untyped]  # it has no stubs of its own
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import SettingsInvalidError
from policies.located import Findings, Located, read

LARGEST: Final = 16 * 1024 * 1024
"""Most bytes of the file: some ten thousand keys."""


class ApiKey(BaseModel):
    """One entry of the file: whom the key names, and the digest of its secret.

    `purposes` are those that it is good for, those below them included; None: all of its organisation. A key that was
    `revoked` stays on record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]{4,32}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    subject: str = Field(min_length=1)
    organisation: str = Field(min_length=1)
    roles: frozenset[str] = Field(min_length=1)
    company: str | None = None
    purposes: frozenset[str] | None = Field(default=None, min_length=1)
    created: AwareDatetime | None = None
    expires: AwareDatetime
    revoked: AwareDatetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[ApiKey, ...]


def read_api_keys(path: Path) -> tuple[ApiKey, ...]:
    """The entries of a YAML or JSON file, under `keys`. Raises `SettingsInvalidError`, naming file and entry."""
    try:
        return _File.model_validate(_read(path)).keys
    except OSError as error:
        raise SettingsInvalidError(f"{path}: the API keys cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        lines = (f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise SettingsInvalidError("\n".join(lines)) from None


def write_api_keys(path: Path, keys: Sequence[ApiKey]) -> None:
    """Puts a new file in the place of the old one, so that none is ever read half-written. It is as readable as the old
    one was, and its owner's alone (mode 0600) where there was none. It is YAML, which no comments outlive. Raises
    `OSError`.
    """
    entries = [_entry(key) for key in keys]
    half = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.exists():
                _as_readable_as(path.stat(), descriptor)
            yaml.safe_dump({"keys": entries}, file, allow_unicode=True, sort_keys=False)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def _as_readable_as(old: os.stat_result, descriptor: int) -> None:
    """The gateway, whose user may be another than who writes, goes on being able to read it."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file by the command line while the context lasts. Raises `OSError`."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _entry(key: ApiKey) -> dict[str, object]:
    entry = key.model_dump(mode="json", exclude_none=True)
    return {name: sorted(value) if isinstance(value, list) else value for name, value in entry.items()}


def _read(path: Path) -> object:
    """The file as texts, lists and mappings. Raises `OSError`, `SettingsInvalidError`."""
    findings = Findings(path.name)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise SettingsInvalidError(f"{path}: the file has more than {LARGEST} bytes")
    document = read(content, findings)
    if findings.found:
        first = findings.found[0]
        raise SettingsInvalidError(f"{path}:{first.line}: not YAML or JSON as it should be: {first.message}")
    return _plain(document) if document else None


def _plain(located: Located) -> object:
    if isinstance(located.value, dict):
        return {key: _plain(item) for key, item in located.value.items()}
    if isinstance(located.value, tuple):
        return [_plain(item) for item in located.value]
    return located.value
