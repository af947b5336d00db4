"""Manifests that change while the gateway runs: what changed takes effect for requests that begin from then on.

What is wrong with a manifest is told in the log and kept for whoever may know; what was in force in its place stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from connectors.contract import RecordShape
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.folder import Folder, Reasons, read_folder, stamps_of, succeed
from connectors.manifest import Manifest
from connectors.manifest_file import clashes
from connectors.open_agency import OpenAgency, open_agency, origin_of, stamp_or_none
from connectors.secret import Stamp
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply
from gateway.editions.editions import Editions
from gateway.editions.provision import Provision, Provisions
from policies.errors import PolicyError

LOOK_SECONDS: Final = 2.0
"""How long between two looks at the files. What changed takes effect once two looks find it alike: it may be under way
at the first."""

RETRY_SECONDS: Final = 10.0
"""How long until what was refused is tried again, though no file changed: a secret's file or the policy may have."""

PREPARING_SECONDS: Final = 120.0
"""How long an agency whose files must be read first may take, before it takes the place of the one that answers yet."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A manifest that is not in force: its file, the agency that the file stands for as far as that is known, why, and
    since when.
    """

    file: str
    agency: str | None
    reasons: Reasons
    since: datetime


@dataclass(frozen=True, slots=True)
class _Placed:
    """A manifest in force, and its agency."""

    manifest: Manifest
    agency: OpenAgency


@dataclass(frozen=True, slots=True)
class Terms:
    """How the manifests of a folder become what is supplied: the folder, the nation's record types, how agencies are
    opened, which agencies' record types cannot be together, and why (the later ones are at fault), the record types of
    all manifests together, and what a gateway makes of them.
    """

    directory: Path
    national: Mapping[str, RecordShape]
    settings: SupplySettings
    clashes: Callable[[Sequence[Manifest]], Mapping[str, str]]
    shapes: Callable[[Iterable[Manifest]], Mapping[str, RecordShape]]
    provide: Callable[[Mapping[Path, Manifest], AgencySupply], Provision]


