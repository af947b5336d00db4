from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ManifestInvalid
from schema.values import Money
from tests.connectors.support import CODES, ask

MANIFEST = f"""
    agency: classroom
    name: {{en: Classroom, zh: 教室}}
    kind: memory
    datasets:
      - record: Penalty
        key: company.code
        missingMeans: unknown
        rowLimit: 3
        asOf: {{constant: "2026-11-01"}}
        fields: {{recordId: id, documentNumber: number, amount: {{path: fine, unit: 万元}}}}
        rows:
          - {{company: {{code: {CODES[0].lower()}}}, id: 1, number: 浙罚1, fine: 1.5}}
          - {{company: {{code: {CODES[0].organisation_code}}}, id: 2, number: 浙罚2}}
          - {{company: {{code: {CODES[1]}}}, id: 3, number: 浙罚3}}
          - {{company: {{code: {CODES[1]}}}, id: 4, number: 浙罚4}}
"""


async def test_rows_of_the_manifest_are_joined_mapped_and_dated_as_an_agencys_are(open_one: Any) -> None:
    answers = await ask(await open_one(MANIFEST, ""), [CODES[0], CODES[2]])
    first = answers[CODES[0]]
    assert [row["recordId"] for row in first.rows] == ["1", "2"]
    assert first.rows[0]["amount"] == Money(Decimal(15_000))
    assert first.as_of is not None
    assert answers[CODES[2]].outcome is Outcome.UNKNOWN_COMPANY


async def test_bounds_and_rows_without_a_key_make_answers_incomplete(open_one: Any) -> None:
    answers = await ask(await open_one(MANIFEST, ""), CODES[:2])
    assert answers[CODES[1]].outcome is Outcome.INCOMPLETE
    assert answers[CODES[1]].failure is FailureCode.LIMIT
    loose = MANIFEST.replace("rows:\n", "rows:\n          - {id: 9}\n")
    assert (await ask(await open_one(loose, ""), CODES[2:3]))[CODES[2]].outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("key: company.code", "timeToLive: 0", "key: name the column"),
        ("key: company.code", "key: {path: code, spellings: [lower]}", "match any spelling"),
        ('{constant: "2026-11-01"}', "{path: x}", "use asOf.column"),
        ("missingMeans: unknown", "missingMeans: unknown\n        filters: {decidedFrom: d}", "cannot filter"),
    ],
)
async def test_what_rows_in_memory_cannot_do_is_refused(open_one: Any, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        await open_one(MANIFEST.replace(old, new), "")
