"""API keys: `xq_<id>_<secret>`, for systems that cannot fetch tokens.

The secret has 256 random bits, so its digest needs no slow hash; the digest is keyed by the operator's pepper
(HMAC-SHA-256), so that the file of digests alone lets nobody check a guess.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import KeyExpiredError, KeyUnknownError, SettingsInvalidError
from gateway.messages import Principal
from policies.located import Findings, Located, read

KEY: Final = re.compile(r"xq_([a-z0-9]{4,32})_([A-Za-z0-9_-]{43})", re.ASCII)
"""A key's text: its id, and 32 random bytes in base64url without padding."""

_ABSENT: Final = "0" * 64


class ApiKey(BaseModel):
    """One entry of the file: whom the key names, and the digest of its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]{4,32}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    subject: str = Field(min_length=1)
    organisation: str = Field(min_length=1)
    roles: frozenset[str] = Field(min_length=1)
    company: str | None = None
    expires: AwareDatetime


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


def _read(path: Path) -> object:
    """The file as texts, lists and mappings. Raises `OSError`, `SettingsInvalidError`."""
    findings = Findings(path.name)
    document = read(path.read_bytes(), findings)
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


def new_secret() -> str:
    """The secret of a new key: 43 characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str, pepper: str) -> str:
    """What the file holds of a secret: 64 hexadecimal digits."""
    return hmac.digest(pepper.encode(), secret.encode(), "sha256").hex()


class ApiKeys:
    """The keys of this gateway. `clock` gives seconds since the epoch. A repeated id is a `SettingsInvalidError`."""

    def __init__(self, keys: Iterable[ApiKey], pepper: str, clock: Callable[[], float] = time.time) -> None:
        self._pepper = pepper
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        for key in keys:
            if key.id in self._keys:
                raise SettingsInvalidError(f"API keys: the id {key.id} is there twice")
            self._keys[key.id] = key

    def verify(self, text: str) -> Principal:
        """The caller that the key names.

        Raises `KeyUnknownError` (the same for an unknown id and a wrong secret, and as slowly) and `KeyExpiredError`.
        """
        match = KEY.fullmatch(text)
        if match is None:
            raise KeyUnknownError("Not an API key of this gateway: they have the form xq_<id>_<secret>.")
        key = self._keys.get(match[1])
        genuine = hmac.compare_digest(digest(match[2], self._pepper), key.digest if key else _ABSENT)
        if key is None or not genuine:
            raise KeyUnknownError("This gateway does not know the API key. Ask the operator for a new one.")
        if key.expires.timestamp() <= self._clock():
            raise KeyExpiredError("The API key has expired. Ask the operator for a new one.")
        return Principal(key.subject, key.organisation, key.roles, key.company)
