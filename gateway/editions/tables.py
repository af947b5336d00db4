"""Decision tables, compiled once for all callers whom no rule tells apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import Any, Protocol, TypeVar, cast

from cachetools import LRUCache

from gateway.editions.compiler import Compiler
from gateway.editions.workshop import Announced, Offered, Workshop, in_workshop
from gateway.errors import VersionNotHeldError
from policies.decision import CallerClass, DecisionTable
from policies.load import PolicyFiles
from policies.policy import Organisation

Made = TypeVar("Made")


class TableSource(Protocol):
    """Makes the tables of one policy version; `public` ones withhold all that is not of tier PUBLIC."""

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        """Every decision for this class of caller."""

    async def openable(self, roles: frozenset[str], organisation: str, *, public: bool) -> frozenset[str]:
        """The coordinates that some purpose and basis could open to these callers, whichever agency supplies them."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledVersion:
    """A version in the compiling process, held there under `key`. A process that does not know it, because it was
    started anew or has seen too many others, is given the files again, as they stood at `now` for what was `offered`.
    """

    compiler: Compiler
    key: str
    files: PolicyFiles
    offered: Offered
    now: datetime

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        """As in `TableSource`."""
        return await self._ask(partial(Workshop.table, public=public), caller)

    async def openable(self, roles: frozenset[str], organisation: str, *, public: bool) -> frozenset[str]:
        """As in `TableSource`."""
        return await self._ask(partial(Workshop.openable, public=public), roles, organisation)

    async def _ask(self, make: Callable[..., Made], *args: object) -> Made:
        try:
            return await self.compiler.run(in_workshop, make, self.key, *args)
        except VersionNotHeldError:
            await self.compiler.run(
                in_workshop, Workshop.hold, self.key, self.files, self.offered, self.now, urgent=True
            )
            return await self.compiler.run(in_workshop, make, self.key, *args, urgent=True)


async def announce(
    compiler: Compiler, files: PolicyFiles, offered: Offered, now: datetime
) -> tuple[Announced, CompiledVersion]:
    """What the version in these files says at `now` of what is offered, and the source of its tables.

    Raises `PolicyInvalid`, `PublicityInvalid`.
    """
    version = CompiledVersion(compiler, token_hex(8), files, offered, now)
    told = await compiler.run(in_workshop, Workshop.announce, version.key, files, offered, now, urgent=True)
    return told, version


class Tables:
    """The tables of one policy version.

    `organisations` are the policy's, `representatives` those whose tables serve for others too. The `size` most
    recently used tables are kept; requests that need the same cold one wait for one compilation.
    """

    def __init__(
        self,
        organisations: Mapping[str, Organisation],
        representatives: Mapping[str, str],
        source: TableSource,
        *,
        public: bool = False,
        size: int = 1_000,
    ) -> None:
        self._organisations = organisations
        self._representatives = representatives
        self._source = source
        self._public = public
        self._made: LRUCache[Hashable, asyncio.Future[Any]] = LRUCache(size)

    async def table(self, caller: CallerClass) -> DecisionTable:
        """Every decision for this class of caller."""
        roles, organisation = self._alike(caller.roles, caller.organisation)
        key = CallerClass(roles, organisation, caller.purpose, caller.bases, caller.consent_scope)
        return await self._once(key, lambda: self._source.table(key, public=self._public))

    async def openable(self, roles: frozenset[str], organisation: str) -> frozenset[str]:
        """The coordinates that some purpose and basis could open to these callers, whichever agency supplies them."""
        key = self._alike(roles, organisation)
        return await self._once(key, lambda: self._source.openable(*key, public=self._public))

    def classes(self) -> tuple[CallerClass, ...]:
        """The classes whose tables are kept."""
        return tuple(key for key in self._made if isinstance(key, CallerClass))

    def _alike(self, roles: frozenset[str], organisation: str) -> tuple[frozenset[str], str]:
        """The roles that count, and the organisation whose table serves."""
        known = self._organisations.get(organisation)
        held = roles & known.roles if known else frozenset[str]()
        return held, self._representatives.get(organisation, organisation)

    async def _once(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
        future = self._made.get(key)
        if future is None:
            future = asyncio.ensure_future(make())
            future.add_done_callback(lambda done: self._forget_failed(key, done))
            self._made[key] = future
        if future.done():
            return cast("Made", future.result())
        # Shielded: a caller that goes away must not take the table from the others that wait for it.
        return cast("Made", await asyncio.shield(future))

    def _forget_failed(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        if (done.cancelled() or done.exception()) and self._made.get(key) is done:
            del self._made[key]
