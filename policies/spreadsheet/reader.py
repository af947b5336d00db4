"""A workbook read back into a draft's files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from policies.errors import Finding, PolicyInvalid
from policies.load import PolicyFiles, load_policy
from policies.policy import Policy
from policies.spreadsheet.decision_edits import Edit, read_edits
from policies.spreadsheet.decisions import DecisionSheets, decision_sheets
from policies.spreadsheet.edit import edited
from policies.spreadsheet.matrix import Matrix
from policies.spreadsheet.matrix_check import refused, unmet, unreachable, unwanted
from policies.spreadsheet.matrix_rules import MadeRule, rules_for
from policies.spreadsheet.opening import check_book, opened
from policies.spreadsheet.rule_rows import check_rules, read_rule_rows
from policies.spreadsheet.sheet import KEYS, RULES, RuleTexts, rule_files, shown
from policies.store.model import digest_of
from schema.catalogue import Catalogue

Cells = Mapping[str, frozenset[str]]


def from_workbook(content: bytes, base: PolicyFiles, catalogue: Catalogue, cells: Cells) -> PolicyFiles:
    """The files of a draft: `base`, the policy that was exported, with the rules as the workbook has them, and with
    rules for the decisions that were edited in it. `cells` holds the coordinates that each agency supplies.

    Only changed rules are written anew. Raises `PolicyInvalid`; each finding's `file` is the sheet and cell. Blocks.
    """
    book = opened(content)
    found: list[Finding] = []
    check_book(book, digest_of(base), found)
    _refuse(found)
    policy = load_policy(base, catalogue, cells)
    before = rule_files(base)
    written = {tuple(rule[key] for key in KEYS) for rules in before.values() for _, rule in rules}
    rows = read_rule_rows(book[RULES], written, found)

    @cache
    def exported() -> DecisionSheets:
        return decision_sheets(Matrix(policy, cells), catalogue, cells)

    edits = read_edits(book, policy.purposes, exported, found)
    _refuse(found)
    known = {
        (stem, *(shown(rule[key]) for key in KEYS[1:])): rule for stem, rules in before.items() for _, rule in rules
    }
    after = {row: known.get(tuple(texts[key] for key in KEYS), texts) for row, texts in rows.items()}
    if [*after.values()] != [rule for rules in before.values() for _, rule in rules]:
        check_rules(after, base, catalogue, cells)
    files, policy = _drafted(base, after.values(), catalogue, cells)
    return _with_edits(files, policy, edits, exported()) if edits else files


def _refuse(found: list[Finding]) -> None:
    if found:
        raise PolicyInvalid(found)


def _drafted(
    base: PolicyFiles, after: Iterable[RuleTexts], catalogue: Catalogue, cells: Cells
) -> tuple[PolicyFiles, Policy]:
    """The files with these rules for those in them, and the policy that they make."""
    before = rule_files(base)
    wanted: dict[str, list[RuleTexts]] = {stem: [] for stem in before}
    for rule in after:
        wanted.setdefault(rule["file"], []).append(rule)
    files = dict(base)
    for stem, rules in wanted.items():
        name, old = f"rules/{stem}.yaml", [rule for _, rule in before.get(stem, ())]
        if {rule["id"]: rule for rule in rules} != {rule["id"]: rule for rule in old}:
            files[name] = edited(base.get(name, b"rules:\n"), old, rules)
    policy = load_policy(files, catalogue, cells)
    for stem, placed in rule_files(files).items():
        if {rule["id"]: rule for _, rule in placed} != {rule["id"]: rule for rule in wanted.get(stem, [])}:
            message = f"the layout of rules/{stem}.yaml does not allow its rules to be changed one by one"
            raise PolicyInvalid([Finding(f"rules/{stem}.yaml", 1, "LAYOUT", message, "change that file as text")])
    return files, policy


def _with_edits(files: PolicyFiles, policy: Policy, edits: tuple[Edit, ...], sheets: DecisionSheets) -> PolicyFiles:
    """The files, the edited rules in them, with rules for the edited decisions."""
    now = after = Matrix(policy, sheets.cells)
    _refuse([*refused(edits, now)])
    made: list[MadeRule] = []
    # Records first: what rules there are show of their fields is known once they are open.
    for some in ([edit for edit in edits if edit.of_records()], [edit for edit in edits if not edit.of_records()]):
        _refuse([*unreachable(some, made, after)])
        rules = [rule for placed in rule_files(files).values() for _, rule in placed]
        new = rules_for([edit for edit in some if unmet(edit, after)], policy, {rule["id"] for rule in rules})
        if new:
            files, policy = _drafted(files, [*rules, *(rule.texts for rule in new)], sheets.catalogue, sheets.cells)
            after = Matrix(policy, sheets.cells)
            made += new
    _refuse([*unwanted(edits, made, (now, after), sheets)])
    return files
