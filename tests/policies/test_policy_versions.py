"""A policy's version, its scheduled changes, and who may ask for which purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.errors import PurposeRefused
from policies.load import load_policy, read_directory
from policies.policy import Policy
from schema.catalogue import Catalogue

PUBLIC = "rules:\n  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n"
SCHEDULED = """\
rules:
  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}
  - {id: later, allow: Penalty.person, of: any, to: bank, for: any, given: any, from: 2027-01-01, note: x}
  - {id: ending, deny: Penalty.facts, of: any, to: bank, for: any, given: any, until: 2026-12-31, note: x}
"""

PolicyOf = Callable[..., Policy]


def test_a_version_is_its_number_and_a_digest(policy_of: PolicyOf) -> None:
    policy = policy_of(PUBLIC)
    number, digest = policy.version.split("-")
    assert number == "7"
    assert len(bytes.fromhex(digest)) == 6
    assert (policy.published_by, policy.why) == ("tests", "to test")


def test_comments_and_layout_leave_the_version_as_it_is(policy_of: PolicyOf) -> None:
    text = PUBLIC.replace("{", "{ ").replace("rules:", "# more\nrules:")
    assert policy_of(text).version == policy_of(PUBLIC).version


def test_the_order_of_rules_leaves_the_version_as_it_is(policy_of: PolicyOf) -> None:
    head, *rules = SCHEDULED.splitlines(keepends=True)
    assert policy_of(head + "".join(reversed(rules))).version == policy_of(SCHEDULED).version


def test_the_order_of_names_leaves_the_version_as_it_is(policy_of: PolicyOf) -> None:
    trees = {"roles": ["bank.officer", "clerk", "inspector"], "purposes": ["credit", "supervision"]}
    trees["agencies"] = ["tax", "registry", "zhejiang"]

    def written(order: slice) -> str:
        return "".join(
            f"{tree}: {{{', '.join(f'{name}: any' for name in names[order])}}}\n" for tree, names in trees.items()
        )

    forwards, backwards = (policy_of(PUBLIC, trees=written(slice(None, None, step))) for step in (1, -1))
    assert forwards.version == backwards.version


@pytest.mark.parametrize(
    ("old", "new"), [("PUBLIC", "RESTRICTED"), ("to: any", "to: bank"), ("id: public", "id: other")]
)
def test_whatever_decides_changes_the_version(policy_of: PolicyOf, old: str, new: str) -> None:
    assert policy_of(PUBLIC.replace(old, new)).version != policy_of(PUBLIC).version


def test_a_rule_whose_time_comes_makes_another_version(write_policy: Callable[..., Path], catalogue: Catalogue) -> None:
    directory = write_policy(SCHEDULED)
    before = load_policy(read_directory(directory), catalogue, (), now=datetime(2026, 12, 1, tzinfo=UTC))
    assert [row.rule for row in before.rows] == ["ending", "public"]
    assert before.next_change == datetime(2026, 12, 31, 16, tzinfo=UTC)
    after = load_policy(read_directory(directory), catalogue, (), now=before.next_change)
    assert [row.rule for row in after.rows] == ["later", "public"]
    assert after.next_change is None
    assert after.version != before.version
    just_before = before.next_change - timedelta(seconds=1)
    assert load_policy(read_directory(directory), catalogue, (), now=just_before).version == before.version


def test_a_policy_cannot_be_changed(policy_of: PolicyOf) -> None:
    policy = policy_of(PUBLIC)
    with pytest.raises(FrozenInstanceError):
        policy.rows = ()  # type: ignore[misc]


def test_a_registered_purpose_covers_those_below_it(policy_of: PolicyOf) -> None:
    policy = policy_of(PUBLIC)
    assert policy.purposes_of("first-bank") == {"credit", "credit.underwriting"}
    policy.check_purpose("first-bank", "credit.underwriting")
    assert not policy.covers_purpose("first-bank", "supervision")
    assert not policy.covers_purpose("nobody", "credit")
    assert policy.purposes_of("nobody") == frozenset()


def test_an_unknown_purpose_is_refused_with_the_near_name(policy_of: PolicyOf) -> None:
    with pytest.raises(PurposeRefused, match=r"unknown purpose `credit.underwritting`; did you mean `credit.underw"):
        policy_of(PUBLIC).check_purpose("first-bank", "credit.underwritting")


@pytest.mark.parametrize("purpose", ["any", "*", "", "-"])
def test_no_sign_for_all_is_a_purpose(policy_of: PolicyOf, purpose: str) -> None:
    with pytest.raises(PurposeRefused, match="unknown purpose"):
        policy_of(PUBLIC).check_purpose("first-bank", purpose)


def test_a_purpose_that_is_not_registered_is_refused_with_those_that_are(policy_of: PolicyOf) -> None:
    message = "`bureau` is not registered for the purpose `credit` (registered: supervision)"
    with pytest.raises(PurposeRefused, match=re.escape(message)):
        policy_of(PUBLIC).check_purpose("bureau", "credit")
