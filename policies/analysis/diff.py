"""What changes between two policies, decision by decision.

The changes are those of somebody in one role on one basis; beside them stand combinations of two roles, or of several
bases, whose decision changes in a direction in which none of its parts changes. Where a combination differs at all,
one of two roles differs in the same way (see `widening`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeVar

from policies.analysis.blocks import Change, Together, merged
from policies.analysis.comparison import BASES, Comparison, LikeCells, Occasion, Organisations, Role, Sides
from policies.analysis.direction import Direction, direction
from policies.analysis.organisations import OrganisationChange, organisation_changes
from policies.analysis.widening import widens
from policies.decision import Basis, Decision
from policies.policy import NO_BASIS, Policy


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes: blocks of decisions, what opens data first; organisations registered otherwise; and the agencies
    whose data is opened wider to anybody, by either.
    """

    changes: tuple[Change, ...]
    organisations: tuple[OrganisationChange, ...]
    widened: frozenset[str]


def diff(before: Policy, after: Policy, cells: Mapping[str, frozenset[str]]) -> Difference:
    """What changes over `cells`, the coordinates that each agency supplies.

    A consent is taken to be to everything. Changes are told of every role and purpose of the trees, whoever may use
    them; combinations of roles only where some organisation's people may hold both.
    """
    return Difference(
        merged(_changes(Comparison(before, after, cells))),
        organisation_changes(before, after),
        widens(before, after, cells),
    )


def _changes(comparison: Comparison) -> Iterator[Change]:
    before, after = comparison.before.policy, comparison.after.policy
    kept = before.organisations.keys() & after.organisations.keys()
    every = Organisations(comparison, kept)
    moved = [name for name in kept if comparison.moves_organisation(name)]
    elsewhere = Organisations(comparison, moved)
    for like in comparison.like_cells(everywhere=bool(moved)):
        vocabulary = _Vocabulary.of(before, after, like)
        groups = (every if like.touched else elsewhere).on(like)
        if like.touched:
            # Told even where each organisation has rules of its own.
            groups = {_UNNAMED: (), **groups}
        found = (
            change
            for sides, names in groups.items()
            for change in _at_organisations(like, sides, names, vocabulary.pairs(before, after, names), vocabulary)
        )
        yield from merged(found)


_UNNAMED: Final[Sides] = (frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The roles and purposes of both trees, by what matters of them on some cells."""

    roles: Mapping[Role, frozenset[str]]
    purposes: Mapping[Sides, frozenset[str | None]]

    @classmethod
    def of(cls, before: Policy, after: Policy, like: LikeCells) -> _Vocabulary:
        roles = {*before.roles, *after.roles}
        purposes: set[str | None] = {None, *before.purposes, *after.purposes}
        return cls(
            _grouped((like.role(name), name) for name in roles),
            _grouped(((like.before.purpose(name), like.after.purpose(name)), name) for name in purposes),
        )

    def pairs(
        self, before: Policy, after: Policy, organisations: Iterable[str]
    ) -> Mapping[frozenset[Role], frozenset[Together]]:
        """The pairs of roles that people of one of these organisations may hold, by what matters of the two."""
        held = {policy.organisations[name].roles for policy in (before, after) for name in organisations}
        pairs = {pair for roles in held for pair in combinations(sorted(roles), 2)}
        matters = {name: role for role, names in self.roles.items() for name in names}
        return _grouped((frozenset(matters[name] for name in pair), pair) for pair in pairs)


_Key = TypeVar("_Key")
_Names = TypeVar("_Names")


def _grouped(items: Iterable[tuple[_Key, _Names]]) -> dict[_Key, frozenset[_Names]]:
    groups: dict[_Key, set[_Names]] = {}
    for key, name in items:
        groups.setdefault(key, set()).add(name)
    return {key: frozenset(names) for key, names in groups.items()}


def _at_organisations(
    like: LikeCells,
    organisation: Sides,
    names: Iterable[str],
    pairs: Mapping[frozenset[Role], frozenset[Together]],
    vocabulary: _Vocabulary,
) -> Iterator[Change]:
    asking: dict[frozenset[Role], frozenset[Together]] = {
        frozenset({role}): frozenset((name,) for name in held) for role, held in vocabulary.roles.items()
    }
    asking |= {both: held for both, held in pairs.items() if len(both) > 1}
    organisations: frozenset[str | None] = frozenset({None} if organisation == _UNNAMED else names)
    for sides, purposes in vocabulary.purposes.items():
        for one in _least(like, organisation, sides, asking):
            for agencies, coordinates in _by_agency(like):
                yield Change(
                    direction=one.direction,
                    before=one.before,
                    after=one.after,
                    act=like.cells[0].act,
                    agencies=agencies,
                    coordinates=coordinates,
                    roles=asking[one.roles],
                    organisations=organisations,
                    purposes=purposes,
                    bases=frozenset({tuple(sorted(one.bases)) or (NO_BASIS,)}),
                )


@dataclass(frozen=True, slots=True)
class _Found:
    """A decision that changes for somebody with all of these roles on all of these bases."""

    direction: Direction
    before: Decision
    after: Decision
    roles: frozenset[Role]
    bases: frozenset[Basis]

    def explains(self, direction: Direction, roles: frozenset[Role], bases: frozenset[Basis]) -> bool:
        """Whether it is a part of this one and changes in the same direction."""
        # Whoever has a basis is not asked about as somebody without any.
        within = self.bases <= bases and bool(self.bases) == bool(bases)
        return self.direction is direction and self.roles <= roles and within


def _least(like: LikeCells, organisation: Sides, purpose: Sides, asking: Iterable[frozenset[Role]]) -> Iterator[_Found]:
    """The changes none of whose parts changes in the same direction."""
    found: list[_Found] = []
    for roles in sorted(asking, key=len):
        for bases in BASES:
            before, after = like.decisions(Occasion(organisation, purpose, (bases, bases)), roles)
            way = direction(before, after)
            if way is not Direction.SAME and not any(one.explains(way, roles, bases) for one in found):
                found.append(_Found(way, _bare(before), _bare(after), roles, bases))
    yield from found


def _bare(decision: Decision) -> Decision:
    return Decision(decision.effect, decision.mask)


def _by_agency(like: LikeCells) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """The cells as agencies that have the same coordinates, with these."""
    coordinates = _grouped((cell.agency, cell.coordinate) for cell in like.cells)
    for same, agencies in _grouped((names, agency) for agency, names in coordinates.items()).items():
        yield agencies, same
