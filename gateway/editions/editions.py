"""The policy version in force and what agencies supply, with all that is made of both; a new one takes its place as a
whole.

A request takes the edition in force when it begins and keeps it to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.agencies.profile import told_of
from gateway.editions.provision import Provision
from gateway.editions.tables import Tables, TableSource
from gateway.editions.workshop import Announced, Offered
from gateway.errors import PolicyNotLoadedError
from gateway.stages.prepare import Preparer
from policies.errors import PolicyError, StoreUnavailable
from policies.load import PolicyFiles
from policies.policy import Outline, Policy
from policies.publicity import Publicity
from policies.store.contract import Store

WARMING_SECONDS: Final = 0.5
"""How long a new version may wait for the tables that the one before had in use. A publish takes effect on every
instance within a second."""

HEARTBEAT_SECONDS: Final = 5.0
"""How often the store is asked whether it is there."""

CLOCK_SECONDS: Final = 5.0
"""How often the wall clock is looked at: it may be set, or the machine may have slept, while this process waited."""

RETRY_SECONDS: Final = 1.0
"""How long to wait before what failed (a store that cannot be reached, say) is tried again."""

_log = structlog.stdlib.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a version's files say."""

    policy: Policy
    publicity: Publicity


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """One policy version at work on what agencies supply."""

    policy: Outline
    publicity: Publicity
    tables: Tables
    preparer: Preparer
    provision: Provision


@dataclass(frozen=True, slots=True)
class Standing:
    """How the version in force stands: its number, and when it was published (Unix epoch); for how many seconds its
    store has not confirmed that it is the latest, None where there is no store; whether that is too long; and whether
    a later one is left out, for it cannot be loaded here.
    """

    number: int
    published_at: float
    confirmed: float | None
    stale: bool
    left_out: bool


