"""Small policies at random, in pairs of which the second is the first with a few changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from policies.compile import WHOLE_SCOPE, Callers, Situation, held_roles
from policies.decision import Basis, Decision
from policies.policy import Act, Organisation, Policy, RuleEffect
from policies.rule import Rule, publish
from policies.tree import Tree
from policies.verdicts import Verdicts
from schema.catalogue import Tier

TIERS = {
    "Penalty": Tier.PUBLIC,
    "Penalty.objection": Tier.PUBLIC,
    "Penalty.person": Tier.PUBLIC,
    "Penalty.personId": Tier.RESTRICTED,
    "Penalty.informant": Tier.SEALED,
    "Payment": Tier.AUTHORISED,
    "Payment.paid": Tier.RESTRICTED,
}
DEFAULT_MASKS = {"Penalty.person": "partial", "Penalty.personId": "last4"}
CELLS = {"tax": frozenset(TIERS), "zhejiang": frozenset(TIERS) - {"Payment", "Payment.paid"}}
ROLES = {"bank": "any", "officer": "bank", "clerk": "any"}
PURPOSES = {"credit": "any", "loan": "credit", "supervision": "any"}
AGENCIES = {"nation": "any", "tax": "nation", "market": "nation", "zhejiang": "market"}
ORGANISATIONS = {
    "banks": Organisation("banks", "", "", "any", None, frozenset(), frozenset()),
    "first": Organisation("first", "", "", "banks", None, frozenset(ROLES), frozenset({"credit"})),
    "bureau": Organisation("bureau", "", "", "any", "33", frozenset({"clerk", "officer"}), frozenset({"supervision"})),
}


@dataclass(frozen=True)
class Draft:
    """What a policy is made from."""

    rules: tuple[Rule, ...]
    roles: Mapping[str, str] = field(default_factory=lambda: ROLES)
    purposes: Mapping[str, str] = field(default_factory=lambda: PURPOSES)
    agencies: Mapping[str, str] = field(default_factory=lambda: AGENCIES)
    organisations: Mapping[str, Organisation] = field(default_factory=lambda: ORGANISATIONS)

    def policy(self) -> Policy:
        return Policy(
            version="1-test",
            published_at=datetime(2026, 11, 1, tzinfo=UTC),
            published_by="",
            why="",
            rows=publish(self.rules),
            roles=Tree(self.roles),
            purposes=Tree(self.purposes),
            agencies=Tree(self.agencies),
            organisation_tree=Tree({name: one.parent for name, one in self.organisations.items()}),
            organisations=self.organisations,
            tiers=TIERS,
            default_masks=DEFAULT_MASKS,
            next_change=None,
        )


def _some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(["any", *names]), min_size=1, max_size=2, unique=True).map(tuple)


_OBJECTS = [
    "any", "PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED", "Penalty.*", "Payment.*",
    "Penalty", "Payment", "Penalty.person", "Penalty.personId", "Penalty.informant", "Payment.paid",
]  # fmt: skip

RULES = st.builds(
    Rule,
    id=st.text("abcdefgh", min_size=1, max_size=3),
    effect=st.sampled_from([RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.DENY]),
    objects=st.lists(st.sampled_from(_OBJECTS), min_size=1, max_size=4, unique=True).map(tuple),
    agencies=_some("nation", "tax", "market", "zhejiang"),
    roles=_some("bank", "officer", "clerk"),
    organisations=st.one_of(st.just(("any",)), _some("banks", "first", "bureau")),
    purposes=st.one_of(st.just(("any",)), _some("credit", "loan", "supervision")),
    bases=_some("none", "consent", "jurisdiction", "self"),
    acts=st.sampled_from([(Act.READ,), (Act.READ,), (Act.READ_EXPIRED,), (Act.READ, Act.READ_EXPIRED)]),
    mask=st.sampled_from([None, None, "redact", "partial", "last4"]),
    starts=st.none(),
    ends=st.none(),
    note=st.just(""),
).map(lambda rule: replace(rule, mask=None) if rule.effect is RuleEffect.DENY else rule)

OPEN_ROWS = Rule(
    "rows", RuleEffect.ALLOW, ("Penalty", "Payment"), ("any",), ("any",), ("any",), ("any",), ("any",),
    (Act.READ, Act.READ_EXPIRED), None, None, None, "",
)  # fmt: skip


@st.composite
def _tree(draw: st.DrawFn, names: Mapping[str, str]) -> dict[str, str]:
    """A tree of these names: one of them elsewhere, or left out with what is below it hung higher."""
    moved = draw(st.sampled_from(sorted(names)))
    below = {name for name in names if moved in Tree(names).lineage(name)}
    parent = draw(st.sampled_from(["any", *sorted(set(names) - below)]))
    return {**names, moved: parent}


@st.composite
def _organisations(draw: st.DrawFn) -> dict[str, Organisation]:
    """The organisations with one registered otherwise, moved, new or removed."""
    name = draw(st.sampled_from(["first", "bureau", "late"]))
    others = {other: one for other, one in ORGANISATIONS.items() if other != name}
    if draw(st.integers(0, 5)) == 0:
        return others
    made = Organisation(
        name,
        "",
        "",
        draw(st.sampled_from(["any", "banks"])),
        draw(st.sampled_from([None, "33", "3301", "44"])),
        draw(st.frozensets(st.sampled_from(sorted(ROLES)))),
        draw(st.frozensets(st.sampled_from(sorted(PURPOSES)))),
    )
    return {**others, name: made}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Draft, Draft]:
    """Two drafts; most often only rules differ between them."""
    rules = draw(st.lists(RULES, max_size=8))
    if draw(st.booleans()):
        rules.append(OPEN_ROWS)
    before = Draft(tuple(rules))
    after = before
    kinds = ["rule", "rule", "rule", "roles", "purposes", "agencies", "organisations"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2)):
        match kind:
            case "rule":
                after = replace(after, rules=draw(_changed(after.rules)))
            case "roles":
                after = replace(after, roles=draw(_tree(ROLES)))
            case "purposes":
                after = replace(after, purposes=draw(_tree(PURPOSES)))
            case "agencies":
                after = replace(after, agencies=draw(_tree(AGENCIES)))
            case _:
                after = replace(after, organisations=draw(_organisations()))
    return (before, after) if draw(st.booleans()) else (after, before)


@st.composite
def _changed(draw: st.DrawFn, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules with one added, removed or changed."""
    if not rules or draw(st.booleans()):
        return (*rules, draw(RULES))
    at = draw(st.integers(0, len(rules) - 1))
    column = draw(st.sampled_from(["", "id", "effect", "objects", "roles", "purposes", "bases", "mask", "acts"]))
    if not column:
        return rules[:at] + rules[at + 1 :]
    other = replace(rules[at], **{column: getattr(draw(RULES), column)})
    other = replace(other, mask=None) if other.effect is RuleEffect.DENY else other
    return (*rules[:at], other, *rules[at + 1 :])


Decisions = Mapping[tuple[str, str], Decision]
"""By agency and coordinate."""


class Brute:
    """All decisions of one policy at one organisation, by casbin."""

    def __init__(self, policy: Policy, organisation: str, act: Act) -> None:
        self.policy = policy
        self.organisation = organisation
        self._verdicts = Verdicts(policy, CELLS, organisation, sorted(ROLES), act)

    def decisions(
        self,
        roles: frozenset[str],
        purpose: str | None,
        bases: frozenset[Basis],
        scope: frozenset[str] = WHOLE_SCOPE,
    ) -> Decisions:
        """Those on everything, for somebody in these roles as far as the organisation holds them."""
        if self.organisation not in self.policy.organisations:
            return {}
        callers = Callers(self.policy, self._verdicts, held_roles(self.policy, self.organisation, roles))
        situation = Situation(purpose, bases, scope)
        return {
            (agency, name): callers.decision(agency, name, situation)
            for agency, names in CELLS.items()
            for name in names
        }
