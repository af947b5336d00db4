"""The matrix: what a policy's rules decide for each role, with each basis, for each purpose, on each agency's data.

Rules at one organisation only, and on records past their publicity period, are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policies.compile import compile_table
from policies.decision import Basis, CallerClass, Decision, DecisionTable, Effect
from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, NO_BASIS, Act, Organisation, Policy
from policies.tree import ROOT
from policies.verdicts import Asker, Verdicts
from schema.catalogue import Tier

BASES: Final = (NO_BASIS, *Basis)
CLEAR: Final = "clear"
WITHHELD: Final = "withheld"
MASKED: Final = "masked "
"""The words of decisions; behind `masked` stands the mask. Where no rule speaks, nothing is written."""

_WHOLE_SCOPE: Final = frozenset(map(str, Tier))
_Key = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One decision of the matrix; `purpose` is None where none was given, `basis` is `none` where none holds."""

    purpose: str | None
    agency: str
    coordinate: str
    role: str
    basis: str


@dataclass(frozen=True, slots=True)
class Column:
    """A role with the bases on which it is decided alike: `none` and those that no rule tells from it, or one basis."""

    role: str
    bases: tuple[str, ...]

    @property
    def heading(self) -> str:
        """`bank`, or `bank + consent`."""
        return self.role if NO_BASIS in self.bases else f"{self.role} + {self.bases[0]}"


class Matrix:
    """All decisions of a policy; `cells` holds the coordinates that each agency supplies."""

    def __init__(self, policy: Policy, cells: Mapping[str, frozenset[str]]) -> None:
        # Nobody's organisation: it holds every role, and no rule at one organisation reaches it.
        anybody = Organisation(ROOT, "", "", ROOT, None, frozenset(policy.roles), frozenset())
        rows = tuple(row for row in policy.rows if row.organisation == ANY_ORGANISATION and row.act is Act.READ)
        self.policy = replace(policy, organisations={ROOT: anybody}, rows=rows)
        self._cells = cells
        self._keys: dict[tuple[str | None, str, str], _Key] = {}
        self._tables: dict[_Key, DecisionTable] = {}

    def columns(self) -> tuple[Column, ...]:
        """Role by role, the bases that need a column of their own."""
        return tuple(column for role in self.policy.roles for column in self._columns(role))

    def at(self, place: Place) -> Decision:
        """The decision at one place."""
        asked = (place.purpose, place.role, place.basis)
        key = self.said(*asked)
        if key not in self._tables:
            self._tables[key] = self._table(*asked)
        return self._tables[key].at(place.agency, place.coordinate)

    def word(self, place: Place) -> str:
        """The decision in the word of the sheet."""
        decision = self.at(place)
        if decision.effect is Effect.MASKED:
            return f"{MASKED}{decision.mask}"
        if decision.effect is Effect.CLEAR:
            return CLEAR
        return WITHHELD if decision.rule else ""

    def deciding(self, place: Place) -> tuple[str, ...]:
        """The ids of the rules that deny or grant here."""
        verdicts = Verdicts(self.policy, self._cells, ROOT, (place.role,), Act.READ)
        verdict = verdicts.verdict(Asker(place.role, place.purpose, place.basis), place.agency, place.coordinate)
        named = {verdict.denied, self.at(place).rule, *(grant.rule for grant in verdict.grants)}
        return tuple(sorted(filter(None, named)))

    def places_unlike(self, other: Matrix) -> Iterator[Place]:
        """Where the other matrix, of a policy with the same trees, has another word."""
        for purpose in (None, *self.policy.purposes):
            for role in self.policy.roles:
                for basis in BASES:
                    if self.said(purpose, role, basis) != other.said(purpose, role, basis):
                        yield from (
                            place
                            for agency, coordinates in self._cells.items()
                            for coordinate in sorted(coordinates)
                            if self.word(place := Place(purpose, agency, coordinate, role, basis)) != other.word(place)
                        )

    def said(self, purpose: str | None, role: str, basis: str) -> _Key:
        """What the rules that can match say, in order. Where it is the same, so are the decisions."""
        asked = (purpose, role, basis)
        if asked not in self._keys:
            roles = set(self.policy.roles.lineage(role))
            purposes = {ANY_PURPOSE, *(self.policy.purposes.lineage(purpose) if purpose else ())}
            self._keys[asked] = tuple(
                (row.rule, row.agency, row.object, row.effect, row.mask)
                for row in self.policy.rows
                if row.role in roles and row.purpose in purposes and row.basis in {ANY_BASIS, basis}
            )
        return self._keys[asked]

    def _columns(self, role: str) -> Iterator[Column]:
        purposes = (None, *self.policy.purposes)
        own = [
            basis
            for basis in Basis
            if any(self.said(purpose, role, basis) != self.said(purpose, role, NO_BASIS) for purpose in purposes)
        ]
        yield Column(role, tuple(basis for basis in BASES if basis not in own))
        yield from (Column(role, (basis,)) for basis in own)

    def _table(self, purpose: str | None, role: str, basis: str) -> DecisionTable:
        bases = frozenset({Basis(basis)} if basis != NO_BASIS else ())
        return compile_table(
            self.policy, self._cells, CallerClass(frozenset({role}), ROOT, purpose, bases, _WHOLE_SCOPE)
        )
