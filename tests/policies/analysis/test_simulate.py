"""What a changed policy would have done to recorded requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.analysis.direction import Direction, direction
from policies.analysis.replay import Hindrance
from policies.analysis.shapes import Decided, Gathering
from policies.analysis.simulate import Simulation, simulate
from policies.decision import Basis, CallerClass, Decision, Effect
from policies.policy import Act, Policy

Cells = Mapping[str, frozenset[str]]
PolicyOf = Callable[..., Policy]

AT = dt.datetime(2026, 11, 1, 9, 0, tzinfo=dt.UTC)
OFFICER = CallerClass(frozenset({"bank.officer"}), "first-bank", "credit.underwriting")
CONSENTED = CallerClass(
    OFFICER.roles, OFFICER.organisation, OFFICER.purpose, frozenset({Basis.CONSENT}), frozenset({"AUTHORISED"})
)
INSPECTOR = CallerClass(frozenset({"inspector"}), "bureau", "supervision", frozenset({Basis.JURISDICTION}))
PENALTIES = frozenset({("zhejiang", "Penalty"), ("zhejiang", "Penalty.amount"), ("zhejiang", "Penalty.person")})
PAYMENTS = frozenset({("tax", "TaxPayment"), ("tax", "TaxPayment.revenue")})
PUBLIC = "  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n"
AMOUNT = "  - {id: amount, %s: Penalty.amount, of: any, to: %s, for: any, given: any, note: x}\n"


def gathered(*requests: tuple[Mapping[CallerClass, frozenset[tuple[str, str]]], int], companies: int = 2) -> Any:
    """The shapes of requests, each with how often it was made; what was decided is nonsense."""
    gathering = Gathering()
    for asked, times in requests:
        for minute in range(times):
            decided = [
                Decided(caller, frozenset((agency, Act.READ, name, "gone") for agency, name in coordinates), companies)
                for caller, coordinates in asked.items()
            ]
            gathering.add(AT + dt.timedelta(minutes=minute), decided)
    return gathering.evidence().shapes


def told(simulation: Simulation) -> list[tuple[str, str, str, int, int]]:
    return [
        (one.caller.organisation, one.cell[2], str(one.direction), one.requests, one.companies)
        for one in simulation.changes
    ]


SEEN = {
    "withheld": Decision(Effect.WITHHELD, rule="a"),
    "redacted": Decision(Effect.MASKED, "redact"),
    "last4": Decision(Effect.MASKED, "last4"),
    "partial": Decision(Effect.MASKED, "partial"),
    "clear": Decision(Effect.CLEAR),
}


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("withheld", "redacted", Direction.WIDER),
        ("redacted", "last4", Direction.WIDER),
        ("last4", "clear", Direction.WIDER),
        ("clear", "partial", Direction.NARROWER),
        ("clear", "withheld", Direction.NARROWER),
        ("last4", "partial", Direction.OTHER),
        ("last4", "last4", Direction.SAME),
    ],
)
def test_a_decision_goes_one_of_four_ways(before: str, after: str, way: Direction) -> None:
    assert direction(SEEN[before], SEEN[after]) is way


def test_neither_the_rule_nor_the_reason_makes_a_decision_another() -> None:
    assert direction(Decision(Effect.CLEAR, rule="a"), Decision(Effect.CLEAR, rule="b")) is Direction.SAME


def test_who_would_see_more_or_less_of_what_is_told_widening_first(policy_of: PolicyOf, cells: Cells) -> None:
    before = policy_of("rules:\n" + PUBLIC)
    after = policy_of(
        "rules:\n" + PUBLIC + AMOUNT % ("deny", "bank")
        + "  - {id: person, allow: Penalty.person, of: any, to: inspector, for: any, given: any, note: x}\n"
    )  # fmt: skip
    shapes = gathered(({OFFICER: PENALTIES}, 3), ({INSPECTOR: PENALTIES}, 2))
    simulation = simulate(before, after, cells, shapes)
    assert told(simulation) == [
        ("bureau", "Penalty.person", "WIDER", 2, 4),
        ("first-bank", "Penalty.amount", "NARROWER", 3, 6),
    ]
    assert [(one.before.mask, one.after.effect) for one in simulation.changes[:1]] == [("partial", Effect.CLEAR)]
    assert (simulation.requests, simulation.changed, simulation.unreplayable) == (5, 5, 0)


def test_what_nobody_asked_for_changes_nothing(policy_of: PolicyOf, cells: Cells) -> None:
    before, after = (policy_of("rules:\n" + PUBLIC + more) for more in ("", AMOUNT % ("deny", "bank")))
    shapes = gathered(({OFFICER: frozenset({("zhejiang", "Penalty")})}, 1), ({INSPECTOR: PENALTIES}, 1))
    simulation = simulate(before, after, cells, shapes)
    assert (simulation.changes, simulation.requests, simulation.changed) == ((), 2, 0)


def test_a_request_about_companies_on_several_bases_counts_once(policy_of: PolicyOf, cells: Cells) -> None:
    before, after = (policy_of("rules:\n" + PUBLIC + more) for more in ("", AMOUNT % ("deny", "bank")))
    simulation = simulate(before, after, cells, gathered(({OFFICER: PENALTIES, CONSENTED: PENALTIES}, 4)))
    assert (simulation.requests, simulation.changed, len(simulation.changes)) == (4, 4, 2)


def test_a_rule_on_expired_records_widens_requests_that_could_not_see_them(policy_of: PolicyOf, cells: Cells) -> None:
    expired = "  - {id: old, allow: Penalty, of: any, to: bank, for: any, given: any, act: read_expired, note: x}\n"
    before, after = (policy_of("rules:\n" + PUBLIC + more) for more in ("", expired))
    simulation = simulate(before, after, cells, gathered(({OFFICER: PENALTIES}, 1)))
    assert [(one.cell, one.direction) for one in simulation.changes] == [
        (("zhejiang", Act.READ_EXPIRED, "Penalty"), Direction.WIDER)
    ]


ORGANISATIONS = """\
organisations:
  first-bank: {name: F, name_zh: 行, roles: [%s], purposes: [%s]}
  bureau: {name: B, name_zh: 局, division: "%s", roles: [inspector], purposes: [supervision]}
