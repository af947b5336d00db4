"""What casbin does that would open fields or lose rules, and how rules get past it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import policies
from policies.enforce import Decider, Links, Request, check_distribution, field_match
from policies.errors import CasbinConflictError
from policies.policy import Act, Row, RuleEffect
from policies.rule import Rule, publish
from policies.tree import MAX_LEVELS

NO_LINKS = Links((), (), (), (), ())
REQUEST = Request("bank", "first-bank", "tax", "Penalty.amount", Act.READ, "credit", "none")
RULE = Rule(
    "m",
    RuleEffect.ALLOW,
    ("Penalty.amount",),
    ("tax",),
    ("bank",),
    ("any",),
    ("any",),
    ("any",),
    (Act.READ,),
    None,
    None,
    None,
    "",
)
ROW = publish([RULE])[0]


def deciding(rows: list[Row], links: Links = NO_LINKS, request: Request = REQUEST) -> str | None:
    row = Decider(links).decide(rows, request)
    return row.rule if row else None


def test_priorities_decide_and_not_the_order_in_which_rows_are_added() -> None:
    rows = [replace(ROW, priority=priority, rule=str(priority)) for priority in (11, 9, 10, 100)]
    assert deciding(rows) == "9"


def test_denies_come_before_clear_grants_and_these_before_masked_ones_each_by_id() -> None:
    rules = [
        replace(RULE, id="a", mask="bucket"),
        replace(RULE, id="c"),
        replace(RULE, id="b"),
        replace(RULE, id="z", effect=RuleEffect.DENY),
    ]
    rows = publish(rules)
    assert [row.rule for row in rows] == ["z", "b", "c", "a"]
    assert [row.priority for row in rows] == [1, 2, 3, 4]
    assert rows == publish(reversed(rules))


def test_every_row_of_a_rule_with_lists_has_a_priority_of_its_own() -> None:
    rows = publish([replace(RULE, roles=("bank", "clerk"), objects=("A", "B", "C")), replace(RULE, id="n")])
    assert [row.priority for row in rows] == list(range(1, 8))


def test_any_is_written_as_what_casbin_matches_in_each_column() -> None:
    everything = ("any",)
    rule = replace(RULE, agencies=everything, roles=everything, organisations=everything, objects=everything)
    (row,) = publish([replace(rule, purposes=everything, bases=everything)])
    assert (row.agency, row.role, row.organisation, row.object, row.purpose, row.basis) == (
        "any",
        "any",
        "*",
        "any",
        "*",
        "-",
    )
    assert deciding([row]) is None
    links = Links([("bank", "any")], [("Penalty.amount", "PUBLIC"), ("PUBLIC", "any")], (), (), [("tax", "any")])
    assert deciding([row], links) == "m"


@pytest.mark.parametrize("effect", ["Allow", "ALLOW", "permit"])
def test_an_effect_spelt_otherwise_cannot_be_published(effect: str) -> None:
    with pytest.raises(ValueError, match=effect):
        RuleEffect(effect)


@pytest.mark.parametrize(
    ("coordinate", "pattern", "matches"),
    [
        ("Penalty.amount", "Penalty.*", True),
        ("Penalty", "Penalty.*", False),
        ("PenaltyNotice.amount", "Penalty.*", False),
        ("Penalty.amount", "Penalty*", False),
        ("Penalty.amount", "*", False),
        ("Penalty.amount", ".*", False),
        ("Penalty.amount", "*.amount", False),
        ("Penalty.amount", "Penalty.am*", False),
        ("Penalty.amount", "Penalty.amount", False),
    ],
)
def test_only_type_dot_star_is_a_pattern(coordinate: str, pattern: str, matches: bool) -> None:  # noqa: FBT001
    assert field_match(coordinate, pattern) is matches


def test_the_model_evaluates_nothing_that_stands_in_a_rule() -> None:
    assert "eval(" not in (Path(policies.__file__).parent / "model.conf").read_text("utf-8")
    assert deciding([replace(ROW, object="eval(True)"), replace(ROW, priority=2, rule="n", basis="r.basis")]) is None


def test_casbin_follows_as_many_levels_as_the_loader_allows_and_no_more() -> None:
    chain = [f"r{level}" for level in range(MAX_LEVELS + 1)]
    links = Links(list(pairwise(chain)), (), (), (), ())
    request = replace(REQUEST, role="r0")
    assert deciding([replace(ROW, role=chain[MAX_LEVELS - 1])], links, request) == "m"
    assert deciding([replace(ROW, role=chain[MAX_LEVELS])], links, request) is None


def test_without_rows_nothing_is_allowed() -> None:
    assert deciding([]) is None


def test_a_purpose_that_was_not_given_matches_only_rules_for_any_purpose() -> None:
    request = replace(REQUEST, purpose="")
    links = Links((), (), (), [("credit", "any")], ())
    assert deciding([ROW], links, request) == "m"
    assert deciding([replace(ROW, purpose="credit")], links, request) is None


def test_the_abandoned_distribution_beside_pycasbin_is_refused(tmp_path: Path) -> None:
    check_distribution()
    (tmp_path / "casbin-1.43.0.dist-info").mkdir()
    (tmp_path / "casbin-1.43.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: casbin\nVersion: 1.43.0\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import policies.enforce"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(policies.__file__).parent.parent,
    )
    assert done.returncode == 1
    assert CasbinConflictError.__name__ in done.stderr
    assert "casbin 1.43.0" in done.stderr


def test_a_rule_holds_from_its_first_day_to_its_last_in_china() -> None:
    rule = replace(RULE, starts=date(2026, 4, 1), ends=date(2026, 4, 30))
    begins, over = rule.changes()
    assert begins == datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert over == datetime(2026, 4, 30, 16, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    assert [rule.active(now) for now in (begins - instant, begins, over - instant, over)] == [False, True, True, False]