class Reload:
    """Follows a folder of manifests. `files` are those that the supply was opened from."""

    def __init__(
        self, terms: Terms, files: Mapping[Path, Manifest], provisions: Provisions, editions: Editions
    ) -> None:
        self._terms = terms
        self._provisions = provisions
        self._editions = editions
        agencies = _by_id(provisions.supply.opened)
        self._placed = {path: _Placed(manifest, agencies[manifest.agency]) for path, manifest in files.items()}
        # Of all agencies that there ever were: one that goes and comes again was asked as often as it was asked.
        self._bounds = {name: agency.bounds for name, agency in agencies.items()}
        self._refused: Mapping[Path, Refusal] = {}
        self._folder = Folder()
        self._seen: Mapping[Path, Stamp | None] | None = None
        self._done: Mapping[Path, Stamp | None] | None = None
        self._again = 0.0

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The manifests that are not in force, in the order of their files."""
        return tuple(refusal for _, refusal in sorted(self._refused.items()))

    @property
    def supply(self) -> AgencySupply:
        """The supply in force."""
        return self._provisions.supply

    async def follow(self) -> None:
        """Looks again and again, for as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except OSError as error:
                _log.warning("manifests cannot be looked at", reason=error.strerror)
            except Exception:  # noqa: BLE001  (whatever it is, the next change must not be missed for it)
                _log.exception("manifests cannot be looked at")

    async def look(self) -> None:
        """Puts into force what has changed, if it is as it was at the look before. Raises `OSError`."""
        now = asyncio.get_running_loop().time()
        stamps = await asyncio.to_thread(self._stamps)
        if stamps != self._seen:
            self._seen = stamps
            return
        if stamps == self._done and not (self._refused and now >= self._again):
            return
        try:
            folder = await asyncio.to_thread(read_folder, self._terms.directory, self._terms.national, self._folder)
        except ManifestInvalid as error:
            self._tell({self._terms.directory: tuple(map(str, error.findings))})
        else:
            if await asyncio.to_thread(self._stamps) != stamps:
                return
            await self._take(folder)
            self._folder = folder
        self._done, self._again = stamps, now + RETRY_SECONDS

    def _stamps(self) -> Mapping[Path, Stamp | None]:
        """The stamps of all that agencies are opened from. Raises `OSError`."""
        origins = [placed.agency.origin for placed in self._placed.values() if placed.agency.origin]
        beside = {path: stamp_or_none(path) for origin in origins for path in origin.files}
        return {**beside, **stamps_of(self._terms.directory)}

    async def _take(self, folder: Folder) -> None:
        """Puts what the folder holds into force, as far as it is good."""
        known = self._editions.current.policy.agencies
        before = {path: placed.manifest for path, placed in self._placed.items()}
        chosen, refused = succeed(folder, before, known.__contains__)
        refused |= self._part_clashing(chosen, before)
        supply = self._provisions.supply
        placed: dict[Path, _Placed] = {}
        try:
            refused |= await self._place(chosen, placed)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PREPARING_SECONDS):
                    opened = {one.agency for one in placed.values()} - supply.opened
                    await asyncio.gather(*(agency.ready() for agency in opened))
            refused |= await self._change(placed)
        finally:
            for agency in {one.agency for one in placed.values()} - self._provisions.supply.opened:
                await agency.close()
        self._tell(refused)

    def _part_clashing(self, chosen: dict[Path, Manifest], before: Mapping[Path, Manifest]) -> Mapping[Path, Reasons]:
        """Puts back the manifests whose own record types clash with others', and gives the reasons."""
        refused: dict[Path, Reasons] = {}
        while True:
            # Those that stay come first, so that it is the newcomers that are at fault.
            order = sorted(chosen, key=lambda path: (chosen[path] != before.get(path), path))
            clashing = self._terms.clashes([chosen[path] for path in order])
            at_fault = [path for path in order if chosen[path].agency in clashing]
            if not at_fault:
                return refused
            for path in at_fault:
                new, old = chosen.pop(path), before.get(path)
                refused[path] = (clashing[new.agency],)
                if (
                    old is not None
                    and old != new
                    and old.agency not in {manifest.agency for manifest in chosen.values()}
                ):
                    chosen[path] = old

    async def _place(self, chosen: Mapping[Path, Manifest], placed: dict[Path, _Placed]) -> Mapping[Path, Reasons]:
        """Opens what is not open yet, and gives the reasons why some cannot be: then what they replace is placed."""
        refused: dict[Path, Reasons] = {}
        shapes = await asyncio.to_thread(self._terms.shapes, chosen.values())
        for path, manifest in chosen.items():
            try:
                placed[path] = _Placed(manifest, await self._agency(manifest, shapes))
            except ConnectionNotConfigured as error:
                refused[path] = error.reasons
            except Exception as error:  # noqa: BLE001  (a kind of another package may raise anything)
                refused[path] = (f"cannot be opened: {type(error).__name__}",)
        for path in refused:
            old = self._placed.get(path)
            if old is not None and old.manifest.agency not in {one.manifest.agency for one in placed.values()}:
                placed[path] = old
        return refused

    async def _agency(self, manifest: Manifest, shapes: Mapping[str, RecordShape]) -> OpenAgency:
        """The agency of a manifest: as it is open, or opened anew. Raises `ConnectionNotConfigured`."""
        settings = self._terms.settings
        origin = await asyncio.to_thread(origin_of, manifest, shapes, settings)
        before = _by_id(self._provisions.supply.opened).get(manifest.agency)
        if before is not None and before.origin == origin:
            return before
        second = self._provisions.supply.cache.second
        return await open_agency(origin, settings, self._bounds.get(manifest.agency), second)

    async def _change(self, placed: Mapping[Path, _Placed]) -> Mapping[Path, Reasons]:
        """Puts other agencies in the places of those in force, or as many of them as go with the policy and with each
        other, and gives the reasons against the rest.
        """
        reasons = await self._put(placed)
        changes = self._changes(placed) if reasons else []
        if len(changes) <= 1:
            return {path: reasons for paths in changes for path in paths}
        refused: dict[Path, Reasons] = {}
        half = len(changes) // 2
        for part in (changes[:half], changes[half:]):
            changed = frozenset().union(*part)
            chosen = {
                path: (placed if path in changed else self._placed).get(path) for path in {*self._placed, *placed}
            }
            refused |= await self._change({path: one for path, one in chosen.items() if one is not None})
        return refused

    def _changes(self, placed: Mapping[Path, _Placed]) -> list[frozenset[Path]]:
        """The files that change; together, where the same agencies are concerned."""
        groups: list[tuple[frozenset[str], frozenset[Path]]] = []
        for path in sorted({*self._placed, *placed}):
            before, after = self._placed.get(path), placed.get(path)
            if before is not None and after is not None and before.agency is after.agency:
                continue
            agencies, files = frozenset(one.manifest.agency for one in (before, after) if one), frozenset({path})
            for group in [one for one in groups if one[0] & agencies]:
                groups.remove(group)
                agencies, files = agencies | group[0], files | group[1]
            groups.append((agencies, files))
        return [files for _, files in groups]

    async def _put(self, placed: Mapping[Path, _Placed]) -> Reasons:
        """Puts exactly these into force, and gives the reasons against it, where there are."""
        supply, users = self._provisions.supply, self._editions.current.provision.users
        successor = supply.renewed([one.agency for one in placed.values()])
        new = successor.opened - supply.opened
        if supply.opened == successor.opened:
            self._placed = dict(placed)
            return ()
        reasons = self._against(tuple(one.manifest for one in placed.values()))
        if reasons:
            return reasons
        provision = self._terms.provide({path: one.manifest for path, one in placed.items()}, successor)
        try:
            await self._editions.provide(provision)
        except PolicyError as error:
            return tuple(f"the policy does not go with it: {line}" for line in str(error).splitlines())
        self._placed = dict(placed)
        self._provisions.replace(users, successor)
        for agency in new:
            agency.bind()
        self._bounds |= {name: agency.bounds for name, agency in _by_id(new).items()}
        _log.info(
            "manifests in force",
            opened=sorted(_by_id(new)),
            closed=sorted(_by_id(supply.opened - successor.opened)),
        )
        return ()

    def _against(self, manifests: Sequence[Manifest]) -> Reasons:
        """Why these manifests cannot be together."""
        lacking = (str(finding) for _, finding in clashes(self._terms.directory, tuple(manifests)))
        return (*lacking, *self._terms.clashes(manifests).values())

    def _tell(self, refused: Mapping[Path, Reasons]) -> None:
        """Keeps why manifests are refused, and logs what is new of it."""
        told: dict[Path, Refusal] = {}
        for path, reasons in refused.items():
            before = self._refused.get(path)
            if before is not None and before.reasons == reasons:
                told[path] = before
                continue
            placed = self._placed.get(path)
            told[path] = Refusal(path.name, placed.manifest.agency if placed else None, reasons, datetime.now(UTC))
            _log.error("manifest refused", file=path.name, reasons=reasons, agency=told[path].agency)
        self._refused = told


def _by_id(agencies: Iterable[OpenAgency]) -> dict[str, OpenAgency]:
    return {agency.origin.manifest.agency: agency for agency in agencies if agency.origin}
