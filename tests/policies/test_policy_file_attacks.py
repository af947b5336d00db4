"""What was tried against the loader, and must neither crash it nor open anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.errors import PolicyInvalid
from policies.load import load_policy, read_directory
from schema.records import catalogue

FILES = read_directory(Path(__file__).parents[2] / "policies")
AGENCIES = ("registry", "court", "tax", "customs", "environment", "zhejiang-penalties", "guangdong-penalties")
RULE = "id: x, allow: Penalty.amount, of: any, to: bank, for: credit, given: any, note: n"
CHAIN = "".join(f"  r{level}: r{level + 1}\n" for level in range(3_000)) + "  r3000: any\n"


@pytest.mark.parametrize(
    ("name", "before", "after", "code"),
    [
        ("rules/nation.yaml", "", f"\n  - {{{RULE}, masked: []}}\n", "NOT_A_TEXT"),
        ("rules/nation.yaml", "", f"\n  - {{{RULE}, masked: [bucket, redact]}}\n", "NOT_A_TEXT"),
        ("rules/nation.yaml", "", "\n  - " + "[" * 2_000 + "]" * 2_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "[" * 100_000 + "]" * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "{a: " * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "- " * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - ? " + "[" * 100_000 + "\n", "NOT_YAML"),
        ("version.yaml", "number: 1", "number: " + "1" * 5_000, "BAD_NUMBER"),
        ("trees.yaml", "roles:\n", f"roles:\n{CHAIN}", "TOO_DEEP"),
    ],
    ids=[
        "a mask of nothing",
        "two masks",
        "deep nesting",
        "endless lists",
        "endless mappings",
        "endless dashes",
        "endless keys",
        "an endless number",
        "an endless chain",
    ],
)
def test_it_is_a_finding(name: str, before: str, after: str, code: str) -> None:
    text = FILES[name].decode()
    changed = text.replace(before, after, 1) if before else text + after
    with pytest.raises(PolicyInvalid) as caught:
        load_policy({**FILES, name: changed.encode()}, catalogue(), AGENCIES)
    assert code in {finding.code for finding in caught.value.findings}
    assert all(len(finding.message) < 500 for finding in caught.value.findings)


def test_a_rule_until_the_last_day_of_the_calendar_holds_for_ever() -> None:
    files = {
        **FILES,
        "rules/nation.yaml": FILES["rules/nation.yaml"] + f"\n  - {{{RULE}, until: 9999-12-31}}\n".encode(),
    }
    policy = load_policy(files, catalogue(), AGENCIES)
    assert policy.next_change is None
    assert any(row.rule == "x" for row in policy.rows)
