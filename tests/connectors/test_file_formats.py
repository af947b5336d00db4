from __future__ import annotations

import gzip
import json
import os
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.contract import CompanyRows, FailureCode, Outcome, SourceCall
from connectors.dates import CHINA_TIME
from connectors.drops.unpacking import LARGEST_RATIO, SMALL
from connectors.errors import AgencyFailure, ConnectionNotConfigured, ManifestInvalid
from connectors.manifest_file import load_manifest
from schema.values import Money
from tests.connectors.support import CODES, SHAPES, ask

pytestmark = pytest.mark.usefixtures("indexed_here")

MANIFEST = """
    agency: customs
    name: {{en: Customs, zh: 海关}}
    kind: file
    connection: {{path: "${{ADDRESS}}"}}
    datasets:
      - record: Registration
        file: customs*
        key: code
        missingMeans: none
        {options}
        fields: {{name: name, establishedOn: since, registeredCapital: capital}}
"""
TEXT = f'code,name,since,capital\n{CODES[0]},"甲\n公司",2020-01-02,12.30\n{CODES[1]},乙,20210203,0.1\n'
ROWS: dict[str, Any] = {
    "name": "甲\n公司",
    "establishedOn": date(2020, 1, 2),
    "registeredCapital": Money(Decimal("12.30"), "CNY"),
}


def manifest(*options: str) -> str:
    return MANIFEST.format(options="\n        ".join(options) or "timeToLive: 0")


async def answered(open_one: Any, directory: Path, *options: str) -> CompanyRows:
    supply = await open_one(manifest(*options), str(directory))
    return (await ask(supply, CODES[:1]))[CODES[0]]


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8-sig", "utf-8"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
async def test_text_is_read_in_its_encoding(tmp_path: Path, open_one: Any, encoding: str, named: str) -> None:
    # In UTF-16, 上 (U+4E0A) and 䬢 (U+4B22) have the bytes of a newline and of a quotation mark.
    (tmp_path / "customs.csv").write_bytes(TEXT.replace("甲", "上䬢甲").encode(encoding))
    answer = await answered(open_one, tmp_path, f"encoding: {named}")
    assert answer.rows == ({**ROWS, "name": "上䬢甲\n公司"},)


