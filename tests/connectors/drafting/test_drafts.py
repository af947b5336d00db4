"""Drafts of manifests: what is guessed, that they are good, and that they hold none of the sample's values."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from connectors.drafting.draft import KINDS, Wishes, draft
from connectors.drafting.likeness import initials
from connectors.drafting.sample import LARGEST, Form, SampleUnreadable, read_sample
from connectors.drafting.tables import read_table
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from schema.records import catalogue
from tests.connectors.soap_support import answered, envelope, penalty
from tests.connectors.support import CODES, LOOPBACK
from tests.waiting import PATIENCE

SHAPES = record_shapes(catalogue())
WORDS = {
    record.name: {field.name: field.description_zh for field in record.fields.values()}
    for record in catalogue().records.values()
}
REGISTRATION_NUMBER = "110108000000016"


def penalties(**more: Any) -> list[dict[str, Any]]:
    return [
        {
            "tyshxydm": CODES[number].lower() if number else str(CODES[number]),
            "jdswh": f"浙虚罚〔2026〕{number}号",
            "cfjdrq": f"{20 + number}/03/2026",
            "fkje_wy": "1,234.50",
            "cflb": str(number % 2),
            "cfjg": "未知" if number else "某局",
            **more,
        }
        for number in range(4)
    ]


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


async def drafted(content: bytes | str, kind: str | None = None, record: str | None = None, **more: Any) -> str:
    sample = await read_sample(content.encode() if isinstance(content, str) else content)
    wishes = Wishes("court", "Court", "法院", kind or KINDS[sample.form], record, "COURT_URL", **more)
    return draft(sample, wishes, SHAPES, WORDS)


def read(text: str, tmp_path: Path) -> Any:
    """The draft, which is a good manifest; as YAML."""
    path = tmp_path / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    load_manifest(path, SHAPES)
    return yaml.safe_load(text)


async def test_json_gives_a_draft_of_the_kind_rest_with_key_rows_dates_money_and_words_for_nothing(
    tmp_path: Path,
) -> None:
    text = await drafted(json.dumps({"code": "0", "data": {"total": 4, "list": penalties()}}))
    manifest = read(text, tmp_path)
    (dataset,) = manifest["datasets"]
    assert (manifest["kind"], manifest["none"]) == ("rest", ["未知"])
    assert dataset["record"] == "Penalty"
    assert dataset["key"] == "tyshxydm"
    assert dataset["response"] == {"rows": "data.list", "envelope": {"path": "code", "ok": ["0"]}}
    assert "# TODO ok is what the sample had" in text
    assert dataset["fields"] == {
        "documentNumber": "jdswh",
        "decidedOn": {"path": "cfjdrq", "formats": ["%d/%m/%Y"]},
        "authority": "cfjg",
        "kind": "cflb",
        "amount": {"path": "fkje_wy", "unit": "万元"},
    }
    assert "# TODO codes (2 different in the sample)" in text


HONOUR = {"xydm": CODES[0], "status": "1", "ryname": "诚信企业", "bysj": "2026-01-02"}
ROW = f"<tyshxydm>{CODES[0]}</tyshxydm><jdswh>浙罚1</jdswh><cfjdrq>2026-01-02</cfjdrq><status>1</status>"


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ({"code": 0, "msg": "ok", "data": HONOUR}, {"rows": "data", "envelope": {"path": "code", "ok": ["0"]}}),
        (
            {"retcode": "0000", "retmsg": "成功", "traceId": "a1", "data": [HONOUR]},
            {"rows": "data", "envelope": {"path": "retcode", "ok": ["0000"]}},
        ),
        (
            {"success": True, "resultCode": "00", "result": {"total": 1, "rows": [HONOUR]}},
            {
                "rows": "result.rows",
                "envelope": [{"path": "success", "ok": ["true"]}, {"path": "resultCode", "ok": ["00"]}],
            },
        ),
        (
            {"head": {"status": 200, "seq": "1"}, "body": {"page": 1, "list": [HONOUR]}},
            {"rows": "body.list", "envelope": {"path": "head.status", "ok": ["200"]}},
        ),
        (
            {"status": "OK", "system": "something else", "data": {"count": 1, "entity": HONOUR}},
            {"rows": "data.entity", "envelope": {"path": "status", "ok": ["OK"]}},
        ),
        (
            {"code": 0, "data": {**HONOUR, "more": [{"x": 1}]}},
            {"rows": "data", "envelope": {"path": "code", "ok": ["0"]}},
        ),
        ({"a": HONOUR}, {"rows": "a"}),
        (HONOUR, {}),
        ([HONOUR], {}),
        ({"company": {"xydm": CODES[0]}, "honour": {"ryname": "a", "bysj": "2026-01-02"}}, {}),
    ],
    ids=json.dumps,
)
async def test_what_says_how_an_answer_went_is_its_envelope_and_no_row(
    tmp_path: Path, answer: Any, response: Any
) -> None:
    (dataset,) = read(await drafted(json.dumps(answer), record="Honour"), tmp_path)["datasets"]
    assert dataset["response"] == response
    assert not {"code", "msg", "success", "retcode"} & set(map(str, dataset["fields"].values()))


@pytest.mark.parametrize(
    ("answer", "rows", "judged"),
    [
        (f"<r><code>0</code><rows><row>{ROW}</row></rows></r>", "rows.row", {"path": "code", "ok": ["0"]}),
        (f"<r><rows><row>{ROW}</row><row>{ROW}</row></rows></r>", "rows.row", None),
        (
            f"<r><HEAD><RET>0000</RET></HEAD><BODY><TOTAL>1</TOTAL><ROW>{ROW}</ROW></BODY></r>",
            "BODY.ROW",
            {"path": "HEAD.RET", "ok": ["0000"]},
        ),
        (f'<r status="1"><row>{ROW}</row></r>', "row", {"path": "@status", "ok": ["1"]}),
        (f"<r>{ROW}</r>", None, None),
    ],
)
async def test_a_row_of_xml_that_stands_alone_is_a_row(
    tmp_path: Path, answer: str, rows: str | None, judged: Any
) -> None:
    (dataset,) = read(await drafted(answer), tmp_path)["datasets"]
    assert (dataset["response"].get("rows"), dataset["response"].get("envelope")) == (rows, judged)
    assert (dataset["key"], dataset["fields"]["documentNumber"]) == ("tyshxydm", "jdswh")


async def test_a_web_service_that_has_a_code_of_its_own_gets_an_envelope() -> None:
    answer = envelope(f"<q><return><code>0</code><msg>ok</msg><list>{ROW}</list></return></q>")
    text = await drafted(answer, wsdl="penalties.wsdl", operation="QueryPenalties")
    assert 'response: {rows: return.list, envelope: {path: return.code, ok: ["0"]}}' in text


async def test_rows_in_one_object_that_has_the_code_are_nested(tmp_path: Path) -> None:
    answer = {
        "code": 0,
        "data": {"uscc": CODES[0], "ratings": [{"year": 2024, "grade": "A"}, {"year": 2025, "grade": "B"}]},
    }
    (dataset,) = read(await drafted(json.dumps(answer), record="TaxCredit"), tmp_path)["datasets"]
    assert dataset["key"] == "^.uscc"
    assert (dataset["response"]["rows"], dataset["response"]["within"]) == ("data", "ratings")


async def test_rows_nested_in_objects_with_the_code_are_found(tmp_path: Path) -> None:
    around = [{"uscc": CODES[0], "ratings": [{"year": 2024, "grade": "A"}, {"year": 2025, "grade": "B"}]}]
    manifest = read(await drafted(json.dumps({"companies": around}), record="TaxCredit"), tmp_path)
    (dataset,) = manifest["datasets"]
    assert dataset["key"] == "^.uscc"
    assert dataset["response"] == {"rows": "companies", "within": "ratings"}
    assert dataset["fields"] == {"year": "year", "grade": "grade"}


async def test_graphql_is_asked_by_the_field_of_the_answer(tmp_path: Path) -> None:
    answer = {"data": {"company": {"page": {"nodes": [{"year": 2024, "grade": "A", "code": CODES[0]}]}}}}
    manifest = read(await drafted(json.dumps(answer), kind="graphql", record="TaxCredit"), tmp_path)
    assert manifest["datasets"][0]["query"] == {
        "field": "company",
        "argument": "TODO",
        "type": "String!",
        "rows": "page.nodes",
    }


@pytest.mark.parametrize("around", ["penalties", ""])
async def test_a_connection_of_graphql_is_drafted_to_be_read_page_by_page(tmp_path: Path, around: str) -> None:
    nodes = [{"year": 2024, "grade": "A", "code": CODES[0]}]
    page = {"edges": [{"node": node} for node in nodes], "pageInfo": {"hasNextPage": True, "endCursor": "x"}}
    answer = {"data": {"company": {around: page} if around else page}}
    manifest = read(await drafted(json.dumps(answer), kind="graphql", record="TaxCredit"), tmp_path)
    before = f"{around}." if around else ""
    assert manifest["datasets"][0]["fields"]["year"] == "year"
    assert manifest["datasets"][0]["query"] == {
        "field": "company",
        "argument": "TODO",
        "type": "String!",
        "rows": f"{before}edges.node",
        "paging": {
            **({"field": around} if around else {}),
            "cursor": "after",
            "next": f"{before}pageInfo.endCursor",
            "more": f"{before}pageInfo.hasNextPage",
            "size": "first",
        },
    }


async def test_soap_names_the_rows_within_the_body() -> None:
    rows = "".join(penalty(CODES[0], number, fine="1.5") for number in (1, 2))
    text = await drafted(answered(rows), wsdl="penalties.wsdl", operation="QueryPenalties", record="Penalty")
    (dataset,) = yaml.safe_load(text)["datasets"]
    assert dataset["request"]["operation"] == "QueryPenalties"
    assert dataset["response"] == {"rows": "penalties.penalty"}
    assert dataset["key"] == "company.code"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
async def test_a_drop_tells_its_encoding_and_its_delimiter(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [["统一社会信用代码", "处罚决定日期", "罚款金额(万元)", "处罚机关"]]
    lines += [[CODES[number], f"2026-3-{number + 1}", "2", "某局"] for number in range(3)]
    content = "\n".join(map(delimiter.join, lines)) + "\n"
    manifest = read(await drafted(content.encode(encoding), place="penalties_*.csv"), tmp_path)
    (dataset,) = manifest["datasets"]
    assert dataset.get("encoding", "utf-8") == {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert dataset.get("delimiter", ",") == delimiter
    assert (dataset["file"], dataset["key"]) == ("penalties_*.csv", "统一社会信用代码")
    assert dataset["fields"] == {
        "decidedOn": "处罚决定日期",
        "authority": "处罚机关",
        "amount": {"path": "罚款金额(万元)", "unit": "万元"},
    }


async def test_a_drop_without_a_header_gets_names_that_somebody_has_to_better(tmp_path: Path) -> None:
    content = "".join(f"{CODES[number]},某公司,2026-03-0{number + 1}\n" for number in range(3))
    text = await drafted(content, record="Registration")
    (dataset,) = read(text, tmp_path)["datasets"]
    assert dataset["header"] == ["column1", "column2", "column3"]
    assert dataset["key"] == "column1"
    assert "某公司" not in text


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"数据/penalties.csv": content})])
async def test_a_packed_drop_is_drafted_as_what_it_holds(tmp_path: Path, pack: Any) -> None:
    content = f"统一社会信用代码,处罚决定日期\n{CODES[0]},2026-3-1\n".encode("gb18030")
    manifest = read(await drafted(pack(content), place="penalties_*.csv.gz"), tmp_path)
    (dataset,) = manifest["datasets"]
    assert (manifest["kind"], dataset["encoding"]) == ("file", "gb18030")
    assert (dataset["file"], dataset["fields"]) == ("penalties_*.csv.gz", {"decidedOn": "处罚决定日期"})


async def test_a_workbook_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["企业名称", "信用代码", "成立日期"])
    book.active.append(["某公司", CODES[0], "2020-01-02"])
    content = io.BytesIO()
    book.save(content)
    (dataset,) = read(await drafted(content.getvalue(), place="companies.xlsx"), tmp_path)["datasets"]
    assert (dataset["record"], dataset["format"], dataset["key"]) == ("Registration", "xlsx", "信用代码")
    assert dataset["fields"] == {"name": "企业名称", "establishedOn": "成立日期"}


async def test_json_lines_are_a_drop(tmp_path: Path) -> None:
    (dataset,) = read(await drafted("\n".join(map(json.dumps, penalties()))), tmp_path)["datasets"]
    assert (dataset["format"], dataset["key"]) == ("jsonLines", "tyshxydm")


async def test_a_table_gives_its_columns_and_is_only_read(sql_database: Any, tmp_path: Path) -> None:
    address, run = sql_database
    await run('CREATE TABLE t_reg ("UNISCID" CHAR(20), "ENTNAME" VARCHAR(99), "ESTDATE" DATE, "REG CAP" TEXT)')
    await run(f"INSERT INTO t_reg VALUES ('{CODES[0].lower()}', '某公司', '2020-01-02', '5')")  # noqa: S608
    sample = await read_table("REGISTRY_URL", "t_reg", SupplySettings({"REGISTRY_URL": address}, reach=LOOPBACK))
    assert list(sample.columns) == ["UNISCID", "ENTNAME", "ESTDATE", "REG CAP"]
    wishes = Wishes("registry", "Registry", "登记", KINDS[Form.TABLE], None, "REGISTRY_URL", "t_reg")
    text = draft(sample, wishes, SHAPES, WORDS)
    manifest = read(text, tmp_path)
    assert manifest["datasets"][0]["key"] == {"path": "UNISCID", "spellings": ["lower"]}
    assert (
        manifest["datasets"][0]["fields"] | {"name": "ENTNAME", "establishedOn": "ESTDATE"}
        == (manifest["datasets"][0]["fields"])
    )
    assert "某公司" not in text


async def test_a_table_that_is_not_there_is_told(sql_database: Any) -> None:
    await sql_database[1]("CREATE TABLE t_penalty (code TEXT)")
    with pytest.raises(SampleUnreadable, match="there is no such table"):
        await read_table("REGISTRY_URL", "t_reg", SupplySettings({"REGISTRY_URL": sql_database[0]}, reach=LOOPBACK))


async def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings, before = SupplySettings({"REGISTRY_URL": f"sqlite:///{tmp_path / 'none.db'}"}), threading.enumerate()
    with pytest.raises(SampleUnreadable, match="is it there"):
        await read_table("REGISTRY_URL", "t_reg", settings)
    # The driver's thread tells the loop of its end, which must not be closed by then.
    for thread in threading.enumerate():
        if thread not in before:
            await asyncio.to_thread(thread.join, PATIENCE)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (CODES[0].lower(), {"path": "dm", "spellings": ["lower"]}),
        (
            f"{CODES[0].organisation_code[:8]}-{CODES[0].organisation_code[8]}",
            {"path": "dm", "kind": "organisationCode", "spellings": ["hyphenated"]},
        ),
        (CODES[0].organisation_code, {"path": "dm", "kind": "organisationCode"}),
    ],
)
async def test_the_key_is_the_column_of_companies_codes_however_written(
    tmp_path: Path, key: str, expected: Any
) -> None:
    text = await drafted(json.dumps([{"year": 2024, "grade": "A", "dm": key}]), record="TaxCredit")
    assert read(text, tmp_path)["datasets"][0]["key"] == expected


async def test_what_several_rows_share_is_no_record_s_id(tmp_path: Path) -> None:
    rows = [{"xydm": CODES[0], "pripid": "1", "lsh": str(number), "wfss": "x"} for number in range(3)]
    text = await drafted(json.dumps(rows), record="Penalty")
    assert read(text, tmp_path)["datasets"][0]["fields"]["recordId"] == "lsh"
    text = await drafted(json.dumps([{**row, "lsh": "1"} for row in rows]), record="Penalty")
    assert "recordId" not in read(text, tmp_path)["datasets"][0]["fields"]


async def test_registration_numbers_need_a_crosswalk(tmp_path: Path) -> None:
    text = await drafted(json.dumps([{"year": 2024, "zch": REGISTRATION_NUMBER}]), record="TaxCredit")
    assert read(text, tmp_path)["datasets"][0]["key"] == {"path": "zch", "kind": "registrationNumber"}
    assert "a crosswalk" in text


@pytest.mark.parametrize(
    ("written", "formats"),
    [
        ("20260305", None),
        ("2026年3月5日", None),
        ("05/13/2026", ["%m/%d/%Y"]),
        ("1772668800", ["epochSeconds"]),
        ("1772668800000", ["epochMilliseconds"]),
        ("20260305123000", None),
    ],
)
async def test_dates_are_read_as_they_are_written(tmp_path: Path, written: str, formats: Any) -> None:
    text = await drafted(json.dumps([{"decidedOn": written, "code": CODES[0]}]), record="Penalty")
    field = read(text, tmp_path)["datasets"][0]["fields"]["decidedOn"]
    assert field == ("decidedOn" if formats is None else {"path": "decidedOn", "formats": formats})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "XML that is not read"),
        (b"{", "neither JSON nor JSON lines"),
        (b"{}", "there are no rows"),
        (b'{"code": 0, "msg": "ok", "data": ""}', "there are no rows"),
        (b'{"code": -1, "msg": "db down"}', "there are no rows"),
        (b'{"success": true, "data": []}', "there are no rows"),
        (b"<r><code>0</code><rows/></r>", "there are no rows"),
        (b"PK\x03\x04 nothing", "an archive that cannot be unpacked"),
        (zipped({"[Content_Types].xml": b""}), "no workbook"),
        (zipped({"a.csv": b"a", "b.csv": b"b"}), "its archive has 2 files: give the one that is meant"),
        (zipped({}), "its archive has 0 files|cannot be unpacked"),
        (zipped({"a.csv": bytes(LARGEST + 1)}), "it is larger than"),
        (gzip.compress(bytes(LARGEST + 1)), "it is larger than"),
        (gzip.compress(b"a,b", mtime=0)[:-5], "it is packed by gzip, and cut off"),
        (b"\x1f\x8b nothing", "it is packed by gzip, and damaged"),
        (b"PAR1", "a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx"),
        (b"\xff\xff\xff", "neither UTF-8 nor GB18030"),
    ],
)
async def test_what_cannot_be_read_is_told(content: bytes, why: str) -> None:
    with pytest.raises(SampleUnreadable, match=why):
        await drafted(content)


async def test_objects_that_are_keyed_by_codes_or_dates_do_not_make_paths_of_them() -> None:
    organisation = CODES[2].organisation_code
    answer = {
        "data": {CODES[0]: {"year": 2024}, "2026-01-01": {"grade": "A"}},
        "rows": [{"year": 1, CODES[1]: 2, organisation: 3}],
    }
    text = await drafted(json.dumps(answer), record="TaxCredit")
    assert not any(secret in text for secret in (CODES[0], CODES[1], organisation, "2026-01-01"))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
values = st.one_of(
    texts.map(lambda text: f"§{text}"),
    st.sampled_from([str(code) for code in CODES]).map(lambda code: f"§{code}"),
    st.integers(10**9, 10**12),
)
rows = st.lists(
    st.fixed_dictionaries(dict.fromkeys(("cfjdrq", "jdswh", "fkje", "cflb", "qymc"), values)),
    min_size=1,
    max_size=8,
)


@given(rows, st.sampled_from(["json", "csv", "lines"]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_of_a_sample_is_in_its_draft(found: list[dict[str, Any]], form: str) -> None:
    coded = [{"xydm": str(CODES[index % 40]), **row} for index, row in enumerate(found)]
    if form == "csv":
        content = "\n".join(
            "\t".join(str(value).replace("\t", " ").replace('"', "'") for value in line)
            for line in [list(coded[0]), *(list(row.values()) for row in coded)]
        )
    elif form == "json":
        content = json.dumps({"rows": coded})
    else:
        content = "\n".join(map(json.dumps, coded))
    text = asyncio.run(drafted(content))
    assert "§" not in text
    assert not any(str(value) in text for row in coded for value in row.values())


def test_the_initials_are_those_of_the_pinyin() -> None:
    assert initials("统一社会信用代码") == "tyshxydm"
    assert initials("行政处罚决定书文号") == "xzcfjdswh"
