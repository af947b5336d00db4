"""Who asks for which cell, and which rules match that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from policies.analysis.matching import Cell, CellRules, Names, RuleIndex, names_of
from policies.compile import bare_decisions, bases_on, held_roles, weigh
from policies.decision import CallerClass, Decision
from policies.policy import Policy, Row, is_wide
from policies.verdicts import verdict_of


@dataclass(frozen=True, slots=True)
class Question:
    """One class of caller and one cell. What it says of rules, it says of those on `cell` alone."""

    policy: Policy
    index: RuleIndex
    caller: CallerClass
    cell: Cell

    def names(self) -> Names:
        """What matches the caller, in any of its roles and on any of its bases."""
        return self._names(self.roles(), self._bases())

    def each(self) -> Iterator[Names]:
        """What matches each of its roles on each of its bases."""
        for role, basis in product(self.roles(), self._bases()):
            yield self._names((role,), (basis,))

    def roles(self) -> tuple[str, ...]:
        """Those of the caller's roles that count."""
        return held_roles(self.policy, self.caller.organisation, self.caller.roles)

    def rules(self) -> CellRules:
        """The rows on the cell, whoever asks."""
        return self.index.on(self.cell)

    def matching(self) -> tuple[Row, ...]:
        """Those that match the caller, in casbin's order."""
        names = self.names()
        return tuple(row for row in sorted(self.rules().all, key=lambda row: row.priority) if names.match(row))

    def gives(self, row: Row) -> Decision:
        """What a row on the cell alone would give."""
        named, wide = (None, row) if is_wide(row.object) else (row, None)
        return weigh((verdict_of(self.policy, self.cell.coordinate, named, wide),))

    def decided(self, policy: Policy) -> Decision:
        """How another policy decides it, the records that it belongs to considered."""
        cells = {self.cell.agency: frozenset({self.cell.coordinate, self.cell.rows.coordinate})}
        return bare_decisions(policy, cells, self.caller, self.cell.act)[self.cell.agency][self.cell.coordinate]

    def _bases(self) -> tuple[str, ...]:
        coordinate = self.cell.coordinate
        return bases_on(coordinate, self.policy.tiers[coordinate], self.caller.bases, self.caller.consent_scope)

    def _names(self, roles: tuple[str, ...], bases: tuple[str, ...]) -> Names:
        return names_of(self.policy, self.caller.organisation, roles, self.caller.purpose, bases)
