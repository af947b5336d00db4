"""Which rows match, found without casbin: in its order, first match first.

A change can touch every decision of a nation, and casbin takes some 0.2 ms each. Nothing is decided here: what the rows
come to is worked out as in a decision table, and tests hold the outcome equal to the tables that casbin makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, Act, Policy, Row, is_wide
from policies.rulebook import OBJECTION
from policies.tree import ROOT, Tree
from policies.verdicts import Verdict, verdict_of


class Dimension(StrEnum):
    """A column of a rule that says whom, or whose data, it is about."""

    AGENCY = "agency"
    ROLE = "role"
    ORGANISATION = "organisation"
    PURPOSE = "purpose"
    BASIS = "basis"


@dataclass(frozen=True, slots=True)
class Cell:
    """A coordinate of one agency, and what is done with it."""

    agency: str
    coordinate: str
    act: Act

    @property
    def rows(self) -> Cell:
        """The cell of the records that the coordinate belongs to."""
        return Cell(self.agency, self.coordinate.partition(".")[0], self.act)

    @property
    def decided_as(self) -> Cell:
        """The cell by which this one is decided: `objection` is as its rows are."""
        return self.rows if self.coordinate.endswith(f".{OBJECTION}") else self


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a rule's columns that match somebody, the name for all included."""

    organisations: frozenset[str]
    roles: frozenset[str]
    purposes: frozenset[str]
    bases: frozenset[str]

    def misses(self, row: Row) -> tuple[Dimension, ...]:
        """The columns by which a row does not match."""
        columns = (
            (Dimension.ROLE, row.role, self.roles),
            (Dimension.ORGANISATION, row.organisation, self.organisations),
            (Dimension.PURPOSE, row.purpose, self.purposes),
            (Dimension.BASIS, row.basis, self.bases),
        )
        return tuple(dimension for dimension, name, names in columns if name not in names)

    def match(self, row: Row) -> bool:
        """Whether a row matches."""
        return (
            row.role in self.roles
            and row.organisation in self.organisations
            and row.purpose in self.purposes
            and row.basis in self.bases
        )


def names_of(
    policy: Policy, organisation: str, roles: Iterable[str], purpose: str | None, bases: Iterable[str]
) -> Names:
    """The names that match people in any of these roles, with any of these bases."""
    return Names(
        frozenset({ANY_ORGANISATION, *policy.organisation_tree.lineage(organisation)}),
        frozenset(name for role in roles for name in policy.roles.lineage(role)),
        frozenset({ANY_PURPOSE, *(policy.purposes.lineage(purpose) if purpose else ())}),
        frozenset({ANY_BASIS, *bases}),
    )


@dataclass(frozen=True, slots=True)
class CellRules:
    """The rows of one policy on one cell, by priority: those that name the coordinate and the wider ones."""

    policy: Policy
    coordinate: str
    named: tuple[Row, ...]
    wide: tuple[Row, ...]

    @property
    def all(self) -> tuple[Row, ...]:
        """Both."""
        return self.named + self.wide

    def heard(self, names: Names) -> tuple[Row | None, Row | None]:
        """Those that speak to one role on one basis, whom these names match: the first that names the coordinate, and
        the first of the wider ones.
        """
        return (
            next((row for row in self.named if names.match(row)), None),
            next((row for row in self.wide if names.match(row)), None),
        )

    def verdict(self, names: Names) -> Verdict:
        """What they say to one role on one basis, whom these names match."""
        return verdict_of(self.policy, self.coordinate, *self.heard(names))


class Lineages:
    """The lineage of each name in a tree, as a set, found once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._found: dict[str, frozenset[str]] = {}

    def of(self, name: str) -> frozenset[str]:
        """The name and all above it."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = frozenset(self._tree.lineage(name))
        return found


class RuleIndex:
    """The rows of one policy, found by the cell that they are on."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._by_object: dict[tuple[Act, str], list[Row]] = {}
        for row in policy.rows:
            self._by_object.setdefault((row.act, row.object), []).append(row)
        self._agencies = frozenset(row.agency for row in policy.rows)
        self._lineages = Lineages(policy.agencies)

    def touches(self, cell: Cell) -> bool:
        """Whether a row is on the cell, or on the records that it belongs to."""
        lineage = self._lineages.of(cell.agency)
        return any(row.agency in lineage for one in (cell, cell.rows) for row in self._about(one))

    def likeness(self, cell: Cell) -> tuple[object, ...]:
        """Equal for cells that no row tells apart, the records that they belong to included."""
        record, dot, _ = cell.coordinate.partition(".")
        named = cell.coordinate if (cell.act, cell.coordinate) in self._by_object else ""
        tier, mask = self._policy.tiers[cell.coordinate], self._policy.default_masks.get(cell.coordinate)
        return cell.act, self._lineages.of(cell.agency) & self._agencies, record, dot, named, tier, mask

    def on(self, cell: Cell) -> CellRules:
        """The rows on a cell; the policy's tiers must know the coordinate."""
        lineage = self._lineages.of(cell.agency)
        return self._rules(cell, [row for row in self._about(cell) if row.agency in lineage])

    def elsewhere(self, cell: Cell) -> CellRules:
        """The rows on this coordinate of other agencies only."""
        lineage = self._lineages.of(cell.agency)
        return self._rules(cell, [row for row in self._about(cell) if row.agency not in lineage])

    def _about(self, cell: Cell) -> Iterable[Row]:
        for name in objects_over(self._policy, cell.coordinate):
            yield from self._by_object.get((cell.act, name), ())

    def _rules(self, cell: Cell, rows: Iterable[Row]) -> CellRules:
        ordered = sorted(rows, key=lambda row: row.priority)
        named = tuple(row for row in ordered if not is_wide(row.object))
        return CellRules(self._policy, cell.coordinate, named, tuple(row for row in ordered if is_wide(row.object)))


def objects_over(policy: Policy, coordinate: str) -> tuple[str, ...]:
    """The objects of rules that take in a coordinate, itself first."""
    record, dot, _ = coordinate.partition(".")
    fields = (f"{record}.*",) if dot else ()
    return (coordinate, *fields, str(policy.tiers[coordinate]), ROOT)
