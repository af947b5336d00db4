"""Which grants could be narrower, going by what is really asked: unused ones, and those wider than their use.

No suggestion changes what was decided on any recorded request: each is replayed, alone and with those before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum

from policies.analysis.direction import Direction, direction
from policies.analysis.narrow import Served, named, narrowed
from policies.analysis.replay import Cells, Decisions, asked_cells, decide, refusal
from policies.analysis.shapes import Evidence, Shape
from policies.analysis.written import rule_text
from policies.decision import CallerClass, Effect
from policies.policy import Policy, RuleEffect
from policies.publicity import CHINA
from policies.rule import Placed, Rule, publish
from policies.rulebook import Vocabulary, check_together
from policies.tree import ROOT
from policies.vocabulary import Trees
from schema.catalogue import Catalogue, Tier


class Finding(StrEnum):
    """What the evidence says of a grant: it decided nothing in the days asked for; nothing in the fewer days that the
    evidence covers (so it cannot be called unused); or less than it could.
    """

    UNUSED = "UNUSED"
    NOT_SEEN = "NOT_SEEN"
    WIDER_THAN_USE = "WIDER_THAN_USE"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could stand in a grant's place: `rules`, none where it could go.

    `days` are the whole days that the evidence covers, at most those asked for. `requests` are those that the grant
    decided something of in these days, `last` is when it last decided anything, None where that was not seen.
    """

    finding: Finding
    placed: Placed
    rules: tuple[Rule, ...]
    days: int
    requests: int
    last: datetime | None

    @property
    def text(self) -> str:
        """The rules in YAML, ready to paste into the file in the grant's place."""
        return "".join(map(rule_text, self.rules))


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands: the rules with their places, the policy that they make, and the coordinates that agencies supply."""

    placed: tuple[Placed, ...]
    policy: Policy
    catalogue: Catalogue
    cells: Cells


def suggest(standing: Standing, evidence: Evidence, now: datetime, days: int) -> tuple[Suggestion, ...]:
    """How the grants in force could be narrowed, in the order of the rules; nothing where there is no evidence.

    Only requests of the last `days` count, and of these only such as would be answered today. Compiles tables for each
    suggestion, so run it in another process.
    """
    if evidence.begins is None:
        return ()
    since = now - timedelta(days=days)
    recent = [
        shape
        for shape in evidence.shapes
        if shape.last >= since and not refusal(standing.policy, shape.asked[0].caller)
    ]
    trial = _trial(standing, recent, now)
    last_uses = _last_uses(evidence)
    found: dict[str, Suggestion] = {}
    for placed in standing.placed:
        rule = placed.rule
        if rule.effect is not RuleEffect.ALLOW or not rule.active(now):
            continue
        covered = (now - max(evidence.begins, since, _started(rule, since))).days
        last = last_uses.get(rule.id)
        if rule.id in trial.served:
            finding = Finding.WIDER_THAN_USE
        elif last is None or last < since:
            finding = Finding.UNUSED if covered >= days else Finding.NOT_SEEN
        else:
            continue  # it was used under an older version
        kept = {id_: suggestion.rules for id_, suggestion in found.items()}
        rules = next((rules for rules in trial.narrower(rule) if trial.harmless(rule, rules, kept)), None)
        if rules is not None:
            requests, seen = trial.use(rule)
            last = max(filter(None, (last, seen)), default=None)
            found[rule.id] = Suggestion(finding, placed, rules, covered, requests, last)
    return tuple(found.values())


def _started(rule: Rule, otherwise: datetime) -> datetime:
    """When the rule's validity began."""
    return datetime.combine(rule.starts, time(), CHINA) if rule.starts else otherwise


def _last_uses(evidence: Evidence) -> Mapping[str, datetime]:
    """When each rule last decided, by what was recorded."""
    last: dict[str, datetime] = {}
    for use in evidence.uses:
        last[use.rule] = max(use.last, last.get(use.rule, use.last))
    return last


