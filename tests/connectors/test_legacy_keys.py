"""Datasets that know companies by registration or tax numbers, crosswalks, and searches by name."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from stdnum.iso7064 import mod_11_10

from connectors.company_rows import together, values
from connectors.conformance.trial import made_up_keys
from connectors.contract import CompanyRows, FailureCode, KeyKind, Outcome
from connectors.errors import ManifestInvalid
from connectors.keys import is_some_company
from connectors.lookups import LOOKUPS
from connectors.manifest_file import load_manifests
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

WITH_LOOKUPS = {**SHAPES, **LOOKUPS}
NUMBERS = tuple(
    LegacyId.parse(LegacyIdKind.REGISTRATION_NUMBER, body + mod_11_10.calc_check_digit(body))
    for body in (f"3301000000{number:04d}" for number in range(1, 4))
)
AGENCY = """
    agency: old
    name: {en: Old, zh: 旧}
"""
BY_NUMBER = f"""{AGENCY}
    kind: memory
    datasets:
      - record: Penalty
        key: {{path: regno, kind: registrationNumber}}
        missingMeans: none
        fields: {{recordId: id}}
        rows:
          - {{regno: "{NUMBERS[0]}", id: 1}}
          - {{regno: " {NUMBERS[1][:6]} {NUMBERS[1][6:]}", id: 2}}
"""


@pytest.fixture(autouse=True)
def shapes_with_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.connectors.conftest.SHAPES", WITH_LOOKUPS)


async def test_rows_are_found_by_registration_number_in_any_spelling(open_one: Any) -> None:
    answers = await ask(await open_one(BY_NUMBER, ""), NUMBERS)
    assert [values(answers[number], ["recordId"]) for number in NUMBERS] == [[("1",)], [("2",)], []]
    assert {answer.outcome for answer in answers.values()} == {Outcome.ANSWERED}


@pytest.mark.parametrize("key", [CODES[0], CODES[0].organisation_code, f"{NUMBERS[0][:-1]}x", "330100"])
async def test_a_row_whose_key_is_no_number_of_the_kind_may_be_anybodys(open_one: Any, key: str) -> None:
    answers = await ask(await open_one(f'{BY_NUMBER}          - {{regno: "{key}", id: 3}}\n', ""), NUMBERS)
    assert {answer.outcome for answer in answers.values()} == {Outcome.INCOMPLETE}


@pytest.mark.usefixtures("indexed_here")
async def test_a_drop_is_indexed_by_registration_number(open_one: Any, tmp_path: Path) -> None:
    manifest = f"""{AGENCY}
    kind: file
    connection: {{path: "${{ADDRESS}}"}}
    datasets:
      - record: Penalty
        file: penalties.csv
        key: {{path: regno, kind: registrationNumber}}
        missingMeans: none
        fields: {{recordId: id}}
    """
    (tmp_path / "penalties.csv").write_text(f"regno,id\n{NUMBERS[0]},1\n{NUMBERS[1]},2\n")
    answers = await ask(await open_one(manifest, str(tmp_path)), NUMBERS)
    assert [values(answers[number], ["recordId"]) for number in NUMBERS] == [[("1",)], [("2",)], []]
    (tmp_path / "penalties.csv").write_text(f"regno,id\n{NUMBERS[0]},1\n{CODES[0]},2\n")
    spoilt = await ask(await open_one(manifest, str(tmp_path)), NUMBERS)
    assert {answer.outcome for answer in spoilt.values()} == {Outcome.INCOMPLETE}


async def test_an_agency_is_asked_for_numbers_and_organisation_codes_as_it_writes_them(
    open_one: Any, agency: Agency
) -> None:
    manifest = f"""{AGENCY}
    kind: rest
    connection: {{url: "${{ADDRESS}}"}}
    datasets:
      - record: CompanyByOrganisationCode
        key: {{path: zzjgdm, kind: organisationCode, spellings: [hyphenated]}}
        request: {{path: /by, keys: {{in: query, name: id, style: comma}}}}
        batch: 10
        missingMeans: none
        fields: {{creditCode: tyshxydm}}
    """

    async def answer(asked: Asked) -> list[dict[str, str]]:
        (sent,) = [value for name, value in asked.query if name == "id"]
        assert sent == f"{CODES[0][8:16]}-{CODES[0][16]}"
        return [{"zzjgdm": sent, "tyshxydm": CODES[0].lower()}]

    agency.answer = answer
    key = LegacyId.parse(LegacyIdKind.ORGANISATION_CODE, CODES[0].organisation_code)
    answers = await ask(await open_one(manifest, agency.address), [key])
    assert values(answers[key], ["creditCode"]) == [(CODES[0],)]


async def test_rows_are_kept_by_the_number_that_they_were_asked_for(open_one: Any, agency: Agency) -> None:
    manifest = f"""{AGENCY}
    kind: rest
    connection: {{url: "${{ADDRESS}}"}}
    datasets:
      - record: Penalty
        key: {{path: regno, kind: registrationNumber}}
        request: {{path: /by, keys: {{in: query, name: id, style: repeat}}}}
        batch: 10
        timeToLive: 60
        missingMeans: none
        fields: {{recordId: id}}
    """

    async def answer(asked: Asked) -> list[dict[str, str]]:
        return [{"regno": value, "id": f"of {value}"} for name, value in asked.query if name == "id"]

    agency.answer = answer
    supply = await open_one(manifest, agency.address)
    await ask(supply, NUMBERS[:2])
    kept = await ask(supply, NUMBERS)
    assert [values(kept[number], ["recordId"]) for number in NUMBERS] == [[(f"of {number}",)] for number in NUMBERS]
    assert [[value for _, value in asked.query] for asked in agency.asked] == [[*NUMBERS[:2]], [NUMBERS[2]]]


@pytest.mark.parametrize("kind", KeyKind)
def test_keys_that_are_made_up_are_lawful_and_all_different(kind: KeyKind) -> None:
    keys = made_up_keys(kind, 12)
    assert len(set(keys)) == len(keys)
    assert kind is KeyKind.NAME or all(is_some_company(key, kind) for key in keys)


SEARCH = f"""{AGENCY}
    kind: memory
    datasets:
      - record: CompanySearch
        key: {{path: entname, kind: name}}
        batch: 1
        rowLimit: 2
        fields: {{creditCode: uscc, name: entname}}
        rows:
          - {{uscc: {CODES[0]}, entname: 杭州若木（集团）有限公司}}
          - {{uscc: {CODES[1]}, entname: 杭州若水有限公司}}
          - {{uscc: {CODES[2]}, entname: 宁波若水有限公司}}
          - {{uscc: {CODES[3]}, entname: 温州若水有限公司}}
