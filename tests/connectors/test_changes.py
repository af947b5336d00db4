"""What changes for those who ask, from one version of a manifest to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.changes import changes
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest
from tests.connectors.support import SHAPES

OLD = """\
agency: shenzhen
name: {en: Shenzhen, zh: 深圳市}
kind: memory
records:
  - name: ShenzhenRecall
    field: shenzhenRecalls
    tier: AUTHORISED
    orderedBy: day
    filters: {since: {from: day}}
    description: {en: A recall., zh: 召回信息。}
    fields:
      day: {type: date, tier: PUBLIC, description: {en: The day., zh: 日期。}}
      cost: {type: money, tier: AUTHORISED, mask: bucket, description: {en: The cost., zh: 费用。}}
datasets:
  - record: ShenzhenRecall
    key: code
    missingMeans: none
    rows: []
    fields: {day: d, cost: {path: c, unit: 元}}
  - record: Penalty
    key: code
    batch: 50
    missingMeans: none
    asOf: {constant: "2026-03-01"}
    coverage: {registered: true, divisions: ["44", "3301"], authorities: ["9"]}
    rows: []
    fields: {documentNumber: n, amount: {path: a, unit: 元}}
"""


def load(tmp_path: Path, text: str) -> dict[str, Manifest]:
    path = tmp_path / "shenzhen.yaml"
    path.write_text(text, encoding="utf-8")
    manifest = load_manifest(path, SHAPES)
    return {manifest.agency: manifest}


def told(tmp_path: Path, old: str, new: str) -> list[tuple[str, str, bool]]:
    found = changes(load(tmp_path, old), load(tmp_path, new))
    return [(change.place, change.message, change.breaking) for change in found]


BREAKING = [
    ("      cost: {type: money, tier: AUTHORISED, mask: bucket, description: {en: The cost., zh: 费用。}}\n", "",
     "ShenzhenRecall.cost", "the field is gone"),
    ("type: money, tier: AUTHORISED, mask: bucket", "type: count, tier: AUTHORISED, mask: bucket",
     "ShenzhenRecall.cost", "holds count, no more money"),
    ("type: money, tier: AUTHORISED", "type: money, tier: PUBLIC",
     "ShenzhenRecall.cost", "PUBLIC, no more AUTHORISED: rules on tiers show more"),
    ("type: money, tier: AUTHORISED", "type: money, tier: SEALED",
     "ShenzhenRecall.cost", "SEALED, no more AUTHORISED: rules on tiers show less"),
    (", mask: bucket", "", "ShenzhenRecall.cost", "masked by nothing, no more by bucket"),
    ("    tier: AUTHORISED\n", "    tier: PUBLIC\n", "ShenzhenRecall",
     "PUBLIC, no more AUTHORISED: rules on tiers show more"),
    ("field: shenzhenRecalls", "field: shenzhenRecallList", "ShenzhenRecall",
     "on Enterprise it is shenzhenRecallList, no more shenzhenRecalls"),
    ("    filters: {since: {from: day}}\n", "    single: true\n", "ShenzhenRecall", "a single record, no more a list"),
    ("    filters: {since: {from: day}}\n", "", "ShenzhenRecall(since)", "the argument is gone"),
    ("{since: {from: day}}", "{since: {from: publishedFrom}}", "ShenzhenRecall(since)",
     "the argument means another date"),
    ("    orderedBy: day\n", "", "ShenzhenRecall", "sorted by no date, no more by day"),
    ("key: code\n    batch", "key: {path: code, kind: organisationCode}\n    batch", "Penalty",
     "companies are known by organisationCode, no more by creditCode"),
    ("batch: 50\n    missingMeans: none", "batch: 50\n    missingMeans: unknown", "Penalty",
     "that a company is missing means unknown, no more none"),
    ('    asOf: {constant: "2026-03-01"}\n', "", "Penalty", "tells no more as of when its data is"),
    ("{documentNumber: n, amount", "{amount", "Penalty.documentNumber", "filled no more"),
    ('["44", "3301"]', '["44"]', "Penalty", "covers fewer companies"),
    ('["44", "3301"]', '["44", "330106"]', "Penalty", "covers fewer companies"),
    ('authorities: ["9"]', 'authorities: ["1"]', "Penalty", "covers fewer companies"),
    ('authorities: ["9"]', 'authorities: ["9"], categories: ["91"]', "Penalty", "covers fewer companies"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "message"), BREAKING)
def test_what_gives_queries_or_rules_something_else_is_breaking(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert old in OLD
    changed = OLD.replace(old, new, 1).replace("{day: d, cost: {path: c, unit: 元}}", "{day: d}")
    kept = OLD.replace("{day: d, cost: {path: c, unit: 元}}", "{day: d}")
    assert (f"shenzhen/{place}", message, True) in told(tmp_path, kept, changed)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("fields: {day: d,", "fields: {recordId: id, day: d,", "ShenzhenRecall.recordId", "filled from now on"),
        ("{en: The day.,", "{en: A day.,", "ShenzhenRecall.day", "described otherwise"),
        ("documentNumber: n", "documentNumber: m", "Penalty.documentNumber", "filled otherwise"),
        ('["44", "3301"]', '["44", "33"]', "Penalty", "covers other companies"),
        ("registered: true, ", "", "Penalty", "covers other companies"),
        (', authorities: ["9"]', "", "Penalty", "covers other companies"),
        ("    batch: 50\n", "    batch: 50\n    timeToLive: 9\n", "Penalty", "rows are kept for 9 s, no more 0 s"),
        ("    batch: 50\n", "    batch: 50\n    shared: true\n", "Penalty", "kept rows may serve other organisations"),
        ("{since: {from: day}}", "{since: {from: day}, to: {to: day}}", "ShenzhenRecall(to)", "the argument is new"),
    ],
)  # fmt: skip
def test_what_only_adds_is_told_and_breaks_nothing(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert old in OLD
    assert told(tmp_path, OLD, OLD.replace(old, new, 1)) == [(f"shenzhen/{place}", message, False)]


def test_how_the_agency_is_called_is_no_change_to_those_who_ask(tmp_path: Path) -> None:
    called = OLD.replace("kind: memory\n", "kind: memory\ntimeout: 2\nconcurrency: 3\n").replace(
        "batch: 50", "batch: 7"
    )
    assert told(tmp_path, OLD, called) == []


def test_agencies_record_types_and_datasets_come_and_go(tmp_path: Path) -> None:
    before = load(tmp_path, OLD)
    fewer = load(tmp_path, OLD[: OLD.index("  - record: Penalty")])
    without = load(tmp_path, OLD[: OLD.index("records:")] + "datasets:\n" + OLD[OLD.index("  - record: Penalty") :])

    def between(old: dict[str, Manifest], new: dict[str, Manifest]) -> list[tuple[str, str, bool]]:
        return [(change.place, change.message, change.breaking) for change in changes(old, new)]

    assert between(before, {}) == [("shenzhen", "the agency is gone", True)]
    assert between({}, before) == [("shenzhen", "the agency is new", False)]
    assert between(before, fewer) == [("shenzhen/Penalty", "the dataset is gone", True)]
    assert between(fewer, before) == [("shenzhen/Penalty", "the dataset is new", False)]
    assert between(before, without) == [("shenzhen/ShenzhenRecall", "the record type is gone", True)]
    assert between(without, before) == [("shenzhen/ShenzhenRecall", "the record type is new", False)]
