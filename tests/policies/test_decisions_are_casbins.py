"""Every cell of a table is what casbin says over the whole policy, combined by the semantics written out naively."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compile import compile_table, compile_tables, openable
from policies.decision import Basis, CallerClass, Decision, Effect
from policies.policy import Act, Organisation, Policy, RuleEffect
from policies.rule import Rule, publish
from policies.tree import Tree
from schema.catalogue import Tier
from tests.policies.naive import Naive

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
CELLS = {agency: frozenset(TIERS) for agency in ("tax", "zhejiang")}

Cells = Mapping[str, frozenset[str]]
CHANCE = st.randoms(use_true_random=True)
"""Rules are left to chance: hypothesis, choosing every part of them, is slow and repeats itself."""


def column(chance: Random, *names: str) -> tuple[str, ...]:
    """What a rule says in one column. In half the rules it is `any`: else hardly any two would speak of one case."""
    number = chance.choices([0, 1, 2], weights=[50, 40, 10])[0]
    return tuple(chance.sample(names, number)) or ("any",)


def a_rule(chance: Random, things: list[str]) -> Rule:
    effect = chance.choice([RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.ALLOW, RuleEffect.DENY])
    mask = chance.choice([None, None, "redact", "partial", "last4"])
    return Rule(
        id=chance.choice("abcdefgh"),
        effect=effect,
        objects=tuple(chance.sample(things, chance.choice([1, 1, 1, 2, 3]))),
        agencies=column(chance, "nation", "tax", "market", "zhejiang"),
        roles=column(chance, "bank", "bank.officer", "clerk"),
        organisations=column(chance, "banks", "first-bank", "bureau"),
        purposes=column(chance, "credit", "credit.underwriting", "supervision"),
        bases=column(chance, "none", "consent", "jurisdiction", "self"),
        acts=chance.choice([(Act.READ,), (Act.READ_EXPIRED,), (Act.READ, Act.READ_EXPIRED)]),
        mask=mask if effect is RuleEffect.ALLOW else None,
        starts=None,
        ends=None,
        note="",
    )


def named(coordinates: Collection[str]) -> list[str]:
    """What rules and consents may name these coordinates by, and the types that others are of."""
    tiers = {str(TIERS[one]) for one in coordinates}
    return sorted({*coordinates, *tiers, "any", "Penalty.*", "Payment.*"} - {"Penalty.objection"})


def some_rules(chance: Random, most: int, coordinates: Collection[str] = TIERS) -> list[Rule]:
    things = named(coordinates)
    return [a_rule(chance, things) for _ in range(chance.randint(1, most))]


def a_caller(chance: Random, coordinates: Collection[str] = TIERS) -> CallerClass:
    return CallerClass(
        roles=frozenset(chance.choice([["bank"], ["bank.officer"], ["clerk"], ["bank.officer", "clerk"]])),
        organisation=chance.choice(["first-bank", "bureau"]),
        purpose=chance.choice([None, "credit", "credit.underwriting", "supervision"]),
        bases=frozenset(basis for basis in Basis if chance.random() < 0.5),
        consent_scope=frozenset(chance.sample(named(coordinates), chance.randint(0, 2))),
    )


def some_coordinates(chance: Random, fields: int) -> list[str]:
    """The records of one type, and some of their fields."""
    record = chance.choice(["Penalty", "Payment"])
    return [record, *chance.sample([name for name in TIERS if name.startswith(f"{record}.")], fields)]


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


@settings(max_examples=700, deadline=None)
@given(chance=CHANCE)
def test_every_cell_is_what_casbin_says_over_the_whole_policy(chance: Random) -> None:
    coordinates = some_coordinates(chance, fields=2)
    cells = dict.fromkeys(CELLS, frozenset(coordinates))
    policy = policy_of(some_rules(chance, 6, coordinates))
    naive, caller = Naive(policy), a_caller(chance, coordinates)
    table = compile_tables(policy, cells, caller)
    for agency, name in product(cells, coordinates):
        for act, found in ((Act.READ, table.at(agency, name)), (Act.READ_EXPIRED, table.at_expired(agency, name))):
            assert shown(found) == naive.decision(caller, agency, name, act), (act, name)


@settings(max_examples=200, deadline=None)
@given(chance=CHANCE)
def test_every_reason_is_the_first_thing_that_would_show_more(chance: Random) -> None:
    coordinates = some_coordinates(chance, fields=1)
    cells = {chance.choice(list(CELLS)): frozenset(coordinates)}
    policy = policy_of(some_rules(chance, 5, coordinates))
    naive, caller = Naive(policy), a_caller(chance, coordinates)
    for act in Act:
        for agency, row in compile_table(policy, cells, caller, act=act).cells.items():
            for name, decision in row.items():
                assert decision.reason is naive.reason(caller, agency, name, act), (act, name)


@settings(max_examples=30, deadline=None)
@given(chance=CHANCE)
def test_what_a_caller_gets_to_see_is_openable_to_it(chance: Random) -> None:
    policy, caller = policy_of(some_rules(chance, 10)), a_caller(chance)
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
@given(chance=CHANCE)
def test_a_further_deny_never_shows_more(chance: Random) -> None:
    rules, caller = some_rules(chance, 10), a_caller(chance)
    deny = replace(some_rules(chance, 1)[0], id="zz", effect=RuleEffect.DENY, mask=None)
    before = compile_table(policy_of(rules), CELLS, caller)
    after = compile_table(policy_of([*rules, deny]), CELLS, caller)
    for agency, row in after.cells.items():
        for name, decision in row.items():
            assert decision.effect is Effect.WITHHELD or shown(decision) == shown(before.at(agency, name))


def shown(decision: Decision) -> tuple[Effect, str | None]:
    return decision.effect, decision.mask
