"""A reader that loads one version after another says of each what one that never saw another says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.errors import Finding, PolicyInvalid
from policies.load import PolicyReader, load_policy, read_directory
from policies.policy import Policy
from schema.catalogue import Catalogue

AGENCIES = ("tax", "registry", "zhejiang")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 2, tzinfo=UTC)
RULE = "  - {{id: {}, allow: Penalty.amount, of: any, to: {}, for: any, given: any, note: x}}\n"
FILES = {
    "rules__nation": "rules:\n  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n",
    "rules__zhejiang": (
        "rules:\n  - {id: own, allow: Penalty.amount, of: zhejiang, to: clerk, at: first-bank, for: any, given: any,\n"
        "     from: 2027-01-01, note: x}\n"
    ),
}


def said(load: Callable[[Mapping[str, bytes]], Policy], files: Mapping[str, bytes]) -> Policy | tuple[Finding, ...]:
    try:
        return load(files)
    except PolicyInvalid as error:
        return tuple(error.findings)


def without(text: str, name: str) -> str:
    """The organisations but the one of this name."""
    before, _, rest = text.partition(f"  {name}:\n")
    lines = rest.splitlines(keepends=True)
    after = next((number for number, line in enumerate(lines) if not line.startswith("    ")), len(lines))
    return before + "".join(lines[after:])


@pytest.fixture
def files(write_policy: Callable[..., Path]) -> dict[str, bytes]:
    return dict(read_directory(write_policy(FILES["rules__nation"], rules__zhejiang=FILES["rules__zhejiang"])))


def changes(files: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    """Versions one after another, each with one thing changed."""
    nation, trees, organisations = files["rules/nation.yaml"], files["trees.yaml"], files["organisations.yaml"]
    return [
        dict(files),
        {**files, "rules/nation.yaml": nation + RULE.format("more", "bank").encode()},
        {**files, "rules/nation.yaml": nation + RULE.format("more", "bnak").encode()},
        {**files, "rules/nation.yaml": nation + RULE.format("own", "bank").encode()},
        {**files, "organisations.yaml": without(organisations.decode(), "first-bank").encode()},
        dict(files),
        {**files, "trees.yaml": trees.replace(b"  clerk: any\n", b"")},
        {**files, "trees.yaml": trees.replace(b"  clerk: any\n", b"  clerk: bank\n")},
        {name: content for name, content in files.items() if name != "rules/zhejiang.yaml"},
        {**files, "version.yaml": b"number: none\n"},
        dict(files),
    ]


def test_whatever_changed_a_reader_says_what_a_fresh_one_says(files: dict[str, bytes], catalogue: Catalogue) -> None:
    reader = PolicyReader(catalogue, AGENCIES)
    heard = [said(lambda given: reader.load(given, NOW), version) for version in changes(files)]
    assert heard == [
        said(lambda given: load_policy(given, catalogue, AGENCIES, now=NOW), version) for version in changes(files)
    ]
    assert [isinstance(one, Policy) for one in heard] == [
        True, True, False, False, False, True, False, True, True, False, True,
    ]  # fmt: skip


def test_the_same_files_later_are_what_their_dates_make_of_them(files: dict[str, bytes], catalogue: Catalogue) -> None:
    reader = PolicyReader(catalogue, AGENCIES)
    assert [row.rule for row in reader.load(files, NOW).rows] == ["public"]
    assert [row.rule for row in reader.load(files, LATER).rows] == ["own", "public"]
