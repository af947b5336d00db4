"""What `explain` says of a decision, and that it is so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.analysis.caller import named_caller
from policies.analysis.matching import Dimension
from policies.analysis.remedies import MOST_NEAR_MISSES, Denial, NearMiss, Remedy
from policies.analysis.why import Explanation, RunnerUp, Standing, explain
from policies.compile import WHOLE_SCOPE, compile_table, width
from policies.decision import Basis, CallerClass, Decision, Effect
from policies.errors import CallerUnknown, CoordinateUnknown, PurposeRefused
from policies.policy import Act, Policy, Row, RuleEffect
from policies.rule import Rule
from tests.policies.analysis.support import CELLS, OPEN_ROWS, ROLES, RULES, TIERS, Draft

OFFICER = CallerClass(frozenset({"officer"}), "first", "loan")


def rule(name: str, *objects: str, **columns: Any) -> Rule:
    return replace(OPEN_ROWS, id=name, objects=objects, **columns)


def why(coordinate: str, *rules: Rule, caller: CallerClass = OFFICER) -> Explanation:
    """Of the tax bureau's, the records of every type being shown."""
    return explain(Draft((OPEN_ROWS, *rules)).policy(), CELLS, caller, coordinate)[
        -2 if "Penalty" in coordinate else -1
    ]


def clear(name: str) -> Decision:
    return Decision(Effect.CLEAR, rule=name)


def test_the_deciding_rule_beats_those_that_show_less_and_outranks_those_behind_it() -> None:
    found = why(
        "Penalty.person",
        rule("a-names-it", "Penalty.person"),
        rule("b-names-it", "Penalty.person"),
        rule("c-wide", "Penalty.*"),
    )
    masked = Decision(Effect.MASKED, "partial", "c-wide")
    assert found.decision == clear("a-names-it")
    assert found.runners_up == (
        RunnerUp("b-names-it", "Penalty.person", RuleEffect.ALLOW, clear("b-names-it"), Standing.OUTRANKED),
        RunnerUp("c-wide", "Penalty.*", RuleEffect.ALLOW, masked, Standing.BEATEN),
    )


def test_a_field_of_records_that_are_withheld_is_decided_by_them() -> None:
    closed = rule("closed", "Payment", effect=RuleEffect.DENY)
    found = why("Payment.paid", closed, rule("paid", "Payment.paid"))
    assert found.by_rows
    assert found.decision.rule == "closed"
    assert [runner_up.rule for runner_up in found.runners_up] == ["rows"]


def test_every_deny_that_stands_in_the_way_is_named_with_what_would_then_be_seen() -> None:
    found = why(
        "Payment.paid",
        rule("rows-closed", "Payment", effect=RuleEffect.DENY),
        rule("field-closed", "Payment.*", effect=RuleEffect.DENY),
        rule("paid", "Payment.paid"),
    )
    assert found.denial == Denial(("rows-closed", "field-closed"), clear("paid"))
    assert found.near_misses == ()


def test_remedies_are_bases_purposes_and_a_consent_for_another_purpose() -> None:
    caller = replace(OFFICER, purpose=None)
    rules = (
        rule("self", "Payment.paid", bases=("self",), mask="redact"),
        rule("consented", "Payment.paid", bases=("consent",), purposes=("loan",)),
        rule("credit", "Payment.paid", purposes=("credit",), mask="last4"),
    )
    last4 = Decision(Effect.MASKED, "last4", "credit")
    assert why("Payment.paid", *rules, caller=caller).remedies == (
        Remedy(None, Basis.SELF, Decision(Effect.MASKED, "redact", "self")),
        Remedy("credit", None, last4),
        Remedy("loan", None, last4),
        Remedy("loan", Basis.CONSENT, clear("consented")),
    )


def test_near_misses_lack_one_thing_and_the_nearest_stands_first() -> None:
    rules = (
        rule("another-agency", "Payment.paid", agencies=("zhejiang",)),
        rule("another-role", "Payment.paid", roles=("clerk",)),
        rule("another-basis", "Payment.paid", bases=("jurisdiction",)),
        rule("another-organisation", "Payment.paid", organisations=("bureau",)),
        rule("two-things", "Payment.paid", roles=("clerk",), bases=("self",)),
        rule("denies", "Payment.paid", roles=("clerk",), effect=RuleEffect.DENY),
    )
    found = [(miss.rule, miss.dimension, miss.wanted) for miss in why("Payment.paid", *rules).near_misses]
    assert found == [
        ("another-basis", Dimension.BASIS, "jurisdiction"),
        ("another-agency", Dimension.AGENCY, "zhejiang"),
        ("another-organisation", Dimension.ORGANISATION, "bureau"),
        ("another-role", Dimension.ROLE, "clerk"),
    ]


