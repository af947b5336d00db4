"""What a probe shows of fields that are filled by expressions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.contract import Asker
from connectors.manifest_file import load_manifest
from connectors.paths import MISSING
from connectors.probe import RowSeen, probe
from connectors.settings import SupplySettings
from tests.connectors.support import CODES, SHAPES

MANIFEST = f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: memory
    datasets:
      - record: Penalty
        key: code
        missingMeans: none
        rows:
          - code: {CODES[0]}
            steps: [{{kind: a, day: 2026-03-01, by: x}}, {{kind: b, day: 2026-05-01, by: y}}]
            fines: [{{sum: 1.5, of: z}}]
            detail: "no JSON"
        fields:
          documentNumber: {{jmespath: "steps[?kind == 'b'].day | [0]"}}
          amount: {{jmespath: "sum(fines[*].of)"}}
          facts: {{jmespath: "steps[*].kind"}}
          kind: {{jmespath: "other[0].kind || another"}}
          decidedOn: {{jmespath: "parse_json(detail).day"}}
"""


@pytest.fixture
async def row(tmp_path: Path) -> RowSeen:
    path = tmp_path / "court.yaml"
    path.write_text(dedent(MANIFEST), encoding="utf-8")
    settings = SupplySettings(environment={})
    [seen] = await probe(load_manifest(path, SHAPES), SHAPES, settings, CODES[:1], asker=Asker("tests", None, "1"))
    [row] = seen.rows
    return row


def told(row: RowSeen, name: str) -> tuple[Mapping[str, object], Any, str]:
    [field] = [field for field in row.fields if field.name == name]
    return field.raws, field.value, field.why


async def test_an_expression_shows_what_it_made(row: RowSeen) -> None:
    assert told(row, "documentNumber") == ({"steps[?kind == 'b'].day | [0]": "2026-05-01"}, "2026-05-01", "")


async def test_one_that_made_nothing_shows_what_it_was_to_be_made_of(row: RowSeen) -> None:
    assert told(row, "kind") == (
        {"other[0].kind || another": None, "other": MISSING, "another": MISSING},
        None,
        "",
    )


async def test_one_that_cannot_be_evaluated_says_why(row: RowSeen) -> None:
    raws, _, why = told(row, "amount")
    assert (list(raws), why) == (["fines"], "sum() does not take a text")
    assert told(row, "decidedOn")[2] == "parse_json() was given a text that is no JSON"
    assert told(row, "facts")[2] == "an object or a list: let the expression choose something in it"


async def test_only_what_an_expression_reads_counts_as_read(row: RowSeen) -> None:
    assert row.unread == ["steps.0.by", "fines.0.sum"]
