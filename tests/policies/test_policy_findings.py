"""Every mistake in a policy directory is found before it is published, with its file and line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.errors import Finding, PolicyInvalid
from policies.load import load_policy, read_directory
from schema.catalogue import Catalogue

AGENCIES = ("tax", "registry", "zhejiang")

Check = Callable[..., list[Finding]]

RULE = {
    "id": "one",
    "allow": "PUBLIC",
    "of": "any",
    "to": "any",
    "for": "any",
    "given": "any",
    "note": "why",
}


def rules(*changes: dict[str, str | None]) -> str:
    """Rules in YAML: each the rule above with changes; None takes a line away."""
    text = "rules:\n"
    for change in changes:
        lines = [f"{key}: {value}" for key, value in (RULE | change).items() if value is not None]
        text += "  - " + "\n    ".join(lines) + "\n"
    return text


@pytest.fixture
def check(write_policy: Callable[..., Path], catalogue: Catalogue) -> Check:
    def findings(text: str, **files: str) -> list[Finding]:
        try:
            load_policy(read_directory(write_policy(text, **files)), catalogue, AGENCIES)
        except PolicyInvalid as error:
            return list(error.findings)
        return []

    return findings


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ({"allow": "Penalty.ammount"}, "UNKNOWN_FIELD", "`amount`"),
        ({"allow": "Penalties.amount"}, "UNKNOWN_TYPE", "`Penalty`"),
        ({"allow": "Penaltie"}, "UNKNOWN_TYPE", "`Penalty`"),
        ({"allow": "PUBLICK"}, "UNKNOWN_TIER", "`PUBLIC`"),
        ({"allow": "Penalty.*.x"}, "UNKNOWN_FIELD", None),
        ({"to": "bank.oficer"}, "UNKNOWN_ROLE", "`bank.officer`"),
        ({"for": "credit.underwritting"}, "UNKNOWN_PURPOSE", "`credit.underwriting`"),
        ({"of": "taxes"}, "UNKNOWN_AGENCY", "`tax`"),
        ({"at": "frist-bank"}, "UNKNOWN_ORGANISATION", "`first-bank`"),
        ({"given": "concent"}, "UNKNOWN_BASIS", "`consent`"),
        ({"given": "'-'"}, "UNKNOWN_BASIS", None),
        ({"to": "'*'"}, "UNKNOWN_ROLE", None),
        ({"act": "reed"}, "UNKNOWN_ACT", "`read`"),
        ({"allow": "Penalty.amount", "masked": "buckets"}, "UNKNOWN_MASK", "`bucket`"),
        ({"allow": "Penalty.amount", "masked": "partial"}, "MASK_UNFIT", None),
        ({"allow": "PUBLIC", "masked": "bucket"}, "MASK_UNFIT", None),
        ({"allow": "Penalty", "masked": "redact"}, "MASK_ON_ROWS", None),
        ({"allow": None, "deny": "Penalty.amount", "masked": "bucket"}, "MASK_ON_DENY", None),
        ({"allow": None, "deny": "Penalty.objection"}, "OBJECTION", None),
        ({"allow": None, "Allow": "PUBLIC"}, "UNKNOWN_EFFECT", None),
        ({"deny": "PUBLIC"}, "UNKNOWN_EFFECT", None),
        ({"allow": "SEALED"}, "SEALED_BY_TIER", None),
        ({"allow": "[]"}, "EMPTY", None),
        ({"allow": "TaxPayment.paid"}, "ROWS_OF_NOTHING", "`TaxPayment`"),
        ({"from": "2026-13-01"}, "BAD_DATE", None),
        ({"from": "2026-03-01", "until": "2026-02-01"}, "NEVER_VALID", None),
        ({"purposes": "any"}, "UNKNOWN_KEY", None),
        ({"given": None}, "MISSING_KEY", "given: any"),
        ({"id": "one, two"}, "ODD_CHARACTER", None),
        ({"id": "One"}, "BAD_NAME", None),
        ({"id": "ｏｎｅ"}, "ODD_CHARACTER", "`one`"),
        ({"allow": "Penalty．amount"}, "ODD_CHARACTER", "`Penalty.amount`"),
        ({"allow": "[Penalty.amount，Penalty.facts]"}, "ODD_CHARACTER", None),
        ({"allow": "'\ufeffPUBLIC'"}, "ODD_CHARACTER", "`PUBLIC`"),
        ({"note": ""}, "NOT_A_TEXT", None),
        ({"to": "{bank: any}"}, "NOT_A_NAME", None),
        ({"to": "&b bank"}, "ANCHOR", None),
    ],
)
def test_a_mistake_in_a_rule_is_found_with_its_line_and_a_hint(
    check: Check, change: dict[str, str | None], code: str, hint: str | None
) -> None:
    findings = check("# a comment\n" + rules({}, {"id": "two"} | change))
    (found,) = [finding for finding in findings if finding.code == code]
    assert found.file == "rules/nation.yaml"
    # The first rule takes lines 3 to 9.
    assert 10 <= found.line <= 19
    if hint:
        assert hint in (found.hint or "")


def test_all_mistakes_of_all_files_are_told_at_once(check: Check) -> None:
    findings = check(
        rules({"to": "bnak", "allow": "Penalty.x"}),
        rules__tax=rules({"id": "two", "of": "registry"}),
        trees="roles: {bank: any}\npurposes: {}\nagencies: {tax: any}\ntree: {}\n",
    )
    assert {(finding.file, finding.code) for finding in findings} >= {
        ("rules/nation.yaml", "UNKNOWN_ROLE"),
        ("rules/nation.yaml", "UNKNOWN_FIELD"),
        ("trees.yaml", "UNKNOWN_KEY"),
        ("trees.yaml", "AGENCY_NOT_IN_TREE"),
        ("organisations.yaml", "UNKNOWN_ROLE"),
    }


@pytest.mark.parametrize("of", ["registry", "any", "nation"])
def test_an_agencys_file_holds_rules_on_its_own_data_only(check: Check, of: str) -> None:
    (found,) = check("rules:\n", rules__tax=rules({"of": of}))
    assert (found.file, found.line, found.code) == ("rules/tax.yaml", 4, "FOREIGN_AGENCY")


def test_an_agencys_file_may_speak_of_the_agencies_below_it(check: Check) -> None:
    assert check("rules: []\n", rules__market=rules({"of": "zhejiang"})) == []


def test_a_file_named_after_no_agency_is_found(check: Check) -> None:
    assert [finding.code for finding in check("rules: []\n", rules__taxx="rules: []\n")] == ["UNKNOWN_AGENCY"]


def test_an_id_is_taken_once_over_all_files(check: Check) -> None:
    (found,) = check(rules({}), rules__tax=rules({"of": "tax"}))
    assert (found.file, found.code) == ("rules/tax.yaml", "DUPLICATE_ID")
    assert "rules/nation.yaml:2" in found.message


def test_two_rules_that_say_the_same_are_found_whatever_the_order_of_their_lists(check: Check) -> None:
    (found,) = check(rules({"to": "[bank, clerk]"}, {"id": "two", "to": "[clerk, bank]"}))
    assert found.code == "DUPLICATE_RULE"


@pytest.mark.parametrize("tree", ["roles", "purposes", "agencies"])
def test_a_cycle_is_found(check: Check, tree: str) -> None:
    trees = {"roles": "bank: any", "purposes": "credit: any", "agencies": "tax: any\n  registry: any\n  zhejiang: any"}
    trees[tree] += "\n  one: two\n  two: three\n  three: one"
    text = "".join(f"{name}:\n  {entries}\n" for name, entries in trees.items())
    findings = check("rules: []\n", trees=text, organisations="organisations: {}\n")
    assert [finding.code for finding in findings] == ["CYCLE"]
    assert "one -> two -> three -> one" in findings[0].message


def test_a_cycle_of_organisations_is_found(check: Check) -> None:
    entry = "{name: x, name_zh: x, parent: %s, roles: [], purposes: []}"
    text = f"organisations:\n  one: {entry % 'two'}\n  two: {entry % 'one'}\n"
    assert [(found.line, found.code) for found in check("rules: []\n", organisations=text)] == [(2, "CYCLE")]


def test_roles_deeper_than_casbin_looks_are_found(check: Check) -> None:
    chain = "".join(f"  r{level}: r{level - 1}\n" for level in range(1, 10))
    text = f"roles:\n  bank.officer: any\n  clerk: any\n  inspector: any\n  r0: any\n{chain}"
    text += "purposes: {credit: any, supervision: any}\nagencies: {tax: any, registry: any, zhejiang: any}\n"
    assert [(found.line, found.code) for found in check("rules: []\n", trees=text)] == [(14, "TOO_DEEP")]


def test_a_byte_order_mark_is_found(check: Check) -> None:
    assert [found.code for found in check("\ufeffrules: []\n")] == ["BYTE_ORDER_MARK"]


@pytest.mark.parametrize(
    ("plain", "wide"),
    [
        ("    to: any\n", "    to：any\n"),
        ("    to: any\n", "    to: “any”\n"),
        ("    to: any\n", "    to: 【bank，clerk】\n"),
        ("  - id", "  － id"),
        ("rules:\n", "rules：\n"),
    ],
)
def test_full_width_punctuation_is_found_wherever_it_stands(check: Check, plain: str, wide: str) -> None:
    assert {found.code for found in check(rules({}).replace(plain, wide))} & {"NOT_YAML", "ODD_CHARACTER"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("number: 0", "BAD_NUMBER"),
        ("number: one", "BAD_NUMBER"),
        ("published_at: 2026-11-01T09:00:00", "BAD_DATE"),
        ("published_at: soon", "BAD_DATE"),
        ("numbr: 1", "UNKNOWN_KEY"),
        ("by:", "NOT_A_TEXT"),
    ],
)
def test_a_mistake_in_the_version_is_found(check: Check, change: str, code: str) -> None:
    lines = {"number": "7", "published_at": "2026-11-01T09:00:00+08:00", "by": "me", "why": "x"}
    key, _, value = change.partition(": ")
    text = "".join(f"{name}: {entry}\n" for name, entry in (lines | {key.rstrip(":"): value}).items())
    assert code in [found.code for found in check("rules: []\n", version=text)]


def test_a_missing_file_is_found(write_policy: Callable[..., Path], catalogue: Catalogue) -> None:
    directory = write_policy()
    (directory / "trees.yaml").unlink()
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(read_directory(directory), catalogue, AGENCIES)
    assert ("trees.yaml", "MISSING_FILE") in {(found.file, found.code) for found in caught.value.findings}


def test_the_error_lists_every_finding_and_survives_pickling(
    write_policy: Callable[..., Path], catalogue: Catalogue
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(read_directory(write_policy(rules({"to": "bnak"}, {"id": "two", "for": "x"}))), catalogue, AGENCIES)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # made here
    assert copy.findings == caught.value.findings
    assert len(str(caught.value).splitlines()) == len(copy.findings) == 2
    assert "rules/nation.yaml:4: UNKNOWN_ROLE" in str(copy) or "rules/nation.yaml:5: UNKNOWN_ROLE" in str(copy)


def test_a_file_without_a_rule_is_sound(check: Check) -> None:
    assert check("# none yet\nrules:\n") == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.one_of(
        st.text(max_size=80),
        st.text(alphabet="rules:-[]{}&*!|> \n'\"#idallow", max_size=80).map(lambda text: "rules:\n  - " + text),
    )
)
def test_no_text_whatever_breaks_the_reader(check: Check, text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    for finding in check(text):
        assert finding.line >= 1
