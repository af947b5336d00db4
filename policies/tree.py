"""Trees of names (roles, purposes, agencies, organisations): every child inherits what its ancestors are granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

ROOT: Final = "any"
"""The name above every other, by which authors mean "all"."""

MAX_LEVELS: Final = 10
"""casbin follows ten levels of a tree, the name itself and `ROOT` included, and silently ignores deeper ones."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Names with their parents; the parent of a topmost name is `ROOT`, which is not itself among them."""

    parents: Mapping[str, str]

    def __contains__(self, name: object) -> bool:
        """Whether the tree knows this name."""
        return name in self.parents

    def __iter__(self) -> Iterator[str]:
        """Every name, `ROOT` left out."""
        return iter(self.parents)

    def lineage(self, name: str) -> tuple[str, ...]:
        """The name, its parent and so on, `ROOT` last. A name that the tree does not know has no lineage but itself."""
        path = [name]
        while path[-1] in self.parents:
            path.append(self.parents[path[-1]])
        return tuple(path)

    def covers(self, ancestor: str, name: str) -> bool:
        """Whether what is granted to `ancestor` is granted to `name`, which the tree must know."""
        return name in self.parents and ancestor in self.lineage(name)

    def links(self, name: str) -> tuple[tuple[str, str], ...]:
        """The lineage as (child, parent) pairs."""
        path = self.lineage(name)
        return tuple(pairwise(path))


def cycle_through(parents: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    """The cycle that `name` is part of, from `name` back to itself, or None."""
    path = {name: None}
    last = name
    while (parent := parents.get(last)) is not None:
        if parent == name:
            return (*path, name)
        if parent in path:
            return None
        path[parent] = None
        last = parent
    return None
