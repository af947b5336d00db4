"""Record types that a manifest declares, and their mistakes, each by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest
from connectors.own_record import COMMON, prefix
from gateway.editions.own_records import contract_of
from schema.values import Kind
from tests.connectors.support import SHAPES

GOOD = """\
agency: shenzhen-market
name: {en: Shenzhen Market Regulation, zh: 深圳市市场监督管理局}
kind: memory
records:
  - name: ShenzhenMarketRecall
    tier: PUBLIC
    orderedBy: recalledOn
    filters: {recalledFrom: {from: recalledOn}}
    description: {en: A recall., zh: 召回信息。}
    fields:
      recalledOn: {type: date, tier: PUBLIC, description: {en: The day., zh: 日期。}}
      cost: {type: money, tier: AUTHORISED, mask: bucket, description: {en: The cost., zh: 费用。}}
datasets:
  - record: ShenzhenMarketRecall
    key: code
    missingMeans: none
    rows: [{code: 91440300TEXT000170, id: r1, day: 2026-03-01, fee: 3.5}]
    fields: {recordId: id, recalledOn: day, cost: {path: fee, unit: 万元}}
"""


def load(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "shenzhen-market.yaml"
    path.write_text(text, encoding="utf-8")
    return load_manifest(path, SHAPES)


def test_a_record_type_is_declared_and_mapped_in_one_manifest(tmp_path: Path) -> None:
    (record,) = load(tmp_path, GOOD).records
    assert record.on_enterprise == "shenzhenMarketRecall"
    assert record.fields["cost"].type is Kind.MONEY
    assert record.filters["recalledFrom"].test == ("recalledOn", ">=")


@pytest.mark.parametrize(
    ("agency", "begins"), [("tax", "Tax"), ("shenzhen-market", "ShenzhenMarket"), ("bureau-3a", "Bureau3a")]
)
def test_names_begin_with_the_agencys(agency: str, begins: str) -> None:
    assert prefix(agency) == begins


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message", "hint"),
    [
        (
            "name: ShenzhenMarketRecall",
            "name: Recall",
            5,
            "records.0.name",
            "does not begin with",
            "ShenzhenMarketRecall",
        ),
        ("name: ShenzhenMarketRecall", "name: ShenzhenMarketrecall", 5, "records.0.name", "does not begin with", "R"),
        (
            "    tier: PUBLIC\n    ord",
            "    tier: PUBLIC\n    field: recalls\n    ord",
            7,
            "records.0.field",
            "begin",
            "shenzhenMarketRecalls",
        ),
        ("    tier: PUBLIC\n    ord", "    tier: SEALED\n    ord", 6, "records.0.tier", "'PUBLIC'", ""),
        ("orderedBy: recalledOn", "orderedBy: cost", 7, "records.0.orderedBy", "no date 'cost'", "recalledOn"),
        ("{from: recalledOn}", "{from: recaledOn}", 8, "records.0.filters.recalledFrom", "no date", "recalledOn"),
        ("{from: recalledOn}", "{}", 8, "records.0.filters.recalledFrom", "exactly one of from and to", ""),
        (
            "type: date, tier: PUBLIC",
            "type: date, tier: SEALED",
            8,
            "records.0.filters.recalledFrom",
            "is SEALED",
            "tier",
        ),
        ("{recalledFrom:", "{after:", 8, "records.0.filters.after", "every list has", "rename"),
        ("      cost: {type", "      source: {type", 12, "records.0.fields.source", "every record type has", "map it"),
        (
            "      cost: {type",
            "      objection: {type",
            12,
            "records.0.fields.objection",
            "every record type",
            "map it",
        ),
        ("mask: bucket", "mask: year", 12, "records.0.fields.cost", "no mask 'year' for a money field", ""),
        ("type: money, ", "type: [], ", 12, "records.0.fields.cost.type", "", ""),
        ("type: money, ", "type: {}, ", 12, "records.0.fields.cost.type", "", ""),
        ("type: money, ", "", 12, "records.0.fields.cost.type", "missing key 'type'", ""),
        ("zh: 费用。", "cn: 费用。", 12, "records.0.fields.cost.description", "", ""),
        ("tier: AUTHORISED, ", "", 12, "records.0.fields.cost.tier", "missing key 'tier'", ""),
        ("recordId: id", "recordID: id", 18, "datasets.0.fields.recordID", "no field 'recordID'", "recordId"),
        ("unit: 万元", 'formats: ["%Y%m%d"]', 18, "datasets.0.fields.cost.formats", "formats", "date"),
        ("record: ShenzhenMarketRecall", "record: Penalty", 5, "records.0.name", "no dataset has the record", "later"),
    ],
)
def test_a_mistake_is_named_by_line_and_path_with_the_way_out(  # noqa: PLR0913, PLR0917  # a mistake and all that is told
    tmp_path: Path, old: str, new: str, line: int, path: str, message: str, hint: str
) -> None:
    assert old in GOOD
    with pytest.raises(ManifestInvalid) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    found = [one for one in caught.value.findings if one.path.startswith(path)]
    assert found, caught.value.findings
    assert found[0].line == line
    assert message in found[0].message
    assert hint in found[0].hint


def test_what_the_nation_has_is_not_declared_again(tmp_path: Path) -> None:
    own = next(iter(SHAPES))
    text = GOOD.replace("agency: shenzhen-market", "agency: p").replace("ShenzhenMarketRecall", own)
    with pytest.raises(ManifestInvalid, match=f"the nation has a record type {own} already"):
        load(tmp_path, text)


def test_a_mistake_in_a_record_type_does_not_hide_behind_its_dataset(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        load(tmp_path, GOOD.replace("tier: AUTHORISED", "tier: AUTHORIZED"))
    assert [one.path for one in caught.value.findings] == ["records.0.fields.cost.tier"]


def test_only_the_agency_itself_supplies_its_record_type(tmp_path: Path) -> None:
    text = GOOD.replace("agency: shenzhen-market", "agency: wuxi")
    text = text[: text.index("records:")] + text[text.index("datasets:") :]
    with pytest.raises(ManifestInvalid, match="unknown record type 'ShenzhenMarketRecall'"):
        load(tmp_path, text)


def test_the_fields_that_every_record_type_has_are_the_schemas(tmp_path: Path) -> None:
    manifest = load(tmp_path, GOOD)
    made = contract_of((manifest,)).catalogue.records["ShenzhenMarketRecall"].fields
    declared = manifest.records[0].fields
    assert {name: field.kind for name, field in made.items() if name not in declared} == COMMON
