"""Cells that changed alike, put together for people: few blocks rather than many cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.analysis.direction import Direction
from policies.decision import Decision
from policies.policy import Act

Together = tuple[str, ...]
"""Names that hold at once: one role or several, one basis or several (`none` where none holds)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A block of cells that all go from one decision (`before`) to another (`after`): whoever is in one of `roles`, at
    one of `organisations`, asks for one of `purposes`, on one of `bases`, about one of `coordinates` of one of
    `agencies`.

    In `roles` and `bases` each entry is what holds at once; more than one name in it means that only the combination
    changes so. In `organisations` None stands for all that no rule on these cells names, in `purposes` for no purpose.
    Decisions have effect and mask only.
    """

    direction: Direction
    before: Decision
    after: Decision
    act: Act
    agencies: frozenset[str]
    coordinates: frozenset[str]
    roles: frozenset[Together]
    organisations: frozenset[str | None]
    purposes: frozenset[str | None]
    bases: frozenset[Together]

    @property
    def size(self) -> int:
        """How many cells it holds."""
        cells = len(self.agencies) * len(self.coordinates)
        return cells * len(self.roles) * len(self.organisations) * len(self.purposes) * len(self.bases)


_DIMENSIONS: Final = ("coordinates", "agencies", "roles", "purposes", "bases", "organisations")


def merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The same cells in fewer blocks, what opens data first. Blocks that differ in one dimension only become one."""
    blocks = list(changes)
    for dimension in _DIMENSIONS:
        blocks = list(_merged_along(dimension, blocks))
    return tuple(sorted(blocks, key=_order))


def _merged_along(dimension: str, blocks: Iterable[Change]) -> Iterator[Change]:
    alike: dict[Change, set[Any]] = {}
    for block in blocks:
        alike.setdefault(_with(block, dimension, ()), set()).update(getattr(block, dimension))
    for block, names in alike.items():
        yield _with(block, dimension, names)


def _with(block: Change, dimension: str, names: Iterable[Any]) -> Change:
    column: dict[str, Any] = {dimension: frozenset(names)}
    return replace(block, **column)


def _order(change: Change) -> tuple[object, ...]:
    return (
        list(Direction).index(change.direction),
        max(len(names) for names in change.roles | change.bases),
        sorted(change.agencies),
        sorted(change.coordinates),
        change.act,
        sorted(change.roles),
        sorted(name or "" for name in change.organisations),
        sorted(name or "" for name in change.purposes),
        sorted(change.bases),
    )
