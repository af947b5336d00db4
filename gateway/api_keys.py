"""API keys: `xq_<id>_<secret>`, for systems that cannot fetch tokens.

The secret has 256 random bits, so its digest needs no slow hash; the digest is keyed by the operator's pepper
(HMAC-SHA-256), so that the file of digests alone lets nobody check a guess. It takes about a microsecond.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from connectors.secret import Stamp, stamp_of
from gateway.api_key_file import ApiKey, read_api_keys
from gateway.errors import KeyExpiredError, KeyRevokedError, KeyUnknownError, SettingsInvalidError
from gateway.messages import Principal
from gateway.settings import Settings

LOOK_SECONDS: Final = 2.0
"""How often the file is read again: so long may a key that was revoked still count."""

KEY: Final = re.compile(r"xq_([a-z0-9]{4,32})_([A-Za-z0-9_-]{43})", re.ASCII)
"""A key's text: its id, and 32 random bytes in base64url without padding."""

_ABSENT: Final = "0" * 64
_log = structlog.stdlib.get_logger(__name__)


def new_secret() -> str:
    """The secret of a new key: 43 characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str, pepper: str) -> str:
    """What the file holds of a secret: 64 hexadecimal digits."""
    return hmac.digest(pepper.encode(), secret.encode(), "sha256").hex()


class ApiKeys:
    """The keys of this gateway, as the file said when it was last read. `clock` gives seconds since the epoch. A
    repeated id is a `SettingsInvalidError`.
    """

    def __init__(
        self,
        keys: Iterable[ApiKey],
        pepper: str,
        clock: Callable[[], float] = time.time,
        file: Path | None = None,
    ) -> None:
        self._pepper = pepper
        self._clock = clock
        self._file = file
        self._keys = _by_id(keys)
        self._stamp: Stamp | None = None
        self._fault: str | None = None

    def verify(self, text: str) -> Principal:
        """The caller that the key names.

        Raises `KeyUnknownError` (the same for an unknown id and a wrong secret, and as slowly), `KeyRevokedError` and
        `KeyExpiredError`.
        """
        match = KEY.fullmatch(text)
        if match is None:
            raise KeyUnknownError("Not an API key of this gateway: they have the form xq_<id>_<secret>.")
        key = self._keys.get(match[1])
        genuine = hmac.compare_digest(digest(match[2], self._pepper), key.digest if key else _ABSENT)
        if key is None or not genuine:
            raise KeyUnknownError("This gateway does not know the API key. Ask the operator for a new one.")
        if key.revoked is not None:
            raise KeyRevokedError("The API key was revoked. Ask the operator for a new one.")
        if key.expires.timestamp() <= self._clock():
            raise KeyExpiredError("The API key has expired. Ask the operator for a new one.")
        return Principal(key.subject, key.organisation, key.roles, key.company, purposes=key.purposes)

    async def look(self) -> None:
        """Reads the file again. Keys stay as they were where it cannot be used, and the log says so."""
        if self._file is None:
            return
        try:
            stamp = await asyncio.to_thread(stamp_of, self._file)
            if stamp != self._stamp:
                self._keys = _by_id(await asyncio.to_thread(read_api_keys, self._file))
        except (OSError, SettingsInvalidError) as error:
            fault = str(error.strerror) if isinstance(error, OSError) else str(error)
            if fault != self._fault:
                _log.warning("API keys cannot be read", fault=fault)
            self._fault = fault
        else:
            self._stamp, self._fault = stamp, None

    async def follow(self) -> None:
        """Reads the file again and again, for as long as it runs."""
        while self._file is not None:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()


def load_api_keys(settings: Settings) -> ApiKeys:
    """The keys that the settings speak of. Raises `SettingsInvalidError`."""
    keys = read_api_keys(settings.api_keys_file) if settings.api_keys_file else ()
    pepper = settings.api_keys_pepper.get_secret_value() if settings.api_keys_pepper else ""
    return ApiKeys(keys, pepper, file=settings.api_keys_file)


def _by_id(keys: Iterable[ApiKey]) -> Mapping[str, ApiKey]:
    by_id: dict[str, ApiKey] = {}
    for key in keys:
        if key.id in by_id:
            raise SettingsInvalidError(f"API keys: the id {key.id} is there twice")
        by_id[key.id] = key
    return by_id
