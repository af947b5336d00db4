"""An agency's own record type is SEALED, rows and all, until a rule of the centre allows its records by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from policies.analysis.lint import lint
from policies.compile import compile_table, openable
from policies.decision import CallerClass, Effect
from policies.errors import PolicyInvalid
from policies.judgement import Judgement
from policies.load import PolicyFiles, load_policy, read_directory
from policies.policy import Policy
from policies.spreadsheet import from_workbook, to_workbook
from schema.catalogue import Catalogue, Tier
from schema.values import Kind
from tests.policies.conftest import AGENCIES, CATALOGUE, _field, _record

OWN = replace(
    _record(
        "ZhejiangRecall",
        Tier.PUBLIC,
        _field("product", Kind.TEXT, Tier.PUBLIC),
        _field("cost", Kind.MONEY, Tier.AUTHORISED, "bucket"),
        _field("informant", Kind.TEXT, Tier.SEALED),
    ),
    owner="zhejiang",
)
WHOLE = Catalogue({**CATALOGUE.records, OWN.name: OWN})
NAMES = frozenset(name for name, _ in WHOLE.tiers() if name.partition(".")[0] == OWN.name)
CELLS = {"zhejiang": NAMES}
EVERYBODY = """
rules:
  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: n}
  - {id: everything, allow: [AUTHORISED, RESTRICTED], of: any, to: any, for: any, given: any, note: n}
