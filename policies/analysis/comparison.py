"""Two policies side by side: where they can differ, and what each says there.

What no rule tells apart is looked at once: agencies and coordinates (`LikeCells`), organisations, roles and purposes
(by those of the names above them that rules on these cells have in their columns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from policies.analysis.changed import changed_rows
from policies.analysis.matching import Cell, CellRules, Lineages, Names, RuleIndex
from policies.compile import weigh
from policies.decision import Basis, Decision, Effect
from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, NO_BASIS, Policy
from policies.verdicts import Verdict

BASES: Final = tuple(frozenset(bases) for size in range(len(Basis) + 1) for bases in combinations(Basis, size))
"""Every set of bases that can hold for a company, the smallest first.

A consent's scope adds nothing to these: where it leaves a coordinate out, the coordinate is decided by the other bases.
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands under one policy: those names above its organisation, role and purpose that rules on a cell
    have, and its bases. `role` is None where it does not hold the role.
    """

    organisation: frozenset[str]
    role: frozenset[str] | None
    purpose: frozenset[str]
    bases: frozenset[Basis]


class Hearing:
    """What one policy says on a cell, and on the records that it belongs to, to each standing once."""

    def __init__(self, half: Half, cell: Cell) -> None:
        self._half = half
        self.cell, self.rows = half.index.on(cell), half.index.on(cell.rows)
        on_either = self.cell.all + self.rows.all
        self.organisations = frozenset(row.organisation for row in on_either) - {ANY_ORGANISATION}
        self._roles = frozenset(row.role for row in on_either)
        self._purposes = frozenset(row.purpose for row in on_either)
        self._said: dict[tuple[bool, Standing], tuple[Verdict, ...]] = {}

    def role(self, name: str) -> frozenset[str]:
        """What matters of a role."""
        return self._half.roles.of(name) & self._roles

    def purpose(self, name: str | None) -> frozenset[str]:
        """What matters of a purpose."""
        return self.above(name) & self._purposes

    def above(self, purpose: str | None) -> frozenset[str]:
        """The purpose and all above it, none where none is given."""
        return self._half.purposes.of(purpose) if purpose else frozenset()

    def said(self, standing: Standing) -> tuple[Verdict, ...]:
        """The verdicts on the cell, one a basis; none without the role."""
        return self._say(self.cell, standing, of_rows=False)

    def said_of_rows(self, standing: Standing) -> tuple[Verdict, ...]:
        """The verdicts on the records that it belongs to."""
        return self._say(self.rows, standing, of_rows=True)

    def _say(self, rules: CellRules, standing: Standing, *, of_rows: bool) -> tuple[Verdict, ...]:
        if standing.role is None:
            return ()
        key = (of_rows, standing)
        if key not in self._said:
            self._said[key] = tuple(
                rules.verdict(
                    Names(
                        standing.organisation | {ANY_ORGANISATION},
                        standing.role,
                        standing.purpose | {ANY_PURPOSE},
                        frozenset({ANY_BASIS, basis}),
                    )
                )
                for basis in sorted(standing.bases) or (NO_BASIS,)
            )
        return self._said[key]


class Half:
    """One of the two policies."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.index = RuleIndex(policy)
        self.roles = Lineages(policy.roles)
        self.purposes = Lineages(policy.purposes)
        self.organisations = Lineages(policy.organisation_tree)
        self.agencies = Lineages(policy.agencies)


Sides = tuple[frozenset[str], frozenset[str]]
"""What matters of a name (those above it that rules have in their columns), before and after."""

Role = tuple[frozenset[str] | None, frozenset[str] | None]
"""The same of a role, None where it is not held."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Where somebody asks from, for which purpose and on which bases, before and after."""

    organisation: Sides
    purpose: Sides
    bases: tuple[frozenset[Basis], frozenset[Basis]]

    def before(self, role: Role) -> Standing:
        """The standing under the first policy."""
        return Standing(self.organisation[0], role[0], self.purpose[0], self.bases[0])

    def after(self, role: Role) -> Standing:
        """The standing under the second policy."""
        return Standing(self.organisation[1], role[1], self.purpose[1], self.bases[1])


