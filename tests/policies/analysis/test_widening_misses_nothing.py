"""`widens` against every class of caller, each decided by casbin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.analysis.widening import widens
from policies.compile import WHOLE_SCOPE
from policies.decision import WITHHELD, Basis, Decision, Effect
from policies.policy import Act
from tests.policies.analysis.support import CELLS, PURPOSES, ROLES, Brute, Decisions, Draft, changes

SCOPES = [
    WHOLE_SCOPE,
    *(frozenset({name}) for name in ("RESTRICTED", "Penalty", "Penalty.personId", "Payment.*")),
]
Item = TypeVar("Item")


def subsets(items: list[Item]) -> list[frozenset[Item]]:
    return [frozenset(some) for size in range(len(items) + 1) for some in combinations(items, size)]


def asked(
    side: Brute, roles: frozenset[str], purpose: str | None, bases: frozenset[Basis], scope: frozenset[str]
) -> Decisions:
    """The decisions; whoever may not ask for the purpose asks for none, for which no consent counts."""
    if purpose and not side.policy.covers_purpose(side.organisation, purpose):
        purpose, bases = None, bases - {Basis.CONSENT}
    return side.decisions(roles, purpose, bases, scope)


def shows_more(before: Decision, after: Decision) -> bool:
    if after.effect is Effect.WITHHELD or before.effect is Effect.CLEAR:
        return False
    if after.effect is Effect.CLEAR or before.effect is Effect.WITHHELD:
        return True
    return after.mask not in {"redact", before.mask}


def opened(before: Brute, after: Brute, purpose: str | None, *, moved: bool) -> Iterator[str]:
    for roles in subsets(sorted(ROLES)):
        for bases in subsets(list(Basis)):
            for scope in SCOPES if Basis.CONSENT in bases else SCOPES[:1]:
                now = asked(after, roles, purpose, bases, scope)
                for held in [bases, bases - {Basis.CONSENT}] if moved else [bases]:
                    then = asked(before, roles, purpose, held, scope)
                    for cell, decision in now.items():
                        if shows_more(then.get(cell, WITHHELD), decision):
                            yield cell[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    drafts=changes(),
    act=st.sampled_from([Act.READ, Act.READ, Act.READ_EXPIRED]),
    purpose=st.sampled_from([None, *sorted(PURPOSES)]),
    organisation=st.sampled_from(["first", "bureau", "late"]),
)
def test_whatever_opens_to_any_class_of_caller_is_named(
    drafts: tuple[Draft, Draft], act: Act, purpose: str | None, organisation: str
) -> None:
    before, after = drafts[0].policy(), drafts[1].policy()
    if purpose and not after.covers_purpose(organisation, purpose):
        purpose = None
    # A purpose that lies below another than before is covered by other consents.
    moved = bool(purpose) and bool(
        set(after.purposes.lineage(purpose or "")) - set(before.purposes.lineage(purpose or ""))
    )
    sides = (Brute(before, organisation, act), Brute(after, organisation, act))
    assert set(opened(*sides, purpose, moved=moved)) <= widens(before, after, CELLS)


@settings(max_examples=60, deadline=None)
@given(drafts=changes())
def test_a_policy_widens_nothing_against_itself(drafts: tuple[Draft, Draft]) -> None:
    policy = drafts[0].policy()
    assert widens(policy, policy, CELLS) == frozenset()