async def test_text_cut_off_in_the_middle_of_a_character_is_refused(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.csv").write_bytes(TEXT.encode("utf-16")[:-1])
    assert (await answered(open_one, tmp_path, "encoding: utf-16")).failure is FailureCode.AGENCY_UNAVAILABLE


async def test_tabs_without_quotes_and_without_a_header(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.tsv").write_text(f'{CODES[0]}\t5" 管\t2020-01-02\t1\n', encoding="utf-8")
    options = ('delimiter: "\\t"', "quotes: false", "header: [code, name, since, capital]")
    answer = await answered(open_one, tmp_path, *options)
    assert (answer.outcome, answer.rows[0]["name"]) == (Outcome.ANSWERED, '5" 管')


async def test_fields_may_be_parted_by_several_characters(tmp_path: Path, open_one: Any) -> None:
    text = f"code|@|name|@|since|@|capital\n{CODES[0]}|@|甲|乙@|@|2020-01-02|@|12.30\r\n"
    (tmp_path / "customs.txt").write_bytes(text.encode())
    answer = await answered(open_one, tmp_path, "delimiter: '|@|'", "quotes: false")
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, ({**ROWS, "name": "甲|乙@"},))


@pytest.mark.parametrize(
    "options", [["marker: .ok", "unended: true"], ["marker: .ok"], ["marker: .ok", "member: customs.csv"]]
)
async def test_a_last_line_without_an_end_counts_where_something_else_tells_that_the_drop_is_whole(
    tmp_path: Path, open_one: Any, options: list[str]
) -> None:
    packed = "member: customs.csv" in options
    if packed:
        zipped(tmp_path / "customs.zip", {"customs.csv": TEXT.rstrip().encode()})
    else:
        (tmp_path / "customs.csv").write_bytes(TEXT.rstrip().encode())
    (tmp_path / ("customs.zip.ok" if packed else "customs.csv.ok")).touch()
    supply = await open_one(manifest(*options), str(tmp_path))
    answer = (await ask(supply, CODES[1:2]))[CODES[1]]
    expected = Outcome.FAILED if options == ["marker: .ok"] else Outcome.ANSWERED
    assert answer.outcome is expected
    assert [row["name"] for row in answer.rows] == ([] if expected is Outcome.FAILED else ["乙"])


async def test_lines_of_json_keep_exact_numbers_and_nested_values(tmp_path: Path, open_one: Any) -> None:
    row = {"company": {"code": CODES[0].lower()}, "name": "甲", "since": None, "capital": "@"}
    lines = [json.dumps(row).replace('"@"', "12345678901234567.89"), "", "[1]", "{", json.dumps({"name": "丙"})]
    (tmp_path / "customs.jsonl").write_text("\r\n".join(lines), encoding="utf-8")
    text = manifest("format: jsonLines").replace("key: code", "key: company.code")
    supply = await open_one(text, str(tmp_path))
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert answer.rows[0]["registeredCapital"] == Money(Decimal("12345678901234567.89"), "CNY")
    assert (answer.outcome, answer.unmapped) == (Outcome.INCOMPLETE, 3)


DOCUMENTS = {
    "json": f'{{"total": 2, "data": {{"list": [{{"code": "{CODES[0]}", "name": "甲\\n公司", "since": "2020-01-02", '
    f'"capital": 12.30, "more": {{"x": 1}}}}, {{"code": "{CODES[1]}", "name": NaN}}]}}}}',
    "xml": f"""<?xml version="1.0" encoding="ENCODING"?><drop><data><list><code>{CODES[0]}</code><name>甲
公司</name><since>2020-01-02</since><capital>12.30</capital></list><list><code>{CODES[1]}</code></list></data></drop>""",
}


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
async def test_a_document_may_be_the_drop(tmp_path: Path, open_one: Any, form: str, encoding: str) -> None:
    content = DOCUMENTS[form].replace("ENCODING", encoding)
    zipped(tmp_path / "customs.zip", {f"customs.{form}": content.encode(encoding)})
    answer = await answered(open_one, tmp_path, f"format: {form}", f"encoding: {encoding}", "rows: data.list")
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, (ROWS,))


async def test_what_is_no_row_in_a_document_is_counted(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.json").write_text(f'[{{"code": "{CODES[0]}", "name": "甲"}}, null, 5]', encoding="utf-8")
    answer = await answered(open_one, tmp_path, "format: json")
    assert (answer.outcome, answer.unmapped, answer.rows[0]["name"]) == (Outcome.INCOMPLETE, 2, "甲")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("json", DOCUMENTS["json"][:-20]),
        ("json", '{"data": {"list": "none"}}'),
        ("json", '{"data": {}}'),
        ("xml", DOCUMENTS["xml"].replace("ENCODING", "utf-8")[:-9]),
        ("xml", '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d><data><list>&e;</list></data></d>'),
    ],
)
async def test_a_document_that_is_not_whole_or_not_as_said_is_refused(
    tmp_path: Path, open_one: Any, form: str, content: str
) -> None:
    (tmp_path / "customs.txt").write_text(content, encoding="utf-8")
    answer = await answered(open_one, tmp_path, f"format: {form}", "rows: data.list")
    assert (answer.outcome, answer.failure) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE)


async def test_an_object_that_was_cut_off_counts_as_unreadable(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.jsonl").write_text(
        f'{{"code": "{CODES[0]}", "name": "甲"}}\n{{"code": "9133', encoding="utf-8"
    )
    answer = await answered(open_one, tmp_path, "format: jsonLines")
    assert (answer.outcome, answer.rows[0]["name"]) == (Outcome.INCOMPLETE, "甲")


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


