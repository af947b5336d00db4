"""What `diff` tells of a change, against every decision that casbin makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import islice, product
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policies.analysis.blocks import Change
from policies.analysis.diff import diff
from policies.analysis.direction import Direction
from policies.analysis.organisations import Aspect, OrganisationChange
from policies.decision import Basis, Decision, Effect
from policies.policy import NO_BASIS, Act, Organisation, Policy, RuleEffect
from policies.rule import Rule
from tests.policies.analysis.support import CELLS, OPEN_ROWS, ORGANISATIONS, PURPOSES, ROLES, Brute, Draft, changes

CLEAR, WITHHELD = Decision(Effect.CLEAR), Decision(Effect.WITHHELD)
NOBODY_NAMED = "nobody-named"
"""An organisation that no rule names."""


def rule(name: str, *objects: str, **columns: Any) -> Rule:
    return replace(OPEN_ROWS, id=name, objects=objects, **{"acts": (Act.READ,), **columns})


def changed(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> tuple[Change, ...]:
    found = diff(Draft((OPEN_ROWS, *before)).policy(), Draft((OPEN_ROWS, *after)).policy(), CELLS)
    return found.changes


def test_a_rule_of_its_own_is_one_block() -> None:
    opened = rule("new", "Payment.paid", roles=("bank",), purposes=("credit",), bases=("consent",))
    assert changed((), (opened,)) == (
        Change(
            direction=Direction.WIDER,
            before=WITHHELD,
            after=CLEAR,
            act=Act.READ,
            agencies=frozenset({"tax"}),
            coordinates=frozenset({"Payment.paid"}),
            roles=frozenset({("bank",), ("officer",)}),
            organisations=frozenset({None}),
            purposes=frozenset({"credit", "loan"}),
            bases=frozenset({("consent",)}),
        ),
    )


def test_what_opens_data_stands_first() -> None:
    before = (
        rule("closes", "Payment.paid"),
        rule("other", "Penalty.person", mask="partial"),
    )
    after = (rule("opens", "Penalty.informant"), rule("other", "Penalty.person", mask="last4"))
    directions = [change.direction for change in changed(before, after)]
    assert directions == [Direction.WIDER, Direction.OTHER, Direction.NARROWER]


def test_expired_records_are_told_apart() -> None:
    opened = rule("new", "Payment.paid", acts=(Act.READ_EXPIRED,))
    assert {change.act for change in changed((), (opened,))} == {Act.READ_EXPIRED}


def test_a_rule_at_one_organisation_names_it() -> None:
    opened = rule("new", "Payment.paid", organisations=("first",))
    assert {change.organisations for change in changed((), (opened,))} == {frozenset({"first"})}


def test_a_change_that_only_two_roles_together_see_names_both() -> None:
    """The clerk is shown it and the officer denied it. Without the deny, who is both sees it, each alone as before."""
    shown = rule("shown", "Payment.paid", roles=("clerk",))
    denied = rule("denied", "Payment.paid", effect=RuleEffect.DENY, roles=("officer",))
    (block,) = changed((shown, denied), (shown,))
    assert block.roles == {("clerk", "officer")}
    assert (block.before, block.after) == (WITHHELD, CLEAR)


def test_equal_policies_differ_in_nothing() -> None:
    policy = Draft((OPEN_ROWS, rule("one", "Payment.paid"))).policy()
    found = diff(policy, policy, CELLS)
    assert (found.changes, found.organisations, found.widened) == ((), (), frozenset())


def test_the_agencies_that_are_opened_wider_are_named() -> None:
    before = Draft((OPEN_ROWS,)).policy()
    after = Draft((OPEN_ROWS, rule("new", "Penalty.person", agencies=("market",)))).policy()
    assert diff(before, after, CELLS).widened == {"zhejiang"}
    assert diff(after, before, CELLS).widened == frozenset()


def test_organisations_registered_otherwise_are_named_with_what_they_gain_and_lose() -> None:
    first, bureau = ORGANISATIONS["first"], ORGANISATIONS["bureau"]
    late = Organisation("late", "", "", "banks", None, frozenset({"bank"}), frozenset({"credit"}))
    others = {
        "banks": ORGANISATIONS["banks"],
        "first": first._replace(purposes=frozenset({"loan", "supervision"}), parent="any"),
        "bureau": bureau._replace(roles=frozenset({"clerk", "bank"}), division="3301"),
        "late": late,
    }
    before, after = Draft((OPEN_ROWS,)), Draft((OPEN_ROWS,), organisations=others)
    nothing: frozenset[str] = frozenset()
    assert diff(before.policy(), after.policy(), CELLS).organisations == (
        OrganisationChange("bureau", Aspect.ROLES, frozenset({"bank"}), frozenset({"officer"})),
        OrganisationChange("bureau", Aspect.DIVISION, frozenset({"3301"}), frozenset({"33"})),
        OrganisationChange("first", Aspect.PURPOSES, frozenset({"supervision"}), frozenset({"credit"})),
        OrganisationChange("first", Aspect.PARENT, frozenset({"any"}), frozenset({"banks"})),
        OrganisationChange("late", Aspect.ORGANISATION, frozenset({"late"}), nothing),
        OrganisationChange("late", Aspect.ROLES, frozenset({"bank"}), nothing),
        OrganisationChange("late", Aspect.PURPOSES, frozenset({"credit", "loan"}), nothing),
        OrganisationChange("late", Aspect.PARENT, frozenset({"banks"}), nothing),
    )


def holding_every_role(draft: Draft) -> Policy:
    """The policy, with its organisations (and one that no rule names) registered for all roles."""
    stranger = Organisation(NOBODY_NAMED, "", "", "any", None, frozenset(), frozenset())
    known = {**draft.organisations, NOBODY_NAMED: stranger}
    return replace(
        draft, organisations={name: one._replace(roles=frozenset(ROLES)) for name, one in known.items()}
    ).policy()


class Both:
    """Effect and mask of every decision, before and after."""

    def __init__(self, before: Policy, after: Policy) -> None:
        self._sides = cache(lambda name, act: (Brute(before, name, act), Brute(after, name, act)))
        self.at = cache(self._at)

    def _at(
        self, act: Act, organisation: str, roles: frozenset[str], purpose: str | None, bases: frozenset[Basis]
    ) -> dict[tuple[str, str], tuple[Decision, Decision]]:
        then, now = (side.decisions(roles, purpose, bases) for side in self._sides(organisation, act))
        return {cell: (bare(then[cell]), bare(now[cell])) for cell in now}


def bare(decision: Decision) -> Decision:
    return Decision(decision.effect, decision.mask)


def holding(bases: tuple[str, ...]) -> frozenset[Basis]:
    return frozenset(Basis(basis) for basis in bases if basis != NO_BASIS)


def places(block: Change) -> Iterator[tuple[str, frozenset[str], str | None, frozenset[Basis]]]:
    for organisation, roles, purpose, bases in product(block.organisations, block.roles, block.purposes, block.bases):
        yield organisation or NOBODY_NAMED, frozenset(roles), purpose, holding(bases)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    drafts=changes(),
    act=st.sampled_from(list(Act)),
    organisation=st.sampled_from(["first", "bureau", NOBODY_NAMED]),
)
def test_every_decision_that_changes_for_one_role_is_in_a_block(
    drafts: tuple[Draft, Draft], act: Act, organisation: str
) -> None:
    assume(all(organisation in (*draft.organisations, NOBODY_NAMED) for draft in drafts))
    before, after = (holding_every_role(draft) for draft in drafts)
    blocks, both = diff(before, after, CELLS).changes, Both(before, after)
    for role, purpose, basis in product(ROLES, (None, *PURPOSES), (NO_BASIS, *Basis)):
        near = [
            block
            for block in blocks
            if block.act is act
            and (organisation in block.organisations or None in block.organisations)
            and (role,) in block.roles
            and purpose in block.purposes
            and (basis,) in block.bases
        ]
        decisions = both.at(act, organisation, frozenset({role}), purpose, holding((basis,)))
        for (agency, coordinate), (then, now) in decisions.items():
            here = [block for block in near if agency in block.agencies and coordinate in block.coordinates]
            assert then == now or (then, now) in {(block.before, block.after) for block in here}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drafts=changes())
def test_every_cell_of_a_block_changes_as_it_says(drafts: tuple[Draft, Draft]) -> None:
    before, after = (holding_every_role(draft) for draft in drafts)
    both = Both(before, after)
    for block in diff(before, after, CELLS).changes:
        for organisation, roles, purpose, bases in islice(places(block), 60):
            decisions = both.at(block.act, organisation, roles, purpose, bases)
            for cell in product(block.agencies, block.coordinates):
                assert decisions[cell] == (block.before, block.after)


def test_who_comes_to_keep_an_agencys_rules_is_told() -> None:
    others = {**ORGANISATIONS, "bureau": ORGANISATIONS["bureau"]._replace(administers="tax")}
    before, after = Draft((OPEN_ROWS,)), Draft((OPEN_ROWS,), organisations=others)
    assert diff(before.policy(), after.policy(), CELLS).organisations == (
        OrganisationChange("bureau", Aspect.ADMINISTERS, frozenset({"tax"}), frozenset()),
    )