"""


def rule(words: str) -> str:
    return f"  - {{id: release, {words}, for: any, given: any, note: n}}\n"


RELEASE = rule("allow: ZhejiangRecall, of: zhejiang, to: clerk")
OFFICER = CallerClass(frozenset({"bank.officer"}), "first-bank", None)


@pytest.fixture
def load(write_policy: Callable[..., Path]) -> Callable[..., Policy]:
    def load(nation: str = EVERYBODY, own: str = "rules: []\n", now: datetime | None = None) -> Policy:
        files = read_directory(write_policy(nation, rules__zhejiang=own))
        return load_policy(files, WHOLE, AGENCIES, now=now)

    return load


def seen(policy: Policy) -> dict[str, str]:
    table = compile_table(policy, CELLS, OFFICER).cells["zhejiang"]
    return {
        name: decision.mask or decision.effect
        for name, decision in table.items()
        if decision.effect is not Effect.WITHHELD
    }


def test_before_its_release_everything_of_it_is_sealed_and_nothing_opens_it(load) -> None:
    own = f"rules:\n{rule('allow: [ZhejiangRecall, ZhejiangRecall.*, ZhejiangRecall.informant], of: any, to: any')}"
    policy = load(own=own.replace("of: any", "of: zhejiang"))
    assert policy.unreleased == {"ZhejiangRecall"}
    assert {policy.tiers[name] for name in NAMES} == {Tier.SEALED}
    assert seen(policy) == {}
    assert not openable(policy, {**CELLS, "any": frozenset(policy.tiers)}, OFFICER.roles, "first-bank") & NAMES
    assert policy.tiers["Penalty.amount"] is Tier.PUBLIC


def test_once_released_the_declared_tiers_hold_for_everybody(load) -> None:
    policy = load(EVERYBODY + RELEASE)
    assert policy.unreleased == frozenset()
    assert {name: policy.tiers[name] for name in NAMES} == {name: tier for name, tier in WHOLE.tiers() if name in NAMES}
    assert seen(policy) == {
        "ZhejiangRecall": "CLEAR",
        "ZhejiangRecall.product": "CLEAR",
        "ZhejiangRecall.objection": "CLEAR",
        "ZhejiangRecall.cost": "bucket",
    }
    assert load().version != policy.version


@pytest.mark.parametrize(
    "words",
    [
        "deny: ZhejiangRecall, of: zhejiang, to: clerk",
        "allow: ZhejiangRecall, of: tax, to: clerk",
        "allow: ZhejiangRecall, of: zhejiang, to: clerk, act: read_expired",
        "allow: ZhejiangRecall, of: zhejiang, to: clerk, until: 2026-01-01",
        "allow: ZhejiangRecall, of: zhejiang, to: clerk, from: 2999-01-01",
        "allow: PUBLIC, of: zhejiang, to: clerk",
    ],
)
def test_what_does_not_show_its_records_by_name_does_not_release_it(load, words: str) -> None:
    assert load(EVERYBODY + rule(words)).unreleased == {"ZhejiangRecall"}


@pytest.mark.parametrize("agency", ["any", "nation", "market", "zhejiang"])
def test_a_release_is_of_the_agency_or_of_one_above_it(load, agency: str) -> None:
    assert load(EVERYBODY + rule(f"allow: ZhejiangRecall, of: {agency}, to: clerk")).unreleased == frozenset()


def test_a_release_may_begin_and_end_on_a_day(load) -> None:
    text = EVERYBODY + rule("allow: ZhejiangRecall, of: zhejiang, to: clerk, from: 2026-03-01, until: 2026-03-31")
    for month, unreleased in ((2, {"ZhejiangRecall"}), (3, set()), (4, {"ZhejiangRecall"})):
        assert load(text, now=datetime(2026, month, 15, tzinfo=UTC)).unreleased == unreleased


def test_fields_of_what_nobody_may_see_are_refused_as_for_any_other_type(load) -> None:
    with pytest.raises(PolicyInvalid, match="allow `ZhejiangRecall` itself as well"):
        load(EVERYBODY + rule("allow: ZhejiangRecall.cost, of: zhejiang, to: bank"))
    cost = rule("allow: ZhejiangRecall.cost, of: any, to: bank").replace("release", "cost")
    assert seen(load(EVERYBODY + RELEASE + cost))["ZhejiangRecall.cost"] == "CLEAR"


def test_no_declaration_makes_the_centres_rules_invalid(write_policy) -> None:
    """A rule on a tier has a mask that every field of the nation's can hold, but one of the agency's cannot."""
    masked = rule("allow: [Penalty.personId, RESTRICTED], masked: last4, of: any, to: bank")
    public = "rules:\n  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: n}\n"
    files = read_directory(write_policy(public + masked))
    told = {**OWN.fields, "sum": _field("sum", Kind.MONEY, Tier.RESTRICTED)}
    records = {"Penalty": CATALOGUE.records["Penalty"], OWN.name: replace(OWN, fields=told)}
    load_policy(files, Catalogue(records), AGENCIES)
    with pytest.raises(PolicyInvalid, match="MASK_UNFIT"):
        load_policy(files, Catalogue({**records, OWN.name: replace(records[OWN.name], owner=None)}), AGENCIES)


@pytest.fixture
def files_of(write_policy: Callable[..., Path]) -> Callable[..., PolicyFiles]:
    def written(nation: str = EVERYBODY, **files: str) -> PolicyFiles:
        publicity = "{from: 2026-04-01, source: x, ended_by: [], periods: []}\n"
        return read_directory(write_policy(nation, publicity__x=publicity, **files))

    return written


def test_lint_tells_of_rules_that_wait_for_a_release(files_of) -> None:
    own = f"rules:\n{rule('allow: ZhejiangRecall, of: zhejiang, to: clerk')}"
    (found,) = [
        one for one in lint(files_of(rules__zhejiang=own), WHOLE, AGENCIES, CELLS) if one.file == "rules/zhejiang.yaml"
    ]
    assert (found.code, found.line) == ("UNRELEASED", 2)
    assert "a rule in nation.yaml that allows `ZhejiangRecall`" in str(found.hint)


def test_lint_counts_what_rules_on_tiers_reach_only_once_it_is_released(files_of) -> None:
    listed = "".join(f"{name}: [{', '.join(record.fields)}]\n" for name, record in CATALOGUE.records.items())

    def reached(nation: str) -> list[str]:
        found = lint(files_of(nation, fields=listed), WHOLE, AGENCIES, CELLS)
        return [one.message for one in found if one.code == "WILDCARD_REACHES_NEW_FIELD"]

    assert reached(EVERYBODY) == []
    assert any("ZhejiangRecall.product" in message for message in reached(EVERYBODY + RELEASE))


def test_a_release_opens_data_so_its_owner_must_agree(files_of) -> None:
    cells = {**CELLS, "tax": frozenset(), "registry": frozenset()}
    widened = Judgement(WHOLE, cells).widened(files_of(), files_of(EVERYBODY + RELEASE), datetime.now(UTC))
    assert widened == {"zhejiang"}


def test_in_a_workbook_it_is_sealed_and_its_cells_wait_for_the_release(files_of) -> None:
    cells = {**CELLS, "tax": frozenset(), "registry": frozenset()}
    files = files_of()
    book = load_workbook(BytesIO(to_workbook(files, WHOLE, cells)))
    sheet = book["For credit"]
    (row,) = [row for row in sheet.iter_rows(min_row=2) if row[1].value == "ZhejiangRecall"]
    assert row[2].value == "SEALED"
    column = next(cell.column for cell in sheet[1] if cell.value == "bank")
    sheet.cell(row[0].row, column).value = "clear"
    saved = BytesIO()
    book.save(saved)
    with pytest.raises(PolicyInvalid) as caught:
        from_workbook(saved.getvalue(), files, WHOLE, cells)
    assert [found.code for found in caught.value.findings] == ["UNRELEASED"]