async def test_cells_of_a_workbook_are_read_as_what_they_are(tmp_path: Path, open_one: Any) -> None:
    header = ["code", "name", None, "since", "capital"]
    first = [CODES[0], "甲\n公司", "x", date(2020, 1, 2), 12.3]
    workbook(
        tmp_path / "customs.xlsx", {"说明": [["nothing"]], "数据": [header, [None] * 5, first, [CODES[1], 0.1 + 0.2]]}
    )
    supply = await open_one(manifest("format: xlsx", "sheet: 数据"), str(tmp_path))
    answers = await ask(supply, CODES[:2])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].rows) == (Outcome.ANSWERED, (ROWS,))
    assert answers[CODES[1]].rows[0]["name"] == "0.3"


async def test_what_a_workbook_could_not_calculate_is_counted_not_nothing(tmp_path: Path, open_one: Any) -> None:
    header = ["code", "name", "since", "capital"]
    workbook(tmp_path / "customs.xlsx", {"a": [header, [CODES[0], "#N/A", None, "=6*7"], [CODES[1], "甲", None, None]]})
    supply = await open_one(manifest("format: xlsx"), str(tmp_path))
    answers = await ask(supply, CODES[:2])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].unmapped) == (Outcome.INCOMPLETE, 2)
    assert answers[CODES[1]].outcome is Outcome.ANSWERED


async def test_a_long_number_of_a_workbook_is_no_more_what_was_entered(tmp_path: Path, open_one: Any) -> None:
    """A code that is not a text there has lost its last digits: it may be anybody's."""
    header = ["code", "name", "since", "capital"]
    rows = [[CODES[0], 20210305123456789, None, 1], [911330106000000000, "乙", None, 1]]
    workbook(tmp_path / "customs.xlsx", {"a": [header, *rows]})
    answers = await ask(await open_one(manifest("format: xlsx"), str(tmp_path)), CODES[:2])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].unmapped) == (Outcome.INCOMPLETE, 2)
    assert (answers[CODES[1]].outcome, answers[CODES[1]].unmapped) == (Outcome.INCOMPLETE, 1)
    assert answers[CODES[0]].rows[0]["name"] is None


async def test_dates_of_a_workbook_stand_among_numbers_that_are_meant_as_such(tmp_path: Path, open_one: Any) -> None:
    header = ["code", "name", "since", "capital"]
    workbook(tmp_path / "customs.xlsx", {"a": [header, [CODES[0], "甲", date(2021, 3, 5), 1]]})
    text = manifest("format: xlsx").replace("since,", "{path: since, formats: [excelDays]},")
    answers = await ask(await open_one(text, str(tmp_path)), CODES[:1])
    assert answers[CODES[0]].rows[0]["establishedOn"] == date(2021, 3, 5)


TITLED = [["名单", None, None, None], ["code", "name", "登记", None], [None, None, "since", "capital"]]


@pytest.mark.parametrize("options", [("skip: 3", "header: [code, name, since, capital]"), ("skip: 1",)])
async def test_titles_and_headers_of_merged_cells_are_skipped(
    tmp_path: Path, open_one: Any, options: tuple[str, ...]
) -> None:
    row = [CODES[0], "甲\n公司", date(2020, 1, 2), 12.3]
    head = TITLED if len(options) > 1 else [TITLED[0], ["code", "name", "since", "capital"]]
    workbook(tmp_path / "customs.xlsx", {"a": [*head, row]})
    answer = await answered(open_one, tmp_path, "format: xlsx", *options)
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, (ROWS,))


async def test_lines_before_the_header_are_skipped(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.csv").write_text(f"\ufeff企业名单,,\n\n2026年\n{TEXT}", encoding="utf-8")
    answer = await answered(open_one, tmp_path, "skip: 2")
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, (ROWS,))


async def test_a_workbook_in_an_archive(tmp_path: Path, open_one: Any) -> None:
    workbook(tmp_path / "book", {"a": [["code", "name", "since", "capital"], [CODES[0], "甲", date(2020, 1, 2), 7]]})
    zipped(tmp_path / "customs.zip", {"in/book.xlsx": (tmp_path / "book").read_bytes()})
    answer = await answered(open_one, tmp_path, "format: xlsx")
    assert answer.rows[0]["registeredCapital"] == Money(Decimal(7), "CNY")


