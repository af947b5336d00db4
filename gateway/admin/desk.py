"""Where administrators work: the policy's versions and drafts, and what they mean."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.health import AgencyHealth
from gateway.audit.evidence import LogPlace
from gateway.audit.log import AuditLog
from gateway.editions.compiler import Compiler
from gateway.editions.reload import Refusal
from gateway.editions.workshop import Cells, Offered
from gateway.errors import PolicyStoreMissingError
from policies.administration import Administration
from policies.delegation import Actor, reaches
from policies.judgement import Judgement
from policies.load import PolicyFiles
from policies.policy import Outline
from policies.store.contract import Store
from schema.catalogue import Catalogue

ADOPTING_SECONDS: Final = 5.0
"""How long an administrator waits at most for a published version to take effect here: some times what it takes."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A policy by the number of its version, the id of its draft, or its files; without any, the latest version."""

    version: int | None = None
    draft: str | None = None
    files: PolicyFiles | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A running gateway, as far as administrators change it: where versions are kept, the audit log, what gives the
    version that this instance decides by and what returns once that has a number, a process for emergencies alone (none
    waits for somebody's analysis), and what gives the manifests that were refused, and how the agencies fare.
    """

    store: Store
    audit: AuditLog
    in_force: Callable[[], Outline]
    reached: Callable[[int], Awaitable[None]]
    emergencies: Compiler
    refused: Callable[[], Sequence[Refusal]] = tuple
    health: Callable[[], Sequence[AgencyHealth]] = tuple


@dataclass(frozen=True, slots=True)
class Desk:
    """What administrators work with.

    `offered` gives what agencies supply now; `log` tells what was really asked. `process` does what
    takes long. `running` is None where there is no store of versions: files alone can be looked into.
    """

    offered: Callable[[], Offered]
    process: Compiler
    log: LogPlace
    running: Running | None

    @property
    def catalogue(self) -> Catalogue:
        """The record types."""
        return self.offered().catalogue

    @property
    def cells(self) -> Cells:
        """The coordinates that each agency supplies."""
        return self.offered().cells

    def live(self) -> Running:
        """The running gateway. Raises `PolicyStoreMissingError`."""
        if self.running is None:
            raise PolicyStoreMissingError(
                "There is no store of versions and drafts here: the policy is a plain directory. Make a store of it "
                "(`xinqiao policy init`), and set XINQIAO_POLICIES to the store."
            )
        return self.running

    def administration(self) -> Administration:
        """The verbs that change the policy. Raises `PolicyStoreMissingError`."""
        live = self.live()

        async def record(act: Mapping[str, Any]) -> None:
            await live.audit.append(act)

        judge = _Judge(self.process, live.emergencies, Judgement(self.catalogue, self.cells))
        return Administration(live.store, judge, record, _now)

    async def adopted(self, number: int) -> None:
        """Returns once this instance decides by the version, or when it takes too long: the version is out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ADOPTING_SECONDS):
                await self.live().reached(number)

    async def files(self, reference: Reference) -> PolicyFiles:
        """The files of a policy. Raises `VersionUnknown`, `DraftUnknown`, `PolicyStoreMissingError`."""
        if reference.files is not None:
            return reference.files
        if reference.draft is not None:
            return (await self.live().store.draft(reference.draft)).files
        if reference.version is not None:
            return (await self.live().store.version(reference.version)).files
        return (await self.live().store.latest()).files

    def reach(self, actor: Actor) -> Cells:
        """The cells that an administrator may look into: all, or those of the agency that it administers and of those
        below it.
        """
        if actor.agency is None:
            return self.cells
        tree = self.live().in_force().agencies
        return {agency: names for agency, names in self.cells.items() if tree.covers(actor.agency, agency)}

    def refused(self, actor: Actor) -> Sequence[Refusal]:
        """The manifests that were refused, as far as an administrator may know: an agency's, those of its reach."""
        live = self.live()
        tree = live.in_force().agencies
        return [
            refusal
            for refusal in live.refused()
            if actor.agency is None or (refusal.agency is not None and tree.covers(actor.agency, refusal.agency))
        ]

    def health(self, actor: Actor) -> Sequence[AgencyHealth]:
        """How the agencies fare that are within an administrator's reach."""
        live = self.live()
        tree = live.in_force().agencies
        return [one for one in live.health() if actor.agency is None or tree.covers(actor.agency, one.agency)]

    def may_change(self, actor: Actor, file: str) -> bool:
        """Whether an administrator may change a file of the policy."""
        return actor.agency is None or reaches(actor.agency, file, self.live().in_force().agencies)


@dataclass(frozen=True, slots=True)
class _Judge:
    """The judgement, asked in the process for analyses or, in an emergency, in that for emergencies."""

    process: Compiler
    emergencies: Compiler
    judgement: Judgement

    async def widened(self, base: PolicyFiles, draft: PolicyFiles, now: dt.datetime) -> frozenset[str]:
        return await self.process.run(self.judgement.widened, base, draft, now)

    async def only_denies(self, base: PolicyFiles, files: PolicyFiles, now: dt.datetime) -> bool:
        return await self.emergencies.run(self.judgement.only_denies, base, files, now)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
