"""What the compiling process keeps and does: the last versions of the policy, whole, and the tables made of them.

Jobs name a version by its key, so that neither they nor their results carry its rows.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from cachetools import LRUCache

from gateway.errors import VersionNotHeldError
from policies.compile import compile_tables, openable
from policies.decision import CallerClass, DecisionTable
from policies.likeness import representatives
from policies.load import PolicyFiles, PolicyReader
from policies.policy import Outline, Policy
from policies.publicity import Publicity, load_publicity
from policies.tree import ROOT
from schema.catalogue import Catalogue, Tier

Cells = Mapping[str, frozenset[str]]
"""The coordinates (`Penalty`, `Penalty.amount`) that each agency supplies."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What policies are about: the record types, and the coordinates that each agency supplies."""

    catalogue: Catalogue
    cells: Cells


KEPT: Final = 4
"""How many versions are kept: that in force, that which comes, and those that requests under way may still have."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Announced:
    """What a version says, as far as requests need it. `representatives` are the organisations whose tables serve for
    those that no rule tells from them.
    """

    policy: Outline
    publicity: Publicity
    representatives: Mapping[str, str]


class Workshop:
    """Loads versions, keeps the last of them, and makes tables."""

    def __init__(self) -> None:
        self._offered: Offered | None = None
        self._reader: PolicyReader | None = None
        self._versions: LRUCache[str, tuple[Policy, Cells]] = LRUCache(KEPT)

    def announce(self, key: str, files: PolicyFiles, offered: Offered, now: datetime) -> Announced:
        """Holds the version, and tells of it. Raises `PolicyInvalid`, `PublicityInvalid`."""
        publicity = load_publicity(files, offered.catalogue)
        self.hold(key, files, offered, now)
        policy, _ = self._versions[key]
        return Announced(policy.outline(), publicity, representatives(policy))

    def hold(self, key: str, files: PolicyFiles, offered: Offered, now: datetime) -> None:
        """Holds the version in these files, as it stands at `now` for what is offered, under this key.

        Raises `PolicyInvalid`.
        """
        if self._reader is None or offered != self._offered:
            self._offered, self._reader = offered, PolicyReader(offered.catalogue, offered.cells)
        self._versions[key] = self._reader.load(files, now), offered.cells
        # What a version consists of lives long. Looking through it for garbage would take longer than compiling.
        gc.collect()
        gc.freeze()

    def table(self, key: str, caller: CallerClass, *, public: bool) -> DecisionTable:
        """Every decision for this class of caller (`public`: on coordinates of tier PUBLIC alone, so that the others
        are withheld). Raises `VersionNotHeldError`.
        """
        policy, cells = self._version(key)
        return compile_tables(policy, _shown(policy, cells, public=public), caller)

    def openable(self, key: str, roles: frozenset[str], organisation: str, *, public: bool) -> frozenset[str]:
        """The coordinates that some purpose and basis could open to these callers, whichever agency supplies them.

        Raises `VersionNotHeldError`.
        """
        policy, cells = self._version(key)
        everything = {**_shown(policy, cells, public=public), ROOT: frozenset(policy.tiers)}
        return openable(policy, everything, roles, organisation)

    def _version(self, key: str) -> tuple[Policy, Cells]:
        version = self._versions.get(key)
        if version is None:
            raise VersionNotHeldError
        return version


def _shown(policy: Policy, cells: Cells, *, public: bool) -> Cells:
    if not public:
        return cells
    shown = frozenset(name for name, tier in policy.tiers.items() if tier is Tier.PUBLIC)
    return {agency: coordinates & shown for agency, coordinates in cells.items()}


_opened: list[Workshop] = []


def open_workshop() -> None:
    """Opens the workshop of this process, which has but one."""
    _opened[:] = [Workshop()]


def in_workshop(make: Callable[..., Made], *args: object) -> Made:
    """What one of the workshop's methods gives for these arguments, in the process that the workshop was opened in."""
    (workshop,) = _opened
    return make(workshop, *args)