def parquet(path: Path, code: Any, name: Any = "甲\n公司") -> None:
    columns = {
        "code": [code, None],
        "name": [name, name],
        "since": [date(2020, 1, 2), None],
        "capital": [Decimal("12.30"), None],
        "a.b": [1, 2],
    }
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize("as_read", [str, lambda code: code.encode()], ids=["text", "bytes"])
async def test_values_of_parquet_are_read_as_what_they_are(
    tmp_path: Path, open_one: Any, as_read: Callable[[str], Any]
) -> None:
    parquet(tmp_path / "customs.parquet", as_read(str(CODES[0])))
    answer = await answered(open_one, tmp_path, "format: parquet", "unkeyedRows: ignore")
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, (ROWS,))


async def test_bytes_that_are_no_text_are_not_made_one(tmp_path: Path, open_one: Any) -> None:
    parquet(tmp_path / "customs.parquet", str(CODES[0]), b"\xff\xfe")
    assert (await answered(open_one, tmp_path, "format: parquet")).failure is FailureCode.AGENCY_UNAVAILABLE


async def test_numbers_of_single_precision_have_the_digits_that_are_meant(tmp_path: Path, open_one: Any) -> None:
    codes = [str(code) for code in CODES[:2]]
    capital = pa.array([0.1, float("nan")], pa.float32())
    table = {"code": codes, "name": ["甲", "乙"], "since": ["2020-01-02"] * 2, "capital": capital}
    pq.write_table(pa.table(table), tmp_path / "customs.parquet")
    answers = await ask(await open_one(manifest("format: parquet"), str(tmp_path)), CODES[:2])
    assert [answers[code].rows[0]["registeredCapital"] for code in CODES[:2]] == [Money(Decimal("0.1"), "CNY"), None]


async def test_an_expression_reaches_into_a_nested_column(tmp_path: Path, open_one: Any) -> None:
    table = {
        "code": [str(CODES[0])],
        "names": [[{"kind": b"old", "text": b"x"}, {"kind": b"new", "text": "甲".encode()}]],
    }
    pq.write_table(pa.table(table), tmp_path / "customs.parquet")
    text = manifest("format: parquet")
    text = text[: text.index("fields:")] + "fields: {name: {jmespath: \"names[?kind == 'new'].text | [0]\"}}\n"
    answer = (await ask(await open_one(text, str(tmp_path)), CODES[:1]))[CODES[0]]
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, ({"name": "甲"},))


async def test_bytes_within_a_nested_column_that_are_no_text_are_not_made_one(tmp_path: Path, open_one: Any) -> None:
    pq.write_table(
        pa.table({"code": [str(CODES[0])], "names": [[{"text": b"\xff\xfe"}]]}), tmp_path / "customs.parquet"
    )
    text = manifest("format: parquet")
    text = text[: text.index("fields:")] + 'fields: {name: {jmespath: "names[0].text"}}\n'
    answer = (await ask(await open_one(text, str(tmp_path)), CODES[:1]))[CODES[0]]
    assert answer.failure is FailureCode.AGENCY_UNAVAILABLE


async def test_parquet_without_its_library_names_the_extra(
    tmp_path: Path, open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConnectionNotConfigured, match=r"xinqiao\[parquet\]"):
        await open_one(manifest("format: parquet"), str(tmp_path))


@pytest.mark.parametrize("name", ["xlsx", "parquet"])
@pytest.mark.parametrize("content", [b"", b"PAR1 no such thing PAR1", b"PK\x03\x04 neither"])
async def test_a_damaged_table_is_refused(tmp_path: Path, open_one: Any, name: str, content: bytes) -> None:
    (tmp_path / f"customs.{name}").write_bytes(content)
    assert (await answered(open_one, tmp_path, f"format: {name}")).failure is FailureCode.AGENCY_UNAVAILABLE


async def test_a_table_without_a_column_that_the_manifest_reads_is_refused(tmp_path: Path, open_one: Any) -> None:
    workbook(tmp_path / "customs.xlsx", {"a": [["code", "name", "since"], [CODES[0], "甲", None]]})
    assert (await answered(open_one, tmp_path, "format: xlsx")).failure is FailureCode.AGENCY_UNAVAILABLE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_gzipped_drop_is_unpacked(tmp_path: Path, open_one: Any, encoding: str) -> None:
    (tmp_path / "customs.csv.gz").write_bytes(gzip.compress(TEXT.encode(encoding)))
    assert (await answered(open_one, tmp_path, f"encoding: {encoding}")).rows == (ROWS,)


