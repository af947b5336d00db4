"""The public keys of issuers (JWKS, RFC 7517): where they come from, and how they are kept up to date.

Whoever signs replaces its keys when it likes. They are read again after some time, so that a key that was withdrawn
stops counting, and at once when a token names one that is not known, so that a new one counts; not more often than
every `UNKNOWN_SECONDS`, whatever is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from connectors.errors import ConnectorError
from connectors.published import Publications
from connectors.reach import Reach
from gateway.errors import SettingsInvalidError
from gateway.settings import IssuerSettings, SignerSettings

UNKNOWN_SECONDS: Final = 10.0
"""How long keys are taken to be as they were, although a token names one that is not among them."""

SEEK_SECONDS: Final = 2.0
"""How long a request waits at most for a key that is not known."""

FILE_SECONDS: Final = 10.0
"""After how long a file with keys is read again."""

DISCOVERY: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0, section 4."""

_PUBLIC_TYPES: Final = frozenset({"EC", "RSA", "OKP"})

_log = structlog.stdlib.get_logger(__name__)

Read = Callable[[], Awaitable[KeySet]]
"""Reads keys. Raises `SettingsInvalidError` or `ConnectorError`, neither of which holds any of what was read."""


def load_key_set(signer: SignerSettings | IssuerSettings) -> KeySet:
    """The signer's public keys, from its file or the settings. Raises `SettingsInvalidError`, which holds no key."""
    source = signer.jwks
    place = f"The key set of {signer.id}" + (f" ({source})" if isinstance(source, Path) else "")
    try:
        content: Any = orjson.loads(source.read_bytes()) if isinstance(source, Path) else source
    except OSError as error:
        raise SettingsInvalidError(f"{place} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsInvalidError(f"{place} is not a JWKS (RFC 7517): {type(error).__name__}") from None
    return key_set(content, place)


def key_set(content: object, place: str) -> KeySet:
    """The keys with which signatures are checked. Keys for encryption, and those of kinds that are not known, are left
    out (RFC 7517, section 5). Raises `SettingsInvalidError`, which names the `place` and holds no key.
    """
    try:
        keys = KeySet.import_key_set({"keys": [key for key in _entries(content) if _signs(key)]})
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise SettingsInvalidError(f"{place} is not a JWKS (RFC 7517): {type(error).__name__}") from None
    if any(isinstance(key, OctKey) or key.is_private for key in keys):
        raise SettingsInvalidError(f"{place} must hold public keys only")
    return keys


def _entries(content: object) -> list[Any]:
    entries = content.get("keys") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError
    return entries


def _signs(key: object) -> bool:
    """Whether the key may check signatures; what is no key at all, or no public one, stays, for it to be refused."""
    if not isinstance(key, Mapping):
        return True
    return key.get("use") != "enc" and (key.get("kty") in _PUBLIC_TYPES or key.get("kty") in {None, "oct"})


class IssuerKeys:
    """The keys of one issuer, as they were last read. Whoever follows them closes them."""

    def __init__(self, issuer: str, current: KeySet | None, read: Read | None, seconds: float) -> None:
        """`current` are the keys to begin with, None where they were not read yet; `read` reads them again, after so
        many `seconds` (None: they never change).
        """
        self._issuer = issuer
        self._current = current
        self._read = read
        self._seconds = seconds
        self._looked = float("-inf")
        self._fault: str | None = None
        self._flight: asyncio.Task[None] | None = None

    @property
    def current(self) -> KeySet | None:
        """The keys; None where they could not be read so far. The same object as long as they are the same."""
        return self._current

    async def seek(self, kid: str) -> None:
        """Reads the keys again where none of them has this id, unless that was done a moment ago."""
        if self._read is None or self._has(kid):
            return
        if self._flight is None and asyncio.get_running_loop().time() < self._looked + UNKNOWN_SECONDS:
            return
        # Longer than keys usually take: whoever asks has a deadline.
        await asyncio.wait([self._begin(self._read)], timeout=SEEK_SECONDS)

    async def look(self) -> None:
        """Reads the keys again; whoever comes meanwhile waits for the same. Keys that cannot be read stay as they
        were, and the log says so.
        """
        if self._read is not None:
            await asyncio.shield(self._begin(self._read))

    async def follow(self) -> None:
        """Reads the keys again and again, for as long as it runs."""
        while self._read is not None:
            await asyncio.sleep(self._seconds)
            await self.look()

    async def close(self) -> None:
        """Ends a reading under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _begin(self, read: Read) -> asyncio.Task[None]:
        """The reading under way, begun if there is none."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._look(read), name=f"keys of {self._issuer}")
        return self._flight

    def _has(self, kid: str) -> bool:
        return self._current is not None and any(key.kid == kid for key in self._current)

    async def _look(self, read: Read) -> None:
        self._looked = asyncio.get_running_loop().time()
        try:
            found = await read()
        except (SettingsInvalidError, ConnectorError) as error:
            self._tell(f"{error.code}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever an issuer publishes, it is read again later
            self._tell(type(error).__name__)
        else:
            known = self._current
            if known is None or found.as_dict(private=False) != known.as_dict(private=False):
                self._current = found
                _log.info("keys of an issuer", issuer=self._issuer, keys=len(found.keys))
            self._tell(None)
        finally:
            self._flight = None

    def _tell(self, fault: str | None) -> None:
        """Logs a fault once, however often it shows."""
        if fault is not None and fault != self._fault:
            _log.warning("keys of an issuer cannot be read", issuer=self._issuer, fault=fault)
        self._fault = fault


def open_keys(settings: IssuerSettings, reach: Reach) -> IssuerKeys:
    """The issuer's keys. Those in the settings or a file are there at once; published ones with the first look, within
    the `reach`.

    Raises `SettingsInvalidError` where keys in the settings or a file cannot be used, and `AddressInvalid`.
    """
    source = settings.jwks
    if isinstance(source, Path):
        return IssuerKeys(settings.id, load_key_set(settings), _from_file(settings), FILE_SECONDS)
    if isinstance(source, dict):
        return IssuerKeys(settings.id, load_key_set(settings), None, settings.keys_seconds)
    published = _published(settings, Publications(reach, settings.authority))
    return IssuerKeys(settings.id, None, published, settings.keys_seconds)


async def read_keys(settings: IssuerSettings, reach: Reach) -> KeySet:
    """The issuer's keys as they are now. Raises `SettingsInvalidError` and `ConnectorError`, which hold no key."""
    if settings.jwks is None or isinstance(settings.jwks, str):
        return await _published(settings, Publications(reach, settings.authority))()
    return await asyncio.to_thread(load_key_set, settings)


def _from_file(settings: IssuerSettings) -> Read:
    async def read() -> KeySet:
        return await asyncio.to_thread(load_key_set, settings)

    return read


def _published(settings: IssuerSettings, publications: Publications) -> Read:
    async def read() -> KeySet:
        url = settings.jwks if isinstance(settings.jwks, str) else await _discovered(settings.id, publications)
        return key_set(await publications.read(url), f"The key set of {settings.id}")

    return read


async def _discovered(issuer: str, publications: Publications) -> str:
    """Where the issuer's discovery document says that its keys are. It must be this issuer's (section 4.3)."""
    document = await publications.read(issuer.rstrip("/") + DISCOVERY)
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise SettingsInvalidError(f"The discovery document of {issuer} is not that of this issuer")
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        raise SettingsInvalidError(f"The discovery document of {issuer} names no jwks_uri")
    return url