class Editions:
    """Makes editions, and holds the one in force.

    `load` reads a version's files, for what the agencies offer; `provision` is what they supply at first. Where the
    store of versions has not confirmed for longer than `max_staleness` seconds that the version in force is the latest,
    whatever is not PUBLIC is withheld: a deny that was published meanwhile must reach this instance or stop it, also
    one in a version that cannot be loaded here. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        load: Callable[[PolicyFiles, Offered], Awaitable[tuple[Announced, TableSource]]],
        provision: Provision,
        max_staleness: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._provision = provision
        self._max_staleness = max_staleness
        self._clock = clock
        self._adopting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._adopted = asyncio.Condition()
        self._current: Edition | None = None
        self._public: Edition | None = None
        self._confirmed: float | None = None
        self._files: PolicyFiles = {}
        self._left_out: tuple[int, Provision] | None = None

    @property
    def current(self) -> Edition:
        """The edition in force. Raises `PolicyNotLoadedError` before there is one."""
        edition = self._public if self._stale() else self._current
        if edition is None:
            raise PolicyNotLoadedError
        return edition

    def standing(self) -> Standing:
        """How the version in force stands. Raises `PolicyNotLoadedError` before there is one."""
        if self._current is None:
            raise PolicyNotLoadedError
        policy = self._current.policy
        confirmed = None if self._confirmed is None else self._clock() - self._confirmed
        left_out = self._left_out is not None and self._left_out[0] > policy.number
        return Standing(policy.number, policy.published_at.timestamp(), confirmed, self._stale(), left_out)

    async def check(self) -> str | None:
        """Whether the policy can be relied on, as a `gateway.edge.health.Check`."""
        if self._current is None:
            return "is not loaded"
        if self._stale():
            return f"has not been confirmed by its store for {self._max_staleness:g} s; only PUBLIC data is shown"
        return None

    async def adopt(self, files: PolicyFiles) -> None:
        """Puts the version in these files into force, once it is loaded and the tables in use are made for it.

        Raises `PolicyError`, and changes nothing, where the files are no sound policy.
        """
        async with self._adopting:
            await self._adopt(files, self._provision)

    async def provide(self, provision: Provision) -> None:
        """Puts what agencies supply now into force, under the policy that is in force.

        Raises `PolicyError`, and changes nothing, where the policy does not go with it.
        """
        async with self._adopting:
            await self._adopt(self._files, provision)

    async def reached(self, number: int) -> None:
        """Returns once the version in force has this number, or a later one."""
        async with self._adopted:
            await self._adopted.wait_for(lambda: self._current is not None and self._current.policy.number >= number)

    async def follow(self, store: Store) -> None:
        """Adopts each version that is published, for as long as it runs; one that is no sound policy is left out. What
        else goes wrong is logged, and tried again.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(store), name="policy watch")
            group.create_task(self._beat(store), name="policy heartbeat")

    async def keep_dates(
        self, files: Callable[[], Awaitable[PolicyFiles]], clock: Callable[[], datetime] = _now
    ) -> None:
        """Adopts the version in force again whenever a rule's validity begins or ends, or the clock was set back, for
        as long as it runs. What goes wrong is logged, and tried again.
        """
        seen = clock()
        while True:
            self._changed.clear()
            change = self.current.policy.next_change
            left = CLOCK_SECONDS if change is None else (change - seen).total_seconds()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, CLOCK_SECONDS)):
                    await self._changed.wait()
            before, seen = seen, clock()
            if not self._changed.is_set() and (seen < before or (change is not None and change <= seen)):
                await self._adopt_again(files)

    async def _adopt(self, files: PolicyFiles, provision: Provision) -> None:
        told, source = await self._load(files, provision.offered)
        edition, public = (_edition(told, source, provision, public=public) for public in (False, True))
        await self._warm(edition)
        self._current, self._public = edition, public
        self._files, self._provision = files, provision
        self._changed.set()
        async with self._adopted:
            self._adopted.notify_all()
        _log.info("policy in force", version=told.policy.version)

    async def _adopt_again(self, files: Callable[[], Awaitable[PolicyFiles]]) -> None:
        try:
            async with self._adopting:
                # Read in here: a version that is adopted meanwhile must not give way to the one before it.
                await self._adopt(await files(), self._provision)
        except Exception:  # noqa: BLE001  # whatever it is, the next rule's day must not be missed for it
            _log.exception("policy cannot be loaded again")
            await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, store: Store) -> None:
        while True:
            try:
                async for number in store.changes():
                    await self._adopt_version(store, number)
            except StoreUnavailable:
                _log.warning("policy store cannot be reached")
            except Exception:  # noqa: BLE001  # whatever it is, the versions after this one must not be missed for it
                _log.exception("policy version cannot be adopted")
            await asyncio.sleep(RETRY_SECONDS)

    async def _adopt_version(self, store: Store, number: int) -> None:
        async with self._adopting:
            if self._current and number <= self._current.policy.number:
                return
            try:
                await self._adopt((await store.version(number)).files, self._provision)
            except StoreUnavailable:
                raise
            except PolicyError as error:
                self._left_out = number, self._provision
                _log.error("policy version cannot be loaded", version=number, code=error.code)

    async def _beat(self, store: Store) -> None:
        self._confirmed = self._clock()
        while True:
            try:
                latest = await store.latest_number()
                if self._left_out and self._left_out[0] == latest and self._left_out[1] is not self._provision:
                    # It may be about an agency that has come since.
                    await self._adopt_version(store, latest)
                if self._current and latest <= self._current.policy.number:
                    self._confirmed = self._clock()
            except StoreUnavailable:
                pass
            except Exception:  # noqa: BLE001  # whatever it is, the store must be asked again
                _log.exception("policy store does not answer")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _warm(self, edition: Edition) -> None:
        """Makes the tables that are in use, as many as the time allows; the rest are made when they are asked for."""
        if self._current is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WARMING_SECONDS):
                for caller_class in self._current.tables.classes():
                    await edition.tables.table(caller_class)

    def _stale(self) -> bool:
        """Whether the store, if there is one, has not confirmed the version in force for too long."""
        return self._confirmed is not None and self._clock() - self._confirmed > self._max_staleness


def _edition(told: Announced, source: TableSource, provision: Provision, *, public: bool) -> Edition:
    tables = Tables(told.policy.organisations, told.representatives, source, public=public)
    agencies = told_of(provision.agencies, told.policy.unreleased)
    preparer = Preparer(provision.datasets, agencies, told.publicity)
    return Edition(told.policy, told.publicity, tables, preparer, provision)