async def test_one_file_of_an_archive_is_the_drop(tmp_path: Path, open_one: Any) -> None:
    zipped(tmp_path / "customs.zip", {"../../数据/7月.csv": TEXT.encode(), "readme.txt": b"", "数据/": b""})
    assert (await answered(open_one, tmp_path, 'member: "*.csv"')).rows == (ROWS,)
    assert (await answered(open_one, tmp_path)).failure is FailureCode.AGENCY_UNAVAILABLE
    assert (await answered(open_one, tmp_path, "member: none")).failure is FailureCode.AGENCY_UNAVAILABLE


@pytest.mark.parametrize("kept", [0.2, 0.9], ids=["in the middle", "near the end"])
@pytest.mark.parametrize("suffix", ["gz", "zip"])
async def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path, open_one: Any, suffix: str, kept: float) -> None:
    path = tmp_path / f"customs.csv.{suffix}"
    if suffix == "gz":
        path.write_bytes(gzip.compress(TEXT.encode()))
    else:
        zipped(path, {"a.csv": TEXT.encode()})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert (await answered(open_one, tmp_path)).failure is FailureCode.AGENCY_UNAVAILABLE


@pytest.mark.parametrize("suffix", ["gz", "zip"])
async def test_an_archive_that_unpacks_to_far_too_much_is_refused(tmp_path: Path, open_one: Any, suffix: str) -> None:
    content = TEXT.encode() + b"\n" * (SMALL + 1)
    path = tmp_path / f"customs.csv.{suffix}"
    if suffix == "gz":
        path.write_bytes(gzip.compress(content))
    else:
        zipped(path, {"a.csv": content})
    assert path.stat().st_size * LARGEST_RATIO < len(content)
    assert (await answered(open_one, tmp_path)).failure is FailureCode.AGENCY_UNAVAILABLE


async def test_an_unpacked_drop_goes_on_serving_while_a_broken_one_takes_its_place(
    tmp_path: Path, open_one: Any
) -> None:
    path = tmp_path / "customs.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    supply = await open_one(manifest(), str(tmp_path))
    assert (await ask(supply, CODES[:1]))[CODES[0]].rows == (ROWS,)
    path.write_bytes(b"broken")
    await supply._lines["customs/Registration"].source.ready()
    assert (await ask(supply, CODES[:1]))[CODES[0]].rows == (ROWS,)