"""


async def test_a_search_finds_all_that_have_the_text_in_their_name_up_to_its_limit(open_one: Any) -> None:
    supply = await open_one(SEARCH, "")
    name, common = SearchName.parse("若木(集团)"), SearchName.parse("若水")
    (found,) = (await ask(supply, [name])).values()
    assert values(found, ["creditCode", "name"]) == [(CODES[0], "杭州若木（集团）有限公司")]
    (many,) = (await ask(supply, [common])).values()
    assert (many.outcome, many.failure) == (Outcome.INCOMPLETE, FailureCode.LIMIT)
    assert [code for (code,) in values(many, ["creditCode"])] == [CODES[1], CODES[2]]


async def test_a_table_is_searched_for_a_part_of_a_name_and_for_nothing_else(open_one: Any, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/registry.db"
    engine = create_async_engine(address.replace("sqlite:", "sqlite+aiosqlite:"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE base (uscc TEXT, entname TEXT)"))
        for code, entname in ((CODES[0], "杭州若木有限公司"), (CODES[1], "杭州若水有限公司")):
            await connection.execute(text("INSERT INTO base VALUES (:code, :name)"), {"code": code, "name": entname})
    await engine.dispose()
    supply = await open_one(
        f"""{AGENCY}
    kind: sql
    connection: {{url: "${{ADDRESS}}"}}
    datasets:
      - record: CompanySearch
        table: base
        key: {{path: entname, kind: name}}
        batch: 1
        missingMeans: none
        fields: {{creditCode: uscc, name: entname}}
    """,
        address,
    )
    name = SearchName.parse("若木")
    assert values((await ask(supply, [name]))[name], ["creditCode"]) == [(CODES[0],)]
    # Whoever calls without `parse` finds no more by it.
    wild = SearchName("若_")
    assert values((await ask(supply, [wild]))[wild], ["creditCode"]) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch: 1", "batch: 2\n        missingMeans: none", "a call searches for one name"),
        ("kind: name", "kind: registrationNumber", "CompanySearch cannot be keyed by registrationNumber"),
        ("kind: name", "kind: name, spellings: [lower]", "has no spelling lower"),
        ("record: CompanySearch", "record: LegacyIdentifiers", "LegacyIdentifiers cannot be keyed by name"),
    ],
)
async def test_a_search_that_cannot_be_is_refused(open_one: Any, old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        await open_one(SEARCH.replace(old, new), "")


@pytest.mark.parametrize("record", ["Penalty", "CompanyByTaxNumber", "LegacyIdentifiers"])
async def test_a_record_type_is_only_keyed_by_what_it_can_be(open_one: Any, record: str) -> None:
    kind = "name" if record == "Penalty" else "registrationNumber"
    with pytest.raises(ManifestInvalid, match=f"{record} cannot be keyed by {kind}"):
        await open_one(
            BY_NUMBER.replace("Penalty", record).replace(
                "registrationNumber", f"{kind}}}\n        batch: 1\n        asOf: {{constant: '2026-11-01'"
            ),
            "",
        )


def test_a_dataset_whose_numbers_no_crosswalk_tells_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(dedent(BY_NUMBER))
    with pytest.raises(ManifestInvalid, match="no crosswalk tells a company's registrationNumber"):
        load_manifests(tmp_path, WITH_LOOKUPS)
    crosswalk = f"""
    agency: crosswalk
    name: {{en: Crosswalk, zh: 对照}}
    kind: memory
    datasets:
      - record: LegacyIdentifiers
        key: uscc
        missingMeans: none
        fields: {{registrationNumber: regno}}
        rows: [{{uscc: {CODES[0]}, regno: "{NUMBERS[0]}"}}]
    """
    (tmp_path / "crosswalk.yaml").write_text(dedent(crosswalk))
    assert len(load_manifests(tmp_path, WITH_LOOKUPS)) == 2


ROW, OTHER = (
    CompanyRows(Outcome.ANSWERED, ({"a": 1},)),
    CompanyRows(Outcome.ANSWERED, ({"a": 2},), unreadable={0: frozenset("b")}),
)
UNKNOWN, FAILED = CompanyRows(Outcome.UNKNOWN_COMPANY), CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_TIMEOUT)


@pytest.mark.parametrize(
    ("parts", "outcome", "rows", "failure"),
    [
        ([ROW, OTHER], Outcome.ANSWERED, [(1,), (2,)], None),
        ([ROW, UNKNOWN], Outcome.ANSWERED, [(1,)], None),
        ([UNKNOWN, UNKNOWN], Outcome.UNKNOWN_COMPANY, [], None),
        ([ROW, FAILED], Outcome.INCOMPLETE, [(1,)], FailureCode.AGENCY_TIMEOUT),
        ([FAILED, UNKNOWN], Outcome.INCOMPLETE, [], FailureCode.AGENCY_TIMEOUT),
        ([FAILED, FAILED], Outcome.FAILED, [], FailureCode.AGENCY_TIMEOUT),
    ],
)
def test_what_is_said_under_several_keys_is_said_together(
    parts: list[CompanyRows], outcome: Outcome, rows: list[tuple[int]], failure: FailureCode | None
) -> None:
    answer = together(parts, single=False)
    assert (answer.outcome, values(answer, ["a"]), answer.failure) == (outcome, rows, failure)


def test_values_that_could_not_be_read_keep_their_rows_and_a_surplus_row_is_counted() -> None:
    assert together([ROW, OTHER], single=False).unreadable == {1: frozenset("b")}
    single = together([ROW, OTHER], single=True)
    assert (single.outcome, values(single, ["a"]), single.unmapped) == (Outcome.INCOMPLETE, [(1,)], 1)
