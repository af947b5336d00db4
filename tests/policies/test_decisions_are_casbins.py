"""Every cell of a table is what casbin says over the whole policy, combined by the semantics written out naively."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import casbin  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from policies.compile import compile_table, openable
from policies.decision import Basis, CallerClass, Decision, Effect, Reason
from policies.enforce import field_match
from policies.policy import Act, Organisation, Policy, Row, RuleEffect
from policies.rule import Rule, publish
from policies.tree import Tree
from schema.catalogue import Tier

MODEL = (Path(policies.__file__).parent / "model.conf").read_text("utf-8")

ROLES = Tree({"bank": "any", "bank.officer": "bank", "clerk": "any"})
PURPOSES = Tree({"credit": "any", "credit.underwriting": "credit", "supervision": "any"})
AGENCIES = Tree({"nation": "any", "tax": "nation", "market": "nation", "zhejiang": "market"})
ORGANISATIONS = Tree({"banks": "any", "first-bank": "banks", "bureau": "any"})
TIERS = {
    "Penalty": Tier.PUBLIC,
    "Penalty.objection": Tier.PUBLIC,
    "Penalty.person": Tier.PUBLIC,
    "Penalty.personId": Tier.RESTRICTED,
    "Penalty.informant": Tier.SEALED,
    "Payment": Tier.AUTHORISED,
    "Payment.year": Tier.AUTHORISED,
    "Payment.paid": Tier.RESTRICTED,
}
DEFAULT_MASKS = {"Penalty.person": "partial", "Penalty.personId": "last4", "Payment.paid": "bucket"}
FIELDS = sorted(name for name in TIERS if "." in name and not name.endswith("objection"))
WIDE = ["any", "PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED", "Penalty.*", "Payment.*"]
CELLS = {agency: frozenset(TIERS) for agency in ("tax", "zhejiang")}


def some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(["any", *names]), min_size=1, max_size=2, unique=True).map(tuple)


RULES = st.builds(
    Rule,
    id=st.text("abcdefgh", min_size=1, max_size=3),
    effect=st.sampled_from([RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.DENY]),
    objects=st.lists(st.sampled_from([*WIDE, *FIELDS, "Penalty", "Payment"]), min_size=1, max_size=3, unique=True).map(
        tuple
    ),
    agencies=some("nation", "tax", "market", "zhejiang"),
    roles=some("bank", "bank.officer", "clerk"),
    organisations=some("banks", "first-bank", "bureau"),
    purposes=some("credit", "credit.underwriting", "supervision"),
    bases=some("none", "consent", "jurisdiction", "self"),
    acts=st.sampled_from([(Act.READ,), (Act.READ_EXPIRED,), (Act.READ, Act.READ_EXPIRED)]),
    mask=st.sampled_from([None, None, "redact", "partial", "last4"]),
    starts=st.none(),
    ends=st.none(),
    note=st.just(""),
).map(lambda rule: replace(rule, mask=None) if rule.effect is RuleEffect.DENY else rule)

CALLERS = st.builds(
    CallerClass,
    roles=st.frozensets(st.sampled_from(["bank", "bank.officer", "clerk"]), min_size=1),
    organisation=st.sampled_from(["first-bank", "bureau"]),
    purpose=st.sampled_from([None, "credit", "credit.underwriting", "supervision"]),
    bases=st.frozensets(st.sampled_from(list(Basis))),
    consent_scope=st.frozensets(st.sampled_from(["AUTHORISED", "RESTRICTED", "Payment.*", "Payment.paid", "Penalty"])),
)


def policy_of(rules: list[Rule]) -> Policy:
    organisations = {
        "first-bank": Organisation("first-bank", "", "", "banks", None, frozenset(ROLES), frozenset({"credit"})),
        "bureau": Organisation("bureau", "", "", "any", "33", frozenset(ROLES), frozenset({"supervision"})),
    }
    return Policy(
        version="1-test",
        published_at=datetime(2026, 11, 1, tzinfo=UTC),
        published_by="",
        why="",
        rows=publish(rules),
        roles=ROLES,
        purposes=PURPOSES,
        agencies=AGENCIES,
        organisation_tree=ORGANISATIONS,
        organisations=organisations,
        tiers=TIERS,
        default_masks=DEFAULT_MASKS,
        next_change=None,
    )


def enforcer(rows: list[Row]) -> casbin.Enforcer:
    made = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL))
    made.add_function("fieldMatch", field_match)
    made.add_policies([row.values() for row in reversed(rows)])
    for tree, name in ((ROLES, "g"), (ORGANISATIONS, "g3"), (PURPOSES, "g4"), (AGENCIES, "g5")):
        made.add_named_grouping_policies(name, [list(link) for link in tree.parents.items()])
    made.add_named_grouping_policies("g2", [[name, str(tier)] for name, tier in TIERS.items()])
    made.add_named_grouping_policies("g2", [[str(tier), "any"] for tier in Tier])
    made.get_model().sort_policies_by_priority()
    return made


class Naive:
    """The semantics, as plainly as they can be written, over the whole policy."""

    def __init__(self, policy: Policy) -> None:
        self.wide = enforcer([row for row in policy.rows if row.object in WIDE])
        self.named = enforcer([row for row in policy.rows if row.object not in WIDE])

    def alone(  # noqa: C901  # in one piece, to be read beside the design
        self, caller: CallerClass, agency: str, name: str
    ) -> tuple[Effect, str | None]:
        bases = {str(basis) for basis in caller.bases}
        record = name.partition(".")[0]
        scope = caller.consent_scope
        in_scope = name in scope or TIERS[name] in scope or f"{record}.*" in scope
        if name == record:
            in_scope = in_scope or any(other.startswith(f"{record}.") for other in scope)
        if not in_scope:
            bases.discard("consent")
        masks: list[str | None] = []
        for role in caller.roles:
            for basis in bases or {"none"}:
                request = (role, caller.organisation, agency, name, "read", caller.purpose or "", basis)
                for wide, rules in ((False, self.named), (True, self.wide)):
                    _, row = rules.enforce_ex(*request)
                    if not row:
                        continue
                    if row[9] == "deny":
                        return Effect.WITHHELD, None
                    mask = row[10] or None
                    if wide and TIERS[name] is Tier.SEALED:
                        continue
                    if wide and name in DEFAULT_MASKS:
                        default = DEFAULT_MASKS[name]
                        mask = default if mask in {None, default} else "redact"
                    masks.append(mask)
        if name == record:
            masks = [mask for mask in masks if mask is None]
        if not masks:
            return Effect.WITHHELD, None
        if None in masks:
            return Effect.CLEAR, None
        telling = {mask for mask in masks if mask != "redact"}
        return Effect.MASKED, telling.pop() if len(telling) == 1 else "redact"

    def decision(self, caller: CallerClass, agency: str, name: str) -> tuple[Effect, str | None]:
        record = name.partition(".")[0]
        rows = self.alone(caller, agency, record)
        if name == record or name.endswith(".objection") or rows[0] is not Effect.CLEAR:
            return rows
        return self.alone(caller, agency, name)

    def reason(self, caller: CallerClass, agency: str, name: str, policy: Policy) -> Reason | None:
        def width(one: CallerClass) -> int:
            effect, mask = self.decision(one, agency, name)
            return {Effect.WITHHELD: 0, Effect.MASKED: 1 if mask == "redact" else 2, Effect.CLEAR: 3}[effect]

        def with_(one: CallerClass, basis: Basis) -> CallerClass:
            scope = frozenset(map(str, Tier)) if basis is Basis.CONSENT else one.consent_scope
            return replace(one, bases=one.bases | {basis}, consent_scope=scope)

        now = width(caller)
        if now == 3:
            return None
        if TIERS[name] is Tier.SEALED:
            return Reason.NOT_AVAILABLE
        if width(with_(caller, Basis.CONSENT)) > now:
            return Reason.NEEDS_CONSENT
        if width(with_(caller, Basis.JURISDICTION)) > now:
            return Reason.NEEDS_JURISDICTION
        for purpose in policy.purposes_of(caller.organisation) - {caller.purpose}:
            other = replace(caller, purpose=purpose)
            if width(other) > now or width(with_(other, Basis.CONSENT)) > now:
                return Reason.NEEDS_PURPOSE
        return Reason.NOT_AVAILABLE


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules=st.lists(RULES, max_size=10), caller=CALLERS)
def test_every_cell_is_what_casbin_says_over_the_whole_policy(rules: list[Rule], caller: CallerClass) -> None:
    policy = policy_of(rules)
    table = compile_table(policy, CELLS, caller)
    naive = Naive(policy)
    for agency, row in table.cells.items():
        for name, decision in row.items():
            assert (decision.effect, decision.mask) == naive.decision(caller, agency, name), name
            assert decision.reason is naive.reason(caller, agency, name, policy), name


@settings(max_examples=30, deadline=None)
@given(rules=st.lists(RULES, max_size=10), caller=CALLERS)
def test_what_a_caller_gets_to_see_is_openable_to_it(rules: list[Rule], caller: CallerClass) -> None:
    policy = policy_of(rules)
    registered = policy.purposes_of(caller.organisation)
    if caller.purpose in registered:
        opened = openable(policy, CELLS, caller.roles, caller.organisation)
        seen = {
            name
            for row in compile_table(policy, CELLS, caller).cells.values()
            for name, decision in row.items()
            if decision.effect is not Effect.WITHHELD
        }
        assert seen <= opened


@settings(max_examples=30, deadline=None)
@given(rules=st.lists(RULES, max_size=10), one=RULES, caller=CALLERS)
def test_a_further_deny_never_shows_more(rules: list[Rule], one: Rule, caller: CallerClass) -> None:
    deny = replace(one, id="zz", effect=RuleEffect.DENY, mask=None)
    before = compile_table(policy_of(rules), CELLS, caller)
    after = compile_table(policy_of([*rules, deny]), CELLS, caller)
    for agency, row in after.cells.items():
        for name, decision in row.items():
            assert decision.effect is Effect.WITHHELD or shown(decision) == shown(before.at(agency, name))


def shown(decision: Decision) -> tuple[Effect, str | None]:
    return decision.effect, decision.mask