def test_each_agency_that_supplies_a_coordinate_is_explained() -> None:
    policy = Draft((OPEN_ROWS, rule("person", "Penalty.person", agencies=("market",)))).policy()
    decisions = {one.agency: one.decision.rule for one in explain(policy, CELLS, OFFICER, "Penalty.person")}
    assert decisions == {"tax": None, "zhejiang": "person"}
    assert [one.agency for one in explain(policy, CELLS, OFFICER, "Payment.paid")] == ["tax"]


@pytest.mark.parametrize(
    ("coordinate", "message"),
    [
        ("Payment.payd", "unknown coordinate `Payment.payd`; did you mean `Payment.paid`?"),
        ("Xyz", "unknown coordinate `Xyz`; there are: `Penalty`"),
        ("Payment.paid", "no agency supplies `Payment.paid`; there are: `Penalty`"),
    ],
)
def test_a_coordinate_that_is_not_there_is_answered_with_a_near_one(coordinate: str, message: str) -> None:
    cells = CELLS if "payd" in coordinate else {"zhejiang": frozenset({"Penalty"})}
    with pytest.raises(CoordinateUnknown) as refused:
        explain(Draft((OPEN_ROWS,)).policy(), cells, OFFICER, coordinate)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("offiser", "unknown role `offiser`; did you mean `officer`?"),
        ("officer@firts", "unknown organisation `firts`; did you mean `first`?"),
        ("bank@bureau", "not registered for `bank`; it is for `clerk`, `officer`, and for those are: `first`"),
        ("clerk+xyz", "unknown role `xyz`; roles: `bank`, `clerk`, `officer`"),
    ],
)
def test_a_caller_who_is_not_there_is_answered_with_a_near_one(who: str, message: str) -> None:
    with pytest.raises(CallerUnknown) as refused:
        named_caller(Draft(()).policy(), who, None, ())
    assert message in str(refused.value)


def test_an_organisation_that_is_registered_for_all_roles_is_found() -> None:
    policy = Draft(()).policy()
    assert named_caller(policy, "clerk+bank", "loan", [Basis.SELF]) == CallerClass(
        frozenset({"bank", "clerk"}), "first", "loan", frozenset({Basis.SELF})
    )
    assert named_caller(policy, "clerk@bureau", None, ()).organisation == "bureau"


def test_a_consent_is_to_all_that_is_not_sealed_unless_its_scope_is_given() -> None:
    policy = Draft(()).policy()
    consented = named_caller(policy, "bank", "loan", [Basis.CONSENT])
    assert consented.consent_scope == {"PUBLIC", "AUTHORISED", "RESTRICTED"}
    scope = frozenset({"Payment"})
    assert named_caller(policy, "bank", "loan", [Basis.CONSENT], scope).consent_scope == scope


def test_a_purpose_that_is_not_there_is_answered_with_a_near_one() -> None:
    with pytest.raises(PurposeRefused, match="did you mean `loan`"):
        named_caller(Draft(()).policy(), "bank", "laon", ())


POLICIES = st.lists(RULES, max_size=8).flatmap(
    lambda rules: st.sampled_from([Draft(tuple(rules)).policy(), Draft((*rules, OPEN_ROWS)).policy()])
)
CALLERS = st.builds(
    CallerClass,
    st.frozensets(st.sampled_from(sorted(ROLES)), min_size=1),
    st.just("first"),
    st.sampled_from([None, "credit", "loan"]),
    st.frozensets(st.sampled_from(list(Basis))),
    st.sampled_from([frozenset(), WHOLE_SCOPE, frozenset({"Penalty.person"})]),
)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ASKED = given(
    policy=POLICIES, caller=CALLERS, coordinate=st.sampled_from(sorted(TIERS)), act=st.sampled_from(list(Act))
)