_Replacements = Mapping[str, tuple[Rule, ...]]
"""By a rule's id, what stands in its place."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """The recorded requests: by class of caller what it asked for and what is decided, by rule what it decided."""

    standing: Standing
    now: datetime
    shapes: Collection[Shape]
    asked: Mapping[CallerClass, Cells]
    decisions: Mapping[CallerClass, Decisions]
    served: Mapping[str, Collection[Served]]

    def narrower(self, rule: Rule) -> Iterator[tuple[Rule, ...]]:
        """What could stand in the rule's place, the narrowest first."""
        served = self.served.get(rule.id)
        if served is None:
            yield ()
            return
        cut = narrowed(rule, served, self.standing.policy)
        supplied = frozenset().union(*self.standing.cells.values())
        taken = {placed.rule.id for placed in self.standing.placed}
        # Others may need this rule for their rows: with fewer roles theirs would show fields of records nobody sees.
        for one in (cut, replace(cut, roles=rule.roles)):
            for rules in (named(one, served, self.standing.policy, supplied, taken), (one,)):
                if rules != (rule,):
                    yield rules

    def harmless(self, rule: Rule, rules: tuple[Rule, ...], kept: _Replacements) -> bool:
        """Whether no recorded decision changes when these rules take the rule's place, alone or beside those kept."""
        alone = {rule.id: rules}
        return all(self._unchanged(rule, replacements) for replacements in (alone, {**kept, **alone}))

    def use(self, rule: Rule) -> tuple[int, datetime | None]:
        """The number of requests of which the rule decided something, and when the last was made."""
        cells = {(one.caller, one.cell[0], one.cell[2]) for one in self.served.get(rule.id, ())}
        using = [
            shape
            for shape in self.shapes
            if any((asked.caller, *pair) in cells for asked in shape.asked for pair in asked.coordinates)
        ]
        return sum(shape.requests for shape in using), max((shape.last for shape in using), default=None)

    def _unchanged(self, rule: Rule, replacements: _Replacements) -> bool:
        placed = tuple(_replaced(self.standing.placed, replacements))
        if check_together(placed, _vocabulary(self.standing)):
            return False
        policy = _policy(self.standing, placed, self.now)
        return not any(
            direction(self.decisions[caller][cell], decision) is not Direction.SAME
            for caller, asked in self.asked.items()
            if _concerns(rule, caller, policy)
            for cell, decision in decide(policy, caller, _reached(rule, asked, policy)).items()
        )


def _trial(standing: Standing, shapes: Collection[Shape], now: datetime) -> _Trial:
    policy = _policy(standing, standing.placed, now)
    asked = asked_cells(shapes, standing.cells)
    decisions = {caller: decide(policy, caller, cells) for caller, cells in asked.items()}
    served: defaultdict[str, list[Served]] = defaultdict(list)
    for caller, decided in decisions.items():
        for cell, decision in decided.items():
            if decision.rule and decision.effect is not Effect.WITHHELD:
                served[decision.rule].append(Served(caller, cell, decision))
    return _Trial(standing, now, shapes, asked, decisions, served)


def _replaced(placed: Iterable[Placed], replacements: _Replacements) -> Iterator[Placed]:
    for one in placed:
        for rule in replacements.get(one.rule.id, (one.rule,)):
            yield replace(one, rule=rule)


def _policy(standing: Standing, placed: Iterable[Placed], now: datetime) -> Policy:
    """The policy, were these its rules."""
    return replace(standing.policy, rows=publish(one.rule for one in placed if one.rule.active(now)))


def _vocabulary(standing: Standing) -> Vocabulary:
    policy = standing.policy
    return Vocabulary(standing.catalogue, Trees(policy.roles, policy.purposes, policy.agencies), policy.organisations)


def _concerns(rule: Rule, caller: CallerClass, policy: Policy) -> bool:
    """Whether the rule, or one narrower, can match such callers at all."""
    purposes = {ROOT, *(policy.purposes.lineage(caller.purpose) if caller.purpose else ())}
    return (
        any(set(rule.roles) & set(policy.roles.lineage(role)) for role in caller.roles)
        and bool(set(rule.organisations) & {ROOT, *policy.organisation_tree.lineage(caller.organisation)})
        and bool(set(rule.purposes) & purposes)
    )


def _reached(rule: Rule, asked: Cells, policy: Policy) -> Cells:
    """Of what was asked for the agencies and the records that the rule, or one narrower, can match."""
    names = set(rule.objects)
    records = None if names & {ROOT, *Tier} else {name.partition(".")[0] for name in names}
    return {
        agency: frozenset(name for name in coordinates if records is None or name.partition(".")[0] in records)
        for agency, coordinates in asked.items()
        if set(rule.agencies) & {ROOT, *policy.agencies.lineage(agency)}
    }
