"""Decision tables: every decision of one class of caller, worked out once with casbin.

A decision comes about so:

1. Each role is asked with each basis that holds, alone; with `none` only where none holds. A consent that does not name
   the coordinate does not hold for it.
2. Of the rules that name the coordinate the first decides, of the wider ones (`any`, a tier, `Type.*`) likewise. A
   wider rule gives at most the field's default mask, and never opens a SEALED field.
3. A deny by any of them wins; else the widest grant does; what nothing grants is withheld.
4. Where the rows of a type are withheld, so is every field; `objection` is as clear as the rows. Rows are never masked.

Pure functions over picklable values, so that they can run in another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from policies.decision import WITHHELD, Basis, CallerClass, Decision, DecisionTable, Effect, Reason
from policies.masks import REDACT, widest
from policies.policy import NO_BASIS, Act, Policy
from policies.rulebook import OBJECTION
from policies.verdicts import Asker, Grant, Verdict, Verdicts
from schema.catalogue import Tier

WHOLE_SCOPE: Final = frozenset(str(tier) for tier in Tier)
"""The scope of a consent to everything."""


def compile_table(
    policy: Policy, cells: Mapping[str, frozenset[str]], caller: CallerClass, *, act: Act = Act.READ
) -> DecisionTable:
    """The table of one class of caller. `cells` holds the coordinates that each agency supplies, `Penalty` and
    `Penalty.amount`. Roles that the policy does not let the caller's organisation hold count for nothing.
    """
    callers = _callers(policy, cells, caller.organisation, caller.roles, act)
    situation = Situation(caller.purpose, caller.bases, caller.consent_scope)
    others = policy.purposes_of(caller.organisation) - {caller.purpose}
    advice = tuple(_advice(situation, sorted(others)))
    made: dict[tuple[str, tuple[str, ...]], Decision] = {}
    columns: dict[tuple[tuple[str, int], ...], dict[str, Decision]] = {}
    shared: dict[Decision, Decision] = {}
    table: dict[str, Mapping[str, Decision]] = {}
    for agency, coordinates in cells.items():
        column: dict[str, Decision] = {}
        for coordinate in sorted(coordinates):
            key = (coordinate, callers.alike(agency, coordinate))
            if key not in made:
                decision = callers.explained(agency, coordinate, situation, advice)
                made[key] = shared.setdefault(decision, decision)
            column[coordinate] = made[key]
        table[agency] = columns.setdefault(tuple((name, id(decision)) for name, decision in column.items()), column)
    return DecisionTable(policy.version, table)


def compile_tables(policy: Policy, cells: Mapping[str, frozenset[str]], caller: CallerClass) -> DecisionTable:
    """The table of one class of caller, with its decisions on records past their publicity period."""
    table = compile_table(policy, cells, caller)
    if not any(row.act is Act.READ_EXPIRED for row in policy.rows):
        return table
    return replace(table, expired=compile_table(policy, cells, caller, act=Act.READ_EXPIRED).cells)


def bare_decisions(
    policy: Policy, cells: Mapping[str, frozenset[str]], caller: CallerClass, act: Act
) -> Mapping[str, Mapping[str, Decision]]:
    """The decisions that `compile_table` makes, without their reasons, which are most of its work."""
    callers = _callers(policy, cells, caller.organisation, caller.roles, act)
    situation = Situation(caller.purpose, caller.bases, caller.consent_scope)
    return {
        agency: {coordinate: callers.decision(agency, coordinate, situation) for coordinate in coordinates}
        for agency, coordinates in cells.items()
    }


def openable(
    policy: Policy, cells: Mapping[str, frozenset[str]], roles: frozenset[str], organisation: str
) -> frozenset[str]:
    """The coordinates that some purpose of the organisation (or none) and some set of bases could open to these roles,
    at some agency.
    """
    callers = _callers(policy, cells, organisation, roles, Act.READ)
    situations = [
        Situation(purpose, frozenset(bases), WHOLE_SCOPE)
        for purpose in (None, *sorted(policy.purposes_of(organisation)))
        for size in range(len(Basis) + 1)
        for bases in combinations(Basis, size)
    ]
    opened: set[str] = set()
    tried: set[tuple[str, tuple[str, ...]]] = set()
    for agency, coordinates in cells.items():
        for coordinate in coordinates - opened:
            key = (coordinate, callers.alike(agency, coordinate))
            decisions = (callers.decision(agency, coordinate, situation) for situation in situations)
            if key not in tried and any(decision.effect is not Effect.WITHHELD for decision in decisions):
                opened.add(coordinate)
            tried.add(key)
    return frozenset(opened)


def _callers(
    policy: Policy, cells: Mapping[str, frozenset[str]], organisation: str, roles: frozenset[str], act: Act
) -> Callers:
    held = held_roles(policy, organisation, roles)
    return Callers(policy, Verdicts(policy, cells, organisation, held, act), held)


def held_roles(policy: Policy, organisation: str, roles: frozenset[str]) -> tuple[str, ...]:
    """Those of the roles that the policy lets the organisation's people hold."""
    known = policy.organisations.get(organisation)
    return tuple(sorted(roles & known.roles)) if known else ()


