"""What would have to be different for a caller to see more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policies.analysis.matching import Dimension
from policies.analysis.question import Question
from policies.compile import WHOLE_SCOPE, bare_decisions, width
from policies.decision import Basis, CallerClass, Decision
from policies.policy import Act, Policy, Row, RuleEffect
from policies.tree import ROOT, Tree

MOST_NEAR_MISSES: Final = 10
"""How many near misses are told."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Another purpose for which the organisation may ask, a further basis (a consent names all), or both, and what
    would be seen with it: more than now, and with both more than with either.
    """

    purpose: str | None
    basis: Basis | None
    gives: Decision


@dataclass(frozen=True, slots=True)
class Denial:
    """The rules that would all have to go, because each denies, and what would then be seen."""

    rules: tuple[str, ...]
    gives: Decision


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that would match, and alone give more than now, were one thing about the question different: its rule has
    `wanted` in this column. `thing` is what it names (`Penalty.*`).
    """

    rule: str
    thing: str
    dimension: Dimension
    wanted: str
    gives: Decision


class Remedies:
    """What every agency would decide on some cells, were the caller to have another purpose or a further basis."""

    def __init__(self, policy: Policy, cells: Mapping[str, frozenset[str]], caller: CallerClass, act: Act) -> None:
        self._tried = {
            (purpose, basis): bare_decisions(policy, cells, _with(caller, purpose, basis), act)
            for purpose, basis in _choices(policy, caller)
        }

    def of(self, agency: str, coordinate: str, now: Decision) -> tuple[Remedy, ...]:
        """What helps with a coordinate, a basis before a purpose, that before both."""
        found: dict[tuple[str | None, Basis | None], Decision] = {}
        for (purpose, basis), table in self._tried.items():
            gives = table[agency][coordinate]
            parts = [found[part] for part in ((purpose, None), (None, basis)) if part in found]
            if all(width(gives) > width(less) for less in (now, *parts)):
                found[purpose, basis] = gives
        return tuple(Remedy(purpose, basis, gives) for (purpose, basis), gives in found.items())


def _choices(policy: Policy, caller: CallerClass) -> Iterator[tuple[str | None, Basis | None]]:
    # A consent is for a purpose: without one none counts.
    bases = [basis for basis in Basis if basis is not Basis.CONSENT or caller.purpose]
    purposes = sorted(policy.purposes_of(caller.organisation) - {caller.purpose})
    yield from ((None, basis) for basis in bases)
    yield from ((purpose, None) for purpose in purposes)
    yield from ((purpose, Basis.CONSENT) for purpose in purposes)


def _with(caller: CallerClass, purpose: str | None, basis: Basis | None) -> CallerClass:
    return replace(
        caller,
        purpose=purpose or caller.purpose,
        bases=caller.bases | ({basis} if basis else set()),
        consent_scope=WHOLE_SCOPE if basis is Basis.CONSENT else caller.consent_scope,
    )


def denial(question: Question, now: Decision) -> Denial | None:
    """The rules that deny the question's cell, or the records that it belongs to. None where no deny decides."""
    policy, decision, gone = question.policy, now, tuple[str, ...]()
    for cell in (question.cell.rows, question.cell):
        matching = replace(question, cell=cell).matching()
        denies = tuple(dict.fromkeys(row.rule for row in matching if row.effect is RuleEffect.DENY))
        if decision.rule in denies:
            gone += denies
            policy = replace(policy, rows=tuple(row for row in policy.rows if row.rule not in gone))
            decision = question.decided(policy)
    return Denial(gone, decision) if gone else None


def near_misses(question: Question, now: Decision) -> tuple[NearMiss, ...]:
    """The rules on the question's cell, or on the same of other agencies, that one column keeps from matching; those
    first whose name there is nearest in its tree.
    """
    found: dict[NearMiss, int] = {}
    for row, dimension in _one_off(question):
        wanted = _column(row, dimension)
        gives = question.gives(row)
        if width(gives) > width(now):
            found.setdefault(
                NearMiss(row.rule, row.object, dimension, wanted, gives), _steps(question, dimension, wanted)
            )
    return tuple(sorted(found, key=lambda miss: (found[miss], miss.rule)))[:MOST_NEAR_MISSES]


def _one_off(question: Question) -> Iterator[tuple[Row, Dimension]]:
    names = question.names()
    for row in question.rules().all:
        misses = names.misses(row)
        if len(misses) == 1:
            yield row, misses[0]
    for row in question.index.elsewhere(question.cell).all:
        if names.match(row):
            yield row, Dimension.AGENCY


def _column(row: Row, dimension: Dimension) -> str:
    columns = {
        Dimension.AGENCY: row.agency,
        Dimension.ROLE: row.role,
        Dimension.ORGANISATION: row.organisation,
        Dimension.PURPOSE: row.purpose,
        Dimension.BASIS: row.basis,
    }
    return columns[dimension]


def _steps(question: Question, dimension: Dimension, wanted: str) -> int:
    """How far a name lies from the one that the caller has, in steps through its tree; every basis is one step away."""
    policy, caller = question.policy, question.caller
    places: Mapping[Dimension, tuple[Tree, tuple[str, ...]]] = {
        Dimension.AGENCY: (policy.agencies, (question.cell.agency,)),
        Dimension.ROLE: (policy.roles, question.roles()),
        Dimension.ORGANISATION: (policy.organisation_tree, (caller.organisation,)),
        Dimension.PURPOSE: (policy.purposes, (caller.purpose or ROOT,)),
    }
    if dimension not in places:
        return 1
    tree, own = places[dimension]
    return min(_apart(tree.lineage(name), tree.lineage(wanted)) for name in own)


def _apart(ours: tuple[str, ...], theirs: tuple[str, ...]) -> int:
    return min(ours.index(name) + theirs.index(name) for name in ours if name in theirs)