async def test_nothing_is_left_of_what_was_made_of_drops(
    tmp_path: Path, open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for content in (gzip.compress(TEXT.encode()), b"broken"):
        (tmp_path / "customs.csv.gz").write_bytes(content)
        await answered(open_one, tmp_path)
    assert list(scratch.iterdir()) == []


async def test_rows_of_one_company_keep_their_order(tmp_path: Path, open_one: Any) -> None:
    lines = "".join(f"{CODES[number % 3]},第{number:02d},,\n" for number in range(30))
    (tmp_path / "customs.csv").write_text("code,name,since,capital\n" + lines, encoding="utf-8")
    supply = await open_one(manifest(), str(tmp_path))
    rows = (await supply._lines["customs/Registration"].source.fetch(_call(CODES[1], CODES[0]))).rows
    assert [row["name"] for row in rows] == [f"第{number:02d}" for start in (1, 0) for number in range(start, 30, 3)]


def _call(*keys: str) -> SourceCall:
    return SourceCall(keys, frozenset(), {}, 5)


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ('{name: "customs_%Y%m%d_*.csv"}', datetime(2026, 11, 1, tzinfo=CHINA_TIME)),
        ('{name: "customs_%Y%m%d_%H.csv"}', datetime(2026, 11, 1, 7, tzinfo=CHINA_TIME)),
        ('{name: "other_%Y%m%d.csv"}', None),
        ("{marker: modified}", datetime.fromtimestamp(1_790_000_000, UTC)),
        ('{marker: text, formats: ["%Y/%m/%d"]}', datetime(2026, 11, 3, tzinfo=CHINA_TIME)),
        ("{marker: text}", datetime(2026, 11, 3, tzinfo=CHINA_TIME)),
        ("{column: since}", datetime(2020, 1, 2, tzinfo=CHINA_TIME)),
        ('{constant: "2026-11-05"}', datetime(2026, 11, 5, tzinfo=CHINA_TIME)),
    ],
)
async def test_the_date_of_the_data_is_where_the_agency_puts_it(
    tmp_path: Path, open_one: Any, as_of: str, expected: datetime | None
) -> None:
    (tmp_path / "customs_20261101_07.csv").write_text(TEXT, encoding="utf-8")
    marker = tmp_path / "customs_20261101_07.csv.ok"
    marker.write_text("2026/11/03\n", encoding="utf-8-sig")
    os.utime(marker, (1_790_000_000, 1_790_000_000))
    text = manifest("marker: .ok", f"asOf: {as_of}").replace("customs*", "customs*.csv")
    supply = await open_one(text, str(tmp_path))
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (answer.rows, answer.as_of) == ((ROWS,), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("format: xlsx", "delimiter: ;"), "delimiter: not for the format xlsx"),
        (("format: parquet", "skip: 1"), "skip: not for the format parquet"),
        (("delimiter: '||'",), "quotes: false"),
        (("rows: data",), "rows: not for the format delimited"),
        (("unended: true",), "needs a marker"),
        (("format: jsonLines", "marker: .ok", "unended: true"), "unended: not for the format jsonLines"),
        (("sheet: a",), "sheet: not for the format delimited"),
        (("asOf: {marker: text}",), "the drops have no marker"),
        (('asOf: {name: "customs_%Y%m.csv"}',), "needs %Y, %m and %d once each"),
        (('asOf: {name: "customs_%Y%m%d%Y.csv"}',), "needs %Y, %m and %d once each"),
        (('asOf: {name: "c_%Y%m%d.csv", column: since}',), "needs exactly one of"),
    ],
)
def test_what_a_drop_cannot_be_is_a_mistake(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    path = tmp_path / "customs.yaml"
    path.write_text(dedent(manifest(*options)), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=message):
        load_manifest(path, SHAPES)


CHINESE = """
    agency: customs
    name: {{en: Customs, zh: 海关}}
    kind: file
    connection: {{path: "${{ADDRESS}}"}}
    datasets:
      - record: Registration
        file: customs*
        format: {format}
        encoding: {encoding}
        key: 信用代码
        missingMeans: none
        unkeyedRows: ignore
        fields: {{name: 名称}}
"""


async def refusal(open_one: Any, directory: Path, encoding: str, form: str = "delimited") -> str:
    """Why a drop is not answered from."""
    supply = await open_one(CHINESE.format(encoding=encoding, format=form), str(directory))
    source = supply._lines["customs/Registration"].source
    with pytest.raises(AgencyFailure) as refused:
        await source.fetch(SourceCall(keys=[CODES[0]], columns=frozenset({"名称"}), filters={}, timeout=20))
    return str(refused.value)


@pytest.mark.parametrize("form", ["delimited", "jsonLines"])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("utf-8", "gb18030"),
        ("utf-8", "gbk"),
        ("gb18030", "utf-8"),
        ("utf-16", "utf-8"),
        ("utf-16-le", "utf-8"),
        ("utf-8", "utf-16"),
    ],
)
async def test_a_drop_in_another_encoding_is_refused_with_the_one_that_fits(
    tmp_path: Path, open_one: Any, written: str, said: str, form: str
) -> None:
    header = "信用代码,名称\n" if form == "delimited" else ""
    row = (
        f"{CODES[0]},甲公司\n"
        if header
        else json.dumps({"信用代码": CODES[0], "名称": "甲"}, ensure_ascii=False) + "\n"
    )
    (tmp_path / "customs.txt").write_bytes((header + row * 3).encode(written))
    reason = await refusal(open_one, tmp_path, said, form)
    assert reason.startswith("drop customs*: ")
    assert reason.endswith(f"(it can be read as {written}: set encoding: {written})")
    assert "甲" not in reason