@dataclass(frozen=True, slots=True)
class LikeCells:
    """Cells that neither policy tells apart. `touched` is false where only organisations that changed can see another
    decision than before.
    """

    cells: tuple[Cell, ...]
    touched: bool
    before: Hearing
    after: Hearing

    def role(self, name: str, *, before: bool = True, after: bool = True) -> Role:
        """What matters of a role that is held before, after, or both."""
        return self.before.role(name) if before else None, self.after.role(name) if after else None

    def moves(self, occasion: Occasion, role: Role) -> bool:
        """Whether the policies say different things to a role."""
        before, after = occasion.before(role), occasion.after(role)
        return _sense(self.before.said(before)) != _sense(self.after.said(after))

    def alone(self, occasion: Occasion, roles: Iterable[Role]) -> tuple[Decision, Decision]:
        """The decisions, before and after, on somebody with these roles, the rows of the type not considered."""
        together = tuple(roles)
        return (
            weigh(verdict for role in together for verdict in self.before.said(occasion.before(role))),
            weigh(verdict for role in together for verdict in self.after.said(occasion.after(role))),
        )

    def decisions(self, occasion: Occasion, roles: Iterable[Role]) -> tuple[Decision, Decision]:
        """The decisions, before and after, on somebody with these roles: fields are withheld where the rows are."""
        together = tuple(roles)
        rows = (
            weigh(verdict for role in together for verdict in self.before.said_of_rows(occasion.before(role))),
            weigh(verdict for role in together for verdict in self.after.said_of_rows(occasion.after(role))),
        )
        then, now = (
            fields if record.effect is Effect.CLEAR else record
            for record, fields in zip(rows, self.alone(occasion, together), strict=True)
        )
        return then, now


def _sense(verdicts: Iterable[Verdict]) -> tuple[bool, frozenset[str | None]]:
    """All of verdicts that others can be weighed with: whether they deny, and through which masks they show."""
    said = tuple(verdicts)
    return any(verdict.denied for verdict in said), frozenset(grant.mask for one in said for grant in one.grants)


class Comparison:
    """Two policies over the coordinates that each agency supplies."""

    def __init__(self, before: Policy, after: Policy, cells: Mapping[str, frozenset[str]]) -> None:
        self.before, self.after = Half(before), Half(after)
        self._cells = cells

    def like_cells(self, *, everywhere: bool) -> Iterator[LikeCells]:
        """The cells that the change touches, or all of them, by likeness."""
        groups: dict[tuple[object, object], list[Cell]] = {}
        touched: set[tuple[object, object]] = set()
        touches = self._touches()
        for cell in self._all_cells():
            is_touched = touches(cell)
            if is_touched or everywhere:
                decided_as = cell.decided_as
                key = (self.before.index.likeness(decided_as), self.after.index.likeness(decided_as))
                groups.setdefault(key, []).append(cell)
                if is_touched:
                    touched.add(key)
        for likeness, group in groups.items():
            one = group[0].decided_as
            yield LikeCells(tuple(group), likeness in touched, Hearing(self.before, one), Hearing(self.after, one))

    def moves_organisation(self, name: str) -> bool:
        """Whether an organisation lies elsewhere in the tree than before."""
        return self.before.organisations.of(name) != self.after.organisations.of(name)

    def _all_cells(self) -> Iterator[Cell]:
        known = self.before.policy.tiers.keys() & self.after.policy.tiers.keys()
        acts = {row.act for half in (self.before, self.after) for row in half.policy.rows}
        for agency, coordinates in self._cells.items():
            for coordinate in sorted(coordinates & known):
                for act in sorted(acts):
                    yield Cell(agency, coordinate, act)

    def _touches(self) -> Callable[[Cell], bool]:
        """Whether a cell is one on which somebody at an organisation that is as before can see another decision."""
        before, after = self.before.policy, self.after.policy
        if before.roles != after.roles or before.purposes != after.purposes:
            return lambda _: True
        lost, gained = changed_rows(before.rows, after.rows)
        losing, gaining = RuleIndex(replace(before, rows=lost)), RuleIndex(replace(after, rows=gained))
        moved = {agency for agency in self._cells if self.before.agencies.of(agency) != self.after.agencies.of(agency)}
        return lambda cell: cell.agency in moved or losing.touches(cell) or gaining.touches(cell)


class Organisations:
    """Some organisations, by what rules can tell of them."""

    def __init__(self, comparison: Comparison, names: Iterable[str]) -> None:
        self._before, self._after = comparison.before.organisations, comparison.after.organisations
        self._names = tuple(names)
        self._found: dict[Sides, Mapping[Sides, tuple[str, ...]]] = {}

    def on(self, like: LikeCells) -> Mapping[Sides, tuple[str, ...]]:
        """The organisations by what matters of them on these cells."""
        ours, theirs = like.before.organisations, like.after.organisations
        found = self._found.get((ours, theirs))
        if found is None:
            groups: dict[Sides, list[str]] = {}
            for name in self._names:
                sides = (self._before.of(name) & ours, self._after.of(name) & theirs)
                groups.setdefault(sides, []).append(name)
            found = {sides: tuple(members) for sides, members in groups.items()}
            self._found[ours, theirs] = found
        return found