"""


@pytest.mark.parametrize(
    ("organisations", "hindrance"),
    [
        (ORGANISATIONS.replace("first-bank", "second-bank") % ("clerk", "credit", 33), "ORGANISATION_UNKNOWN"),
        (ORGANISATIONS % ("clerk", "credit", 33), "ROLE_NOT_REGISTERED"),
        (ORGANISATIONS % ("bank.officer", "supervision", 33), "PURPOSE_REFUSED"),
    ],
)
def test_requests_that_are_refused_from_then_on_or_until_then_are_told_apart(
    policy_of: PolicyOf, cells: Cells, organisations: str, hindrance: str
) -> None:
    usual = policy_of("rules:\n" + PUBLIC)
    other = policy_of("rules:\n" + PUBLIC, organisations=organisations)
    shapes = gathered(({OFFICER: PENALTIES}, 3), ({INSPECTOR: PENALTIES}, 1))
    for before, after, way in ((usual, other, "NARROWER"), (other, usual, "WIDER"), (other, other, "SAME")):
        simulation = simulate(before, after, cells, shapes)
        (refused,) = simulation.unreplayed
        assert (refused.organisation, refused.hindrance, refused.direction) == ("first-bank", hindrance, way)
        assert (refused.requests, refused.companies) == (3, 6)
        assert (simulation.requests, simulation.unreplayable, simulation.changes) == (1, 3, ())


def test_requests_whose_bases_the_record_cannot_tell_are_not_replayed(policy_of: PolicyOf, cells: Cells) -> None:
    before, after = (
        policy_of("rules:\n" + PUBLIC, organisations=ORGANISATIONS % ("bank.officer", "credit", division))
        for division in (33, 44)
    )
    simulation = simulate(before, after, cells, gathered(({OFFICER: PENALTIES}, 1), ({INSPECTOR: PENALTIES}, 1)))
    (unsure,) = simulation.unreplayed
    assert (unsure.organisation, unsure.hindrance) == ("bureau", Hindrance.BASES_UNSURE)
    assert unsure.direction is Direction.OTHER


def test_what_no_agency_supplies_any_more_is_left_out(policy_of: PolicyOf, cells: Cells) -> None:
    before, after = (policy_of("rules:\n" + PUBLIC + more) for more in ("", AMOUNT % ("deny", "bank")))
    supplied = {**cells, "zhejiang": frozenset({"Penalty"})}
    simulation = simulate(before, after, supplied, gathered(({OFFICER: PENALTIES}, 1)))
    assert (simulation.changes, simulation.requests) == ((), 1)


CALLERS = st.sampled_from([OFFICER, CONSENTED, INSPECTOR])
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "effect": st.sampled_from(["allow", "allow", "deny"]),
            "what": st.sampled_from(["PUBLIC", "AUTHORISED", "Penalty", "Penalty.amount", "TaxPayment.revenue", "any"]),
            "to": st.sampled_from(["any", "bank", "inspector"]),
            "given": st.sampled_from(["any", "consent", "none"]),
        }
    ),
    max_size=4,
    unique_by=lambda rule: tuple(sorted(rule.items())),
)


def written(rules: list[dict[str, str]]) -> str:
    opened = "  - {id: rows, allow: [Penalty, TaxPayment], of: any, to: any, for: supervision, given: self, note: x}\n"
    return f"rules:\n{opened}" + "".join(
        f"  - {{id: r{number}, {rule['effect']}: {rule['what']}, of: any, to: {rule['to']}, for: any, "
        f"given: {rule['given']}, note: x}}\n"
        for number, rule in enumerate(rules)
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    RULES, RULES, st.lists(st.tuples(CALLERS, st.sampled_from([PENALTIES, PAYMENTS, PENALTIES | PAYMENTS])), max_size=4)
)
def test_a_policy_against_itself_changes_nothing_and_the_way_back_is_the_way_there_reversed(
    policy_of: PolicyOf,
    cells: Cells,
    first: list[dict[str, str]],
    second: list[dict[str, str]],
    asked: list[tuple[CallerClass, frozenset[tuple[str, str]]]],
) -> None:
    before, after = policy_of(written(first)), policy_of(written(second))
    shapes = gathered(*(({caller: coordinates}, 1) for caller, coordinates in asked))
    same = simulate(before, before, cells, shapes)
    assert (same.changes, same.changed, same.requests) == ((), 0, len(asked))
    there, back = simulate(before, after, cells, shapes), simulate(after, before, cells, shapes)
    turned = {
        Direction.WIDER: Direction.NARROWER,
        Direction.NARROWER: Direction.WIDER,
        Direction.OTHER: Direction.OTHER,
    }
    assert {(one.caller, one.cell, one.direction) for one in there.changes} == {
        (one.caller, one.cell, turned[one.direction]) for one in back.changes
    }
    assert there.changed == back.changed
