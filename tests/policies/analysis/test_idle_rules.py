"""A rule that the lint calls idle can be removed without any change in any table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from policies.analysis.lint_idle import idle_rules
from policies.compile import compile_table
from policies.decision import Basis, CallerClass, DecisionTable
from policies.policy import Act, Organisation, Policy, RuleEffect
from policies.rule import Placed, Rule, publish
from policies.tree import Tree
from schema.catalogue import Tier

ROLES = Tree({"bank": "any", "bank.officer": "bank", "clerk": "any"})
PURPOSES = Tree({"credit": "any", "credit.underwriting": "credit", "supervision": "any"})
AGENCIES = Tree({"nation": "any", "tax": "nation", "market": "nation", "zhejiang": "market"})
ORGANISATIONS = {
    "first-bank": ("banks", {"bank.officer", "clerk"}, {"credit"}),
    "second-bank": ("banks", {"bank.officer", "clerk"}, {"credit"}),
    "bureau": ("any", {"clerk"}, {"supervision"}),
}
TIERS = {
    "Penalty": Tier.PUBLIC,
    "Penalty.objection": Tier.PUBLIC,
    "Penalty.facts": Tier.PUBLIC,
    "Penalty.person": Tier.PUBLIC,
    "Penalty.informant": Tier.SEALED,
    "Payment": Tier.AUTHORISED,
    "Payment.year": Tier.AUTHORISED,
    "Payment.paid": Tier.RESTRICTED,
}
CELLS = {
    "tax": frozenset(TIERS),
    "zhejiang": frozenset(name for name in TIERS if name.startswith("Penalty") and name != "Penalty.informant"),
}
NAMED = sorted(name for name in TIERS if not name.endswith("objection"))
WIDE = ["any", "PUBLIC", "AUTHORISED", "RESTRICTED", "Penalty.*", "Payment.*"]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(("any",)) | st.lists(st.sampled_from(["any", *names]), min_size=1, max_size=2, unique=True).map(
        tuple
    )


def names(objects: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(objects), min_size=1, max_size=2, unique=True).map(tuple)


RULES = st.builds(
    Rule,
    id=st.text("abcdefgh", min_size=1, max_size=3),
    effect=st.sampled_from([RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.DENY]),
    objects=names(WIDE) | names(NAMED) | names(WIDE + NAMED),
    agencies=some("nation", "tax", "market", "zhejiang"),
    roles=some("bank", "bank.officer", "clerk"),
    organisations=some("first-bank", "bureau"),
    purposes=some("credit", "credit.underwriting", "supervision"),
    bases=some("none", "consent", "jurisdiction", "self"),
    acts=st.sampled_from([(Act.READ,), (Act.READ,), tuple(Act)]),
    mask=st.sampled_from([None, None, "redact", "partial"]),
    starts=st.none(),
    ends=st.none(),
    note=st.just(""),
).map(lambda rule: replace(rule, mask=None) if rule.effect is RuleEffect.DENY else rule)


def policy_of(rules: list[Rule]) -> Policy:
    organisations = {
        name: Organisation(name, "", "", parent, None, frozenset(roles), frozenset(purposes))
        for name, (parent, roles, purposes) in ORGANISATIONS.items()
    }
    return Policy(
        version="1-test",
        published_at=NOW,
        published_by="",
        why="",
        rows=publish(rules),
        roles=ROLES,
        purposes=PURPOSES,
        agencies=AGENCIES,
        organisation_tree=Tree({"banks": "any", **{name: parent for name, (parent, *_) in ORGANISATIONS.items()}}),
        organisations=organisations,
        tiers=TIERS,
        default_masks={"Penalty.person": "partial", "Payment.paid": "bucket"},
        next_change=None,
    )


@st.composite
def callers(draw: st.DrawFn) -> CallerClass:
    """A class that there can be: roles and a purpose of its organisation."""
    organisation = draw(st.sampled_from(sorted(ORGANISATIONS)))
    _, roles, registered = ORGANISATIONS[organisation]
    purposes = [purpose for purpose in PURPOSES if registered & set(PURPOSES.lineage(purpose))]
    return CallerClass(
        draw(st.frozensets(st.sampled_from(sorted(roles)), min_size=1)),
        organisation,
        draw(st.sampled_from([None, *purposes])),
        draw(st.frozensets(st.sampled_from(list(Basis)))),
        draw(
            st.just(frozenset(map(str, Tier)))
            | st.frozensets(st.sampled_from(["RESTRICTED", "Payment.paid", "Penalty.*"]))
        ),
    )


def tables(rules: list[Rule], caller: CallerClass) -> list[DecisionTable]:
    return [compile_table(policy_of(rules), CELLS, caller, act=act) for act in Act]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rules=st.lists(RULES, min_size=2, max_size=12, unique_by=lambda rule: rule.id),
    asking=st.lists(callers(), min_size=2, max_size=2),
)
def test_an_idle_rule_can_be_removed_without_any_change_in_any_table(
    rules: list[Rule], asking: list[CallerClass]
) -> None:
    placed = [Placed(rule, "rules/nation.yaml", line) for line, rule in enumerate(rules, 1)]
    for idle in idle_rules(policy_of(rules), placed, CELLS, NOW.date()):
        event("never decides" if idle.because else "others decide")
        rest = [rule for rule in rules if rule != idle.placed.rule]
        for caller in asking:
            assert tables(rules, caller) == tables(rest, caller), idle


def test_a_rule_that_has_expired_is_not_looked_at() -> None:
    rule = Rule("x", RuleEffect.ALLOW, ("Penalty",), *(("any",),) * 5, (Act.READ,), None, None, date(2026, 11, 23), "")
    assert idle_rules(policy_of([]), [Placed(rule, "", 1)], {}, NOW.date()) == ()
