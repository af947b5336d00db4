"""API keys: `xq_<id>_<secret>`, for systems that cannot fetch tokens.

The secret has 256 random bits, so its digest needs no slow hash; the digest is keyed by the operator's pepper
(HMAC-SHA-256), so that the file of digests alone lets nobody check a guess. It takes about a microsecond.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gateway.errors import KeyExpiredError, KeyRevokedError, KeyUnknownError, SettingsInvalidError
from gateway.followed import Followed
from gateway.identity.api_key_file import ApiKey, read_api_keys
from gateway.messages import Principal
from gateway.settings import Settings

KEY: Final = re.compile(r"xq_([a-z0-9]{4,32})_([A-Za-z0-9_-]{43})", re.ASCII)
"""A key's text: its id, and 32 random bytes in base64url without padding."""

_ABSENT: Final = "0" * 64


def new_secret() -> str:
    """The secret of a new key: 43 characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str, pepper: str) -> str:
    """What the file holds of a secret: 64 hexadecimal digits."""
    return hmac.digest(pepper.encode(), secret.encode(), "sha256").hex()


Keys = Mapping[str, ApiKey]
"""Keys by their ids."""


class ApiKeys:
    """The keys of this gateway, given or as a file says. `clock` gives seconds since the epoch. A repeated id is a
    `SettingsInvalidError`.
    """

    def __init__(
        self, keys: Iterable[ApiKey] | Followed[Keys], pepper: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._pepper = pepper
        self._clock = clock
        self.file = keys if isinstance(keys, Followed) else None
        self._given = {} if isinstance(keys, Followed) else _by_id(keys)

    def verify(self, text: str) -> Principal:
        """The caller that the key names.

        Raises `KeyUnknownError` (the same for an unknown id and a wrong secret, and as slowly), `KeyRevokedError` and
        `KeyExpiredError`.
        """
        match = KEY.fullmatch(text)
        if match is None:
            raise KeyUnknownError("Not an API key of this gateway: they have the form xq_<id>_<secret>.")
        key = self._keys().get(match[1])
        genuine = hmac.compare_digest(digest(match[2], self._pepper), key.digest if key else _ABSENT)
        if key is None or not genuine:
            raise KeyUnknownError("This gateway does not know the API key. Ask the operator for a new one.")
        if key.revoked is not None:
            raise KeyRevokedError("The API key was revoked. Ask the operator for a new one.")
        if key.expires.timestamp() <= self._clock():
            raise KeyExpiredError("The API key has expired. Ask the operator for a new one.")
        return Principal(key.subject, key.organisation, key.roles, key.company, purposes=key.purposes)

    def _keys(self) -> Keys:
        return self._given if self.file is None else self.file.current


def load_api_keys(settings: Settings) -> ApiKeys:
    """The keys that the settings speak of. Raises `SettingsInvalidError`."""
    if settings.api_keys_file is None or settings.api_keys_pepper is None:
        return ApiKeys((), "")
    file = Followed(settings.api_keys_file, lambda path: _by_id(read_api_keys(path)))
    return ApiKeys(file, settings.api_keys_pepper.get_secret_value())


def _by_id(keys: Iterable[ApiKey]) -> Keys:
    by_id: dict[str, ApiKey] = {}
    for key in keys:
        if key.id in by_id:
            raise SettingsInvalidError(f"API keys: the id {key.id} is there twice")
        by_id[key.id] = key
    return by_id