async def test_a_drop_whose_rows_have_an_ascii_header_is_refused_with_the_encoding_that_fits(
    tmp_path: Path, open_one: Any
) -> None:
    (tmp_path / "customs.csv").write_bytes(TEXT.encode("gb18030"))
    supply = await open_one(manifest("encoding: utf-8"), str(tmp_path))
    with pytest.raises(AgencyFailure, match="not utf-8, as the manifest says"):
        await supply._lines["customs/Registration"].source.fetch(
            SourceCall(keys=[CODES[0]], columns=frozenset({"name"}), filters={}, timeout=20)
        )


async def test_a_drop_that_lacks_a_column_in_every_encoding_is_refused_for_that(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.csv").write_bytes(f"信用代码,名字\n{CODES[0]},甲\n".encode())
    reason = await refusal(open_one, tmp_path, "utf-8")
    assert reason.endswith("its header lacks a column which the manifest reads: '名称'")


async def test_no_other_encoding_is_named_where_the_columns_can_be_read(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.csv").write_text(f"'code','name','since','capital'\n'{CODES[0]}',a,,1\n", encoding="ascii")
    supply = await open_one(manifest("encoding: utf-8"), str(tmp_path))
    with pytest.raises(AgencyFailure, match=r"lacks a column which the manifest reads: 'code'$"):
        await supply._lines["customs/Registration"].source.fetch(
            SourceCall(keys=[CODES[0]], columns=frozenset({"name"}), filters={}, timeout=20)
        )


@pytest.mark.parametrize("lines", ["{}\n", '{"a": 1}\n[]\n', '{"信用代码": null}\n'])
async def test_a_drop_none_of_whose_objects_has_the_key_is_refused(tmp_path: Path, open_one: Any, lines: str) -> None:
    (tmp_path / "customs.jsonl").write_text(lines, encoding="utf-8")
    assert "none of its records has" in await refusal(open_one, tmp_path, "utf-8", "jsonLines")


async def test_a_drop_whose_rows_have_other_columns_than_its_header_is_refused(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "customs.csv").write_bytes(f"信用代码,名称\n{CODES[0]},甲,\n".encode())
    assert "none of its records has" in await refusal(open_one, tmp_path, "utf-8")


async def test_where_there_is_no_drop_it_is_told(tmp_path: Path, open_one: Any) -> None:
    assert (await refusal(open_one, tmp_path, "utf-8")).endswith("there is none")


@pytest.mark.parametrize("written", ['="{}"', '"=""{}"""', "'{}", "`{}", "{}\t", '"{}\t"', "\u200b{}", "\ufeff{} "])
async def test_codes_that_programs_marked_as_texts_are_found(tmp_path: Path, open_one: Any, written: str) -> None:
    lines = f"code,name,since,capital\n{written.format(CODES[0])},甲,2020-01-02,1\n{CODES[1]},乙,,\n"
    (tmp_path / "customs.csv").write_bytes(lines.encode())
    answer = await answered(open_one, tmp_path)
    assert (answer.outcome, answer.rows[0]["name"]) == (Outcome.ANSWERED, "甲")


@pytest.mark.parametrize(
    ("written", "name"),
    [('="0012"', "0012"), ('"=""0012"""', "0012"), ('="a"&"b"', '="a"&"b"'), ('"=""a"" b"', '="a" b'), ('="', '="')],
)
async def test_a_formula_that_is_nothing_but_a_text_is_that_text(
    tmp_path: Path, open_one: Any, written: str, name: str
) -> None:
    lines = f"code,name,since,capital\n{CODES[0]},{written},2020-01-02,1\n"
    (tmp_path / "customs.csv").write_bytes(lines.encode())
    answer = await answered(open_one, tmp_path, *(["quotes: false"] if written == '="' else []))
    assert (answer.outcome, answer.rows[0]["name"]) == (Outcome.ANSWERED, name)