@dataclass(frozen=True, slots=True)
class Situation:
    """For which purpose somebody asks, and which bases hold for the company."""

    purpose: str | None
    bases: frozenset[Basis]
    consent_scope: frozenset[str]

    def with_basis(self, basis: Basis) -> Situation:
        """The same, were this basis to hold (a consent to everything)."""
        scope = WHOLE_SCOPE if basis is Basis.CONSENT else self.consent_scope
        return Situation(self.purpose, self.bases | {basis}, scope)


def bases_on(coordinate: str, tier: Tier, bases: frozenset[Basis], consent_scope: frozenset[str]) -> tuple[str, ...]:
    """Of the bases that hold for a company those that hold for this coordinate, `none` where none does."""
    if Basis.CONSENT in bases and not _in_scope(coordinate, tier, consent_scope):
        bases = bases - {Basis.CONSENT}
    return tuple(sorted(bases)) or (NO_BASIS,)


def _in_scope(coordinate: str, tier: Tier, scope: frozenset[str]) -> bool:
    """Whether a consent with this scope names the coordinate. A field cannot be read without its rows, so a scope that
    names a field takes in that there are records.
    """
    record, dot, _ = coordinate.partition(".")
    if tier in scope or coordinate in scope or f"{record}.*" in scope:
        return True
    return not dot and any(name.startswith(f"{record}.") for name in scope)


_Advice = tuple[Reason, Situation]


def _advice(situation: Situation, purposes: list[str]) -> Iterator[_Advice]:
    """What a caller could lack, the likeliest remedy first, each with its situation if it did not lack it."""
    yield Reason.NEEDS_CONSENT, situation.with_basis(Basis.CONSENT)
    yield Reason.NEEDS_JURISDICTION, situation.with_basis(Basis.JURISDICTION)
    for purpose in purposes:
        elsewhere = replace(situation, purpose=purpose)
        yield Reason.NEEDS_PURPOSE, elsewhere
        yield Reason.NEEDS_PURPOSE, elsewhere.with_basis(Basis.CONSENT)


@dataclass(frozen=True, slots=True)
class Callers:
    """The people of one organisation in certain roles, and what the rules say to them."""

    policy: Policy
    verdicts: Verdicts
    roles: tuple[str, ...]

    def alike(self, agency: str, coordinate: str) -> tuple[str, ...]:
        """Agencies for which this is the same have the same decisions on the coordinate."""
        return self.verdicts.alike(agency, coordinate) if coordinate in self.policy.tiers else ()

    def explained(self, agency: str, coordinate: str, situation: Situation, advice: tuple[_Advice, ...]) -> Decision:
        """The decision, with the reason where it is not CLEAR."""
        decision = self.decision(agency, coordinate, situation)
        if decision.effect is Effect.CLEAR:
            return decision
        if self.policy.tiers.get(coordinate) not in {None, Tier.SEALED}:
            for reason, other in advice:
                if _wider(self.decision(agency, coordinate, other), decision):
                    return replace(decision, reason=reason)
        return replace(decision, reason=Reason.NOT_AVAILABLE)

    def decision(self, agency: str, coordinate: str, situation: Situation) -> Decision:
        """The decision on a coordinate, its rows taken into account."""
        record, dot, field = coordinate.partition(".")
        if coordinate not in self.policy.tiers:
            return WITHHELD
        rows = self._alone(agency, record, situation)
        if not dot or field == OBJECTION or rows.effect is not Effect.CLEAR:
            return rows
        return self._alone(agency, coordinate, situation)

    def _alone(self, agency: str, coordinate: str, situation: Situation) -> Decision:
        """The decision on a coordinate alone."""
        bases = bases_on(coordinate, self.policy.tiers[coordinate], situation.bases, situation.consent_scope)
        return weigh(
            self.verdicts.verdict(Asker(role, situation.purpose, basis), agency, coordinate)
            for role in self.roles
            for basis in bases
        )


def weigh(verdicts: Iterable[Verdict]) -> Decision:
    """What verdicts come to together: a deny by any of them wins, else the widest grant does."""
    said = tuple(verdicts)
    denied = [verdict.denied for verdict in said if verdict.denied]
    if denied:
        return Decision(Effect.WITHHELD, rule=min(denied))
    return _widest([grant for verdict in said for grant in verdict.grants])


def _widest(grants: list[Grant]) -> Decision:
    clear = [grant.rule for grant in grants if grant.mask is None]
    if clear:
        return Decision(Effect.CLEAR, rule=min(clear))
    if not grants:
        return Decision(Effect.WITHHELD)
    mask = widest({grant.mask for grant in grants if grant.mask})
    # Where incomparable masks give `redact`, no single rule decides; the first of them stands for all.
    rule = min((grant.rule for grant in grants if grant.mask == mask), default=min(grant.rule for grant in grants))
    return Decision(Effect.MASKED, mask, rule)


def _wider(one: Decision, other: Decision) -> bool:
    """Whether `one` shows strictly more than `other`."""
    return width(one) > width(other)


def width(decision: Decision) -> int:
    """How much a decision shows. Masks other than `redact` are incomparable, so they count the same."""
    if decision.effect is Effect.MASKED:
        return 1 if decision.mask == REDACT else 2
    return 3 if decision.effect is Effect.CLEAR else 0