@SLOW
@ASKED
def test_the_decision_is_the_tables(policy: Policy, caller: CallerClass, coordinate: str, act: Act) -> None:
    table = compile_table(policy, CELLS, caller, act=act)
    for one in explain(policy, CELLS, caller, coordinate, act=act):
        assert one.decision == table.at(one.agency, coordinate)


@SLOW
@ASKED
def test_the_runners_up_are_the_other_rules_that_match(
    policy: Policy, caller: CallerClass, coordinate: str, act: Act
) -> None:
    for one in explain(policy, CELLS, caller, coordinate, act=act):
        decided = coordinate.partition(".")[0] if one.by_rows else coordinate
        matching = {row.rule for row in policy.rows if matches(policy, row, caller, one.agency, decided, act)}
        assert {runner_up.rule for runner_up in one.runners_up} == matching - {one.decision.rule}


def matches(policy: Policy, row: Row, caller: CallerClass, agency: str, coordinate: str, act: Act) -> bool:  # noqa: PLR0913, PLR0917 - all that a rule's columns are about
    record, dot, _ = coordinate.partition(".")
    scope = caller.consent_scope
    consented = scope & {coordinate, str(TIERS[coordinate])} or (
        not dot and any(name.startswith(f"{record}.") for name in scope)
    )
    bases = {str(basis) for basis in caller.bases if basis is not Basis.CONSENT or consented} or {"none"}
    return (
        row.act is act
        and row.agency in policy.agencies.lineage(agency)
        and any(row.role in policy.roles.lineage(role) for role in caller.roles)
        and row.organisation in {"*", "banks", "first"}
        and row.purpose in {"*", *policy.purposes.lineage(caller.purpose or "")}
        and row.basis in {"-", *bases}
        and row.object in {"any", str(TIERS[coordinate]), coordinate, *({f"{record}.*"} if dot else ())}
    )


@SLOW
@ASKED
def test_what_would_help_does(policy: Policy, caller: CallerClass, coordinate: str, act: Act) -> None:
    def decided(policy: Policy, caller: CallerClass, agency: str) -> Decision:
        return replace(compile_table(policy, CELLS, caller, act=act).at(agency, coordinate), reason=None)

    for one in explain(policy, CELLS, caller, coordinate, act=act):
        for remedy in one.remedies:
            helped = replace(caller, purpose=remedy.purpose or caller.purpose)
            if remedy.basis:
                helped = replace(helped, bases=caller.bases | {remedy.basis})
            if remedy.basis is Basis.CONSENT:
                helped = replace(helped, consent_scope=WHOLE_SCOPE)
            assert decided(policy, helped, one.agency) == replace(remedy.gives, reason=None)
            assert width(remedy.gives) > width(one.decision)
        if one.denial:
            rest = replace(policy, rows=tuple(row for row in policy.rows if row.rule not in one.denial.rules))
            assert decided(rest, caller, one.agency) == replace(one.denial.gives, reason=None)
            assert not any(row.rule == one.denial.gives.rule and row.effect is RuleEffect.DENY for row in policy.rows)


@SLOW
@ASKED
def test_a_rule_that_nearly_matches_would_give_more(
    policy: Policy, caller: CallerClass, coordinate: str, act: Act
) -> None:
    for one in explain(policy, CELLS, caller, coordinate, act=act):
        assert len(one.near_misses) <= MOST_NEAR_MISSES
        decided = coordinate.partition(".")[0] if one.by_rows else coordinate
        for miss in one.near_misses:
            assert width(miss.gives) > width(one.decision)
            rows = [row for row in policy.rows if (row.rule, row.object) == (miss.rule, miss.thing)]
            assert any(
                matches(policy, had(row, miss, caller, one.agency), caller, one.agency, decided, act)
                and not matches(policy, row, caller, one.agency, decided, act)
                for row in rows
            )


def had(row: Row, miss: NearMiss, caller: CallerClass, agency: str) -> Row:
    """The row with what the caller has in the column by which it does not match."""
    own: dict[Dimension, Any] = {
        Dimension.AGENCY: agency,
        Dimension.ROLE: min(caller.roles),
        Dimension.ORGANISATION: "first",
        Dimension.PURPOSE: "*",
        Dimension.BASIS: "-",
    }
    return replace(row, **{str(miss.dimension): own[miss.dimension]})
