"""The issuers of consents as their files say: keys and revocation lists, read again when a file changes."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import structlog
from joserfc.jwk import KeySet

from gateway.errors import SettingsInvalidError
from gateway.identity.key_sets import load_key_set
from gateway.settings import ConsentIssuerSettings
from policies.consent import ANY_COMPANY, ConsentIssuer, ConsentVerifier
from policies.errors import RevocationsInvalid
from policies.revocation import NEVER_REVOKES, RevocationList, read_revocations
from policies.signature import MAX_BYTES

LOOK_SECONDS: Final = 2.0
"""How often the files are looked at."""

_log = structlog.stdlib.get_logger(__name__)

Stamp = tuple[int, ...] | None
"""What tells one state of a file from another; None where there is no file."""


class Consents(Protocol):
    """Where a request gets the verifier that it keeps to its end."""

    @property
    def current(self) -> ConsentVerifier:
        """The verifier, by the files as they were last read."""
        ...


@dataclass(frozen=True, slots=True)
class IssuerState:
    """An issuer as its files said when they had these stamps. `newest` is when the newest of its lists was issued, in
    seconds since the epoch. `faults` say what is wrong with the files, and quote nothing of them.
    """

    issuer: ConsentIssuer
    stamps: tuple[Stamp, Stamp]
    newest: float
    faults: tuple[str, ...]


def read_issuer(settings: ConsentIssuerSettings, before: IssuerState | None, now: float) -> IssuerState:
    """The issuer as its files say at `now` (seconds since the epoch); `before` is what they said last, and is given
    again where nothing has changed.

    A key set that cannot be used leaves the keys as they were. A revocation list that cannot be used leaves none, and
    one that is older than the newest leaves what there was. Raises `SettingsInvalidError` where there are no keys yet.
    """
    stamps = _stamp(settings.jwks), _stamp(settings.revocations)
    # What is at fault is read again, changed or not: the list may have been ahead of our clock, or the file half there.
    if before and before.stamps == stamps and not before.faults and _is_fresh(before, now):
        return before
    keys, keys_fault = _keys(settings, before)
    revocations, list_fault = _revocations(settings, keys, before, now)
    companies = frozenset(settings.companies) or frozenset({ANY_COMPANY})
    return IssuerState(
        ConsentIssuer(settings.id, keys, companies, revocations),
        stamps,
        max(before.newest if before else 0, revocations.issued if revocations else 0),
        tuple(fault for fault in (keys_fault, list_fault) if fault),
    )


class ConsentIssuers:
    """The configured issuers; each request sees the snapshot that was `current` when it began. `clock` gives seconds
    since the epoch.
    """

    def __init__(
        self,
        settings: Sequence[ConsentIssuerSettings],
        verifier: ConsentVerifier,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._states: Mapping[str, IssuerState] = {}
        self._current = replace(verifier, issuers={})

    @property
    def current(self) -> ConsentVerifier:
        """The verifier, by the files as they were last read; before that it knows no issuer."""
        return self._current

    async def look(self) -> None:
        """Reads the files that have changed. Raises `SettingsInvalidError` where there are no keys yet."""
        before = self._states
        states = await asyncio.to_thread(_read_all, self._settings, before, self._clock())
        if all(states[id_] is before.get(id_) for id_ in states):
            return
        self._states = states
        self._current = replace(self._current, issuers={id_: state.issuer for id_, state in states.items()})
        for id_, state in states.items():
            _tell(state, before.get(id_))

    async def follow(self) -> None:
        """Looks again and again, for as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()


def _read_all(
    settings: Sequence[ConsentIssuerSettings], before: Mapping[str, IssuerState], now: float
) -> Mapping[str, IssuerState]:
    return {issuer.id: read_issuer(issuer, before.get(issuer.id), now) for issuer in settings}


def _stamp(source: object) -> Stamp:
    if not isinstance(source, Path):
        return None
    try:
        found = source.stat()
    except OSError:
        return None
    # Opening a pipe or a device would wait for whoever writes to it.
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_fresh(state: IssuerState, now: float) -> bool:
    return state.issuer.revocations is not None and state.issuer.revocations.is_fresh(now)


def _keys(settings: ConsentIssuerSettings, before: IssuerState | None) -> tuple[KeySet, str | None]:
    """The issuer's keys, and what is wrong with the file. Keys that are the same stay the same object."""
    if before is None:
        return load_key_set(settings), None
    known = before.issuer.keys
    try:
        found = load_key_set(settings)
    except SettingsInvalidError as error:
        return known, f"{error}; the keys stay as they were"
    return (known if found.as_dict(private=False) == known.as_dict(private=False) else found), None


def _revocations(
    settings: ConsentIssuerSettings, keys: KeySet, before: IssuerState | None, now: float
) -> tuple[RevocationList | None, str | None]:
    """The issuer's list (None: no consent of it counts), and what is wrong with the file."""
    if settings.revocations is None:
        return NEVER_REVOKES, None
    try:
        found = read_revocations(_content(settings.revocations), settings.id, keys, now)
    except (OSError, RevocationsInvalid) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return None, f"{settings.revocations}: {reason}; no consent of this issuer counts"
    if before and found.issued < before.newest:
        kept = before.issuer.revocations if keys is before.issuer.keys else None
        return kept, f"{settings.revocations}: the revocation list is older than the one before; sign a new one"
    if not found.is_fresh(now):
        reason = "the revocation list is past its freshness (exp)"
        return found, f"{settings.revocations}: {reason}; no consent of this issuer counts"
    return found, None


def _content(path: Path) -> bytes:
    """The file, one byte more than a list may have at most. Raises `OSError`."""
    if _stamp(path) is None:
        raise OSError(None, "there is no such file, or it cannot be reached")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _tell(state: IssuerState, before: IssuerState | None) -> None:
    """Logs what became of an issuer, once."""
    if before is not None and state.faults == before.faults and state.stamps == before.stamps:
        return
    for fault in state.faults:
        _log.warning("consent issuer", issuer=state.issuer.id, fault=fault)
    if not state.faults:
        revoked = len(state.issuer.revocations.revoked) if state.issuer.revocations else 0
        _log.info("consent issuer", issuer=state.issuer.id, keys=len(state.issuer.keys.keys), revoked=revoked)
