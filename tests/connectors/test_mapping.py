from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.chinese_numbers import NUMERALS, read_chinese
from connectors.contract import RecordShape
from connectors.manifest import DatasetManifest, FieldMapping
from connectors.mapping import RowMapper, compile_field, compile_mapper
from connectors.text import NOTHINGS, Unmappable
from connectors.turns import Turn
from schema.values import PYTHON_TYPES, Code, Count, DateSpan, Kind, Money
from tests.connectors.support import CODES


def read(kind: Kind, raw: Any, **options: Any) -> Any:
    mapping = FieldMapping.model_validate({"path": "x", **options})
    return compile_field(mapping, kind, NOTHINGS, nested=True).read({"x": raw, "y": "840", "z": "标签"})


@pytest.mark.parametrize(
    ("raw", "options", "expected"),
    [
        ("2021-3-5", {}, date(2021, 3, 5)),
        ("2021/03/05 12:30:00", {}, date(2021, 3, 5)),
        ("２０２１．３．５", {}, date(2021, 3, 5)),
        ("20210305", {}, date(2021, 3, 5)),
        ("20210305093000", {}, date(2021, 3, 5)),
        (20210305, {}, date(2021, 3, 5)),
        ("2021年3月5日", {}, date(2021, 3, 5)),
        ("2021-03-05T16:00:00Z", {}, date(2021, 3, 6)),
        ("2021-03-05T23:59:59.999+08:00", {}, date(2021, 3, 5)),
        (datetime(2021, 3, 5, 20, tzinfo=UTC), {}, date(2021, 3, 6)),
        (date(2021, 3, 5), {}, date(2021, 3, 5)),
        ("05/03/2021", {"formats": ["%Y%m%d", "%d/%m/%Y"]}, date(2021, 3, 5)),
        (1614902400000, {"formats": ["epochMilliseconds"]}, date(2021, 3, 5)),
        ("1614902400", {"formats": ["epochSeconds"]}, date(2021, 3, 5)),
        (44260, {"formats": ["excelDays"]}, date(2021, 3, 5)),
        ("44260.999988", {"formats": ["%Y-%m-%d", "excelDays"]}, date(2021, 3, 5)),
        (Decimal(61), {"formats": ["excelDays"]}, date(1900, 3, 1)),
        ("1900-1-1", {}, None),
        ("9999-9-9", {}, None),
        ("9999-12-31 23:59:59", {}, None),
        ("9999-12-31T23:59:59Z", {}, None),
        (datetime(9999, 12, 31, 20, tzinfo=UTC), {}, None),
        ("20210305093000123", {}, date(2021, 3, 5)),
        ("2021-03-05T16:00:00Z", {"formats": ["%d.%m.%Y"]}, date(2021, 3, 6)),
        ("1970-1-1", {"none": ["1970-01-01"]}, None),
        ("长期", {"none": ["长期"]}, None),
        (0, {"none": ["0"]}, None),
        (-1, {"none": ["-1"], "formats": ["epochMilliseconds"]}, None),
        (Decimal("NaN"), {"none": ["NaN"]}, None),
        ("暂无", {}, None),
        ("暂无", {"default": "2020-01-01"}, date(2020, 1, 1)),
    ],
)
def test_dates_are_read_as_agencies_write_them(raw: Any, options: dict[str, Any], expected: date | None) -> None:
    assert read(Kind.DATE, raw, **options) == expected


@pytest.mark.parametrize(
    "raw", ["2021-13-5", "2021-3", "2021-3/5", "202135", "tomorrow", "0000-00-00", "202103050930001", True, [], {}]
)
def test_what_is_no_date_is_not_guessed(raw: Any) -> None:
    with pytest.raises(Unmappable):
        read(Kind.DATE, raw)
    with pytest.raises(Unmappable):
        read(Kind.DATE, "2021111", formats=["%Y%m%d"])
    for number in (60, 2_958_466, "1e999999999", "NaN", "sNaN", -5):
        with pytest.raises(Unmappable):
            read(Kind.DATE, number, formats=["excelDays"])


@pytest.mark.parametrize(
    ("raw", "options", "expected"),
    [
        ("１，０００.５", {}, Money(Decimal("1000.5"))),
        (12.1, {}, Money(Decimal("12.1"))),
        ("3", {"unit": "万元"}, Money(Decimal(30000))),
        ("1250", {"unit": "分"}, Money(Decimal("12.50"))),
        ("500万美元", {}, Money(Decimal(5_000_000), "USD")),
        ("500 万元人民币", {"unit": "分", "currency": "HKD"}, Money(Decimal(5_000_000), "CNY")),
        ("7", {"currency": "EUR"}, Money(Decimal(7), "EUR")),
        ("7", {"currency": {"path": "y", "codes": {"840": "USD"}}}, Money(Decimal(7), "USD")),
        ("7", {"currency": {"path": "none"}}, Money(Decimal(7), "CNY")),
        ("-", {}, None),
    ],
)
def test_money_is_exact_in_the_main_unit_of_its_currency(raw: Any, options: dict[str, Any], expected: Any) -> None:
    assert read(Kind.MONEY, raw, **options) == expected


@pytest.mark.parametrize(
    ("kind", "raw", "options", "expected"),
    [
        (Kind.INTEGER, "２０２１", {}, 2021),
        (Kind.INTEGER, 2021.0, {}, 2021),
        (Kind.DECIMAL, "12.50%", {}, Decimal("12.50")),
        (Kind.COUNT, "1,200", {}, Count(1200)),
        (Kind.BOOLEAN, "否", {}, False),
        (Kind.BOOLEAN, "无", {}, False),
        (Kind.BOOLEAN, 1, {}, True),
        (Kind.BOOLEAN, "9", {"codes": {"9": True}}, True),
        (Kind.CODE, "０１", {"codes": {"01": "minor"}}, Code("minor")),
        (Kind.CODE, "无", {"codes": {"无": {"code": "none", "label": "没有"}}}, Code("none", "没有")),
        (Kind.CODE, "A", {"label": "z"}, Code("A", "标签")),
        (Kind.TEXT, " 甲（集团）公司　", {}, "甲（集团）公司"),
        (Kind.TEXT, 12, {}, "12"),
        (Kind.TEXT, "\\N", {}, None),
        (Kind.TEXT, None, {"path": None, "join": ["x", "y", "z"], "with": "/"}, "840/标签"),
        (Kind.TEXT, None, {"path": None, "const": "always"}, "always"),
        (Kind.DATE_SPAN, "2021-3-5", {}, DateSpan(date(2021, 3, 5))),
        (Kind.CREDIT_CODE, f" {CODES[0].lower()} ", {}, CODES[0]),
    ],
)
def test_each_kind_has_its_own_value(kind: Kind, raw: Any, options: dict[str, Any], expected: Any) -> None:
    assert read(kind, raw, **options) == expected


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Kind.INTEGER, "1.5"),
        (Kind.INTEGER, 2**31),
        (Kind.DECIMAL, "1e9999999"),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, "1_000"),
        (Kind.MONEY, "viel"),
        (Kind.BOOLEAN, "maybe"),
        (Kind.TEXT, "\ud800"),
        (Kind.TEXT, b"bytes"),
        (Kind.CREDIT_CODE, CODES[0].organisation_code),
    ],
)
def test_what_a_field_cannot_hold_is_not_mapped(kind: Kind, raw: Any) -> None:
    with pytest.raises(Unmappable):
        read(kind, raw)


def every_kind() -> RowMapper:
    fields: dict[str, Any] = {kind.name: {"path": "x"} for kind in Kind}
    fields["nested"] = "x.0.a.b"
    fields["money"] = {"path": "x", "currency": {"path": "x"}, "unit": "亿元"}
    fields["formatted"] = {"path": "x", "formats": ["%Y%m%d", "epochMilliseconds"]}
    fields["joined"] = {"join": ["x", "x"]}
    fields["labelled"] = {"path": "x", "label": "y"}
    fields["in currency"] = {"path": "x", "currency": {"path": "y", "codes": {"840": "USD", "ＥＵＲ": "EUR"}}}
    fields["in stated currency"] = {"path": "x", "currency": {"path": "y"}}
    fields["with default"] = {"path": "x", "default": "1"}
    fields["constant"] = {"const": "1"}
    fields["coded"] = {"path": "x", "codes": {"1": "one", "": "empty", "无": "none", "Ａ": "wide"}}
    fields["coded label"] = {"path": "x", "codes": {"1": {"code": "one", "label": "L"}, "是": "yes"}, "label": "y"}
    fields["coded boolean"] = {"path": "x", "codes": {"1": True, "true": False, "无": False}}
    fields["own nothing"] = {"path": "x", "none": ["1", "甲（乙）", "2000-01-01"]}
    fields["dates"] = {"path": "x", "none": ["2000-01-01"], "default": "2020-02-02"}
    kinds = {kind.name: kind for kind in Kind} | {
        "nested": Kind.TEXT,
        "money": Kind.MONEY,
        "formatted": Kind.DATE,
        "joined": Kind.TEXT,
        "labelled": Kind.CODE,
        "in currency": Kind.MONEY,
        "in stated currency": Kind.MONEY,
        "with default": Kind.INTEGER,
        "constant": Kind.COUNT,
        "coded": Kind.TEXT,
        "coded label": Kind.CODE,
        "coded boolean": Kind.BOOLEAN,
        "own nothing": Kind.TEXT,
        "dates": Kind.DATE,
    }
    dataset = DatasetManifest.model_validate({"record": "R", "fields": fields})
    return compile_mapper(dataset, RecordShape("R", single=False, fields=kinds), ())


MAPPER = every_kind()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=4)
    | st.from_regex(r"[0-9０-９]{1,8}[-./年万元%,]{0,2}[0-9]{0,3}[月日T :Z+]{0,2}[0-9]{0,6}", fullmatch=True)
)
WILD = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(WILD)
async def test_wild_values_never_raise_and_give_only_values_of_their_kind(raw: Any) -> None:
    mapped = await MAPPER.read([{"x": raw}], MAPPER.fields, Turn())
    row, unmapped = mapped.rows[0], mapped.unreadable.get(0, frozenset())
    assert row.keys() == MAPPER.fields.keys()
    assert unmapped <= row.keys()
    assert all(row[name] is None for name in unmapped)
    for kind in Kind:
        value = row[kind.name]
        assert value is None or isinstance(value, PYTHON_TYPES[kind])
        if isinstance(value, str):
            value.encode()


ORDINARY = (
    st.dates().map(str),
    st.tuples(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"])).map(
        lambda written: written[0].strftime(written[1])
    ),
    st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"20[0-2][0-9][-/年W]?(0[1-9]|1[0-2])[-/月]?[0-2][0-9]日?", fullmatch=True),
    st.text(st.sampled_from("甲乙集团有限公司（）() 12aＡ　无-—"), max_size=5),
    st.integers(-(2**40), 2**40),
    st.integers(0, 3000) | st.decimals(0, 10**6, places=2),
    st.decimals(),
    st.booleans(),
    st.sampled_from(["1", "0", "是", "否", "Yes", "n", "CNY", "USD", CODES[0], CODES[1].lower(), "无", "—", ""]),
)
COLUMNS = st.sampled_from(ORDINARY).flatmap(
    lambda usual: st.tuples(
        st.lists(usual | st.none(), max_size=30),
        st.lists(st.one_of(*ORDINARY) | WILD, max_size=3),
        st.lists(usual | st.none(), max_size=30),
    ).map(lambda parts: [value for part in parts for value in part])
)


@given(COLUMNS, COLUMNS)
@example(["2021-W01-1"] * 9, [])
@example(["2021030512"] * 9 + ["9999-01-01", "1900-01-01"], ["USD"])
@example(["20210305", "20211305"] * 5, [])
@example(["2021/03/05", "2021.03.05", "2021-03-05"] * 4, [])
@example(["2021-03/05"] * 9, [])
@example(["2021/0-/05"] * 9, [])
@example(["2021a03a05"] * 9, [])
@example(["0001-01-01"] * 9, ["usd"] * 9)
@example(["1"] * 9, ["CNY", "￥"] * 4)
@example(["5万美元", "7"] * 5, ["EUR"] * 10)
@example([".5", "5.", "1" * 29] * 3, [])
@example(["（暂）无", "Ｎ/Ａ", "ｎｕｌｌ"] * 3, [])
@example([True, 1, "1"] * 3, [])
async def test_many_rows_are_read_as_one_by_one(values: list[Any], others: list[Any]) -> None:
    rows = [{"x": value, "y": other} for value, other in zip_longest(values, others)]
    mapped = await MAPPER.read(rows, MAPPER.fields, Turn())
    expected = [await MAPPER.read([row], MAPPER.fields, Turn()) for row in rows]
    assert [repr(row) for row in mapped.rows] == [repr(one.rows[0]) for one in expected]
    assert mapped.unreadable == {index: one.unreadable[0] for index, one in enumerate(expected) if one.unreadable}


async def test_values_deep_in_many_rows_are_read_as_one_by_one() -> None:
    rows = [{"x": inner} for inner in ([{"a": {"b": "1"}}], [{"a": {}}], [], "text", None, [{"a": [1]}])] * 3
    mapped = await MAPPER.read([*rows, {}], ("nested",), Turn())
    assert [row["nested"] for row in mapped.rows] == ["1", *[None] * 5] * 3 + [None]


async def test_only_the_columns_of_the_fields_asked_for_are_needed() -> None:
    fields = {
        "a": {"path": "p", "label": "l"},
        "b": {"path": "q", "currency": {"path": "c"}},
        "d": {"join": ["e", "f"]},
    }
    dataset = DatasetManifest.model_validate({"record": "R", "fields": fields})
    shape = RecordShape("R", single=False, fields={"a": Kind.CODE, "b": Kind.MONEY, "d": Kind.TEXT})
    mapper = compile_mapper(dataset, shape, ())
    assert mapper.columns({"a"}) == {"p", "l"}
    assert mapper.columns({"b", "d"}) == {"q", "c", "e", "f"}
    assert await mapper.read([{"p": "1", "l": "x"}], ["a"], Turn()) == ([{"a": Code("1", "x")}], {})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("人民币壹万贰仟叁佰元整", Money(Decimal(12_300))),
        ("伍仟零陆元伍角陆分", Money(Decimal("5006.56"))),
        ("叁角", Money(Decimal("0.3"))),
        ("壹佰元零伍分", Money(Decimal("100.05"))),
        ("人民币5,000.00元整", Money(Decimal("5000.00"))),
        ("USD 5000", Money(Decimal(5000), "USD")),
        ("5000 EUR", Money(Decimal(5000), "EUR")),
        ("RMB：300", Money(Decimal(300))),
        ("3千元", Money(Decimal(3000))),
        ("2百万", Money(Decimal(2_000_000))),
        ("5角", Money(Decimal("0.5"))),
    ],
)
def test_sums_are_read_as_documents_write_them(raw: str, expected: Money) -> None:
    assert read(Kind.MONEY, raw) == expected


@pytest.mark.parametrize(
    "raw", ["一万五", "罚款5万元", "元", "人民币", "零", "壹万", "5000 YUN", "1亿2000万元", "USD", "整"]
)
def test_what_is_no_sum_is_not_guessed(raw: str) -> None:
    with pytest.raises(Unmappable):
        read(Kind.MONEY, raw)


@pytest.mark.parametrize(
    ("raw", "none", "expected"),
    [
        ("5", [], Money(Decimal(50_000))),
        ("5", ["万元"], Money(Decimal(50_000))),
        ("5", ["万元", "美元"], Money(Decimal(50_000))),
        (None, ["万元"], None),
        ("暂无", ["万元"], None),
    ],
)
def test_a_unit_alone_is_no_sum_unless_it_is_said_to_mean_nothing(raw: Any, none: list[str], expected: Any) -> None:
    mapping = FieldMapping(join=("x", "unit"), none=tuple(none))
    field = compile_field(mapping, Kind.MONEY, NOTHINGS, nested=True)
    assert field.read({"x": raw, "unit": "万元"}) == expected
    assert read(Kind.MONEY, "万元", none=["万元"]) is None


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("mapping", [{"join": ("x", "unit")}, {"path": "unit"}, {"first": ("x", "unit")}])
async def test_a_unit_alone_is_counted_as_a_value_that_cannot_be_mapped(mapping: dict[str, Any], rows: int) -> None:
    field = compile_field(FieldMapping(**mapping), Kind.MONEY, NOTHINGS, nested=True)
    column = field.read_column([{"x": None, "unit": "万元"}] * rows)
    assert list(column.values) == [None] * rows
    assert list(column.unreadable) == list(range(rows))


def in_numerals(number: int, digits: str = "零一二三四五六七八九", units: str = "十百千万亿") -> str:
    """The number as it is written out, below 10^16."""
    if number < 10:
        return digits[number]
    for place, unit in ((10**8, units[4]), (10**4, units[3]), (1000, units[2]), (100, units[1]), (10, units[0])):
        if number >= place:
            head, rest = divmod(number, place)
            gap = digits[0] if 0 < rest < place // 10 else ""
            return in_numerals(head, digits, units) + unit + gap + (in_numerals(rest, digits, units) if rest else "")
    raise AssertionError


@given(st.integers(0, 10**16 - 1))
@example(10_500)
@example(100_000_001)
@example(10**12)
@example(1_000_500_000)
def test_numbers_in_numerals_are_read_as_they_are_written(number: int) -> None:
    assert read_chinese(in_numerals(number)) == number
    assert read_chinese(in_numerals(number, "零壹贰叁肆伍陆柒捌玖", "拾佰仟萬億")) == number


@given(st.text(NUMERALS, max_size=12))
def test_no_numerals_are_read_as_two_numbers(text: str) -> None:
    try:
        number = read_chinese(text)
    except Unmappable:
        return
    assert number >= 0


@pytest.mark.parametrize("text", ["", "二百五", "一万五", "一二", "十百", "万", "二十三十", "零百万五千六", "元"])
def test_numerals_that_are_no_number_as_written_are_not_guessed(text: str) -> None:
    with pytest.raises(Unmappable):
        read_chinese(text)


@pytest.mark.parametrize(
    ("raw", "options", "expected"),
    [
        ("二〇二一年三月五日", {}, date(2021, 3, 5)),
        ("二零二○年十二月三十一日", {}, date(2020, 12, 31)),
        ("一九九九年十月廿一日", {}, date(1999, 10, 21)),
        ("/Date(1614902400000)/", {"formats": ["epochMilliseconds"]}, date(2021, 3, 5)),
        ("/Date(1614902400000-0700)/", {"formats": ["%Y%m%d", "epochMilliseconds"]}, date(2021, 3, 5)),
    ],
)
def test_dates_are_read_as_documents_and_old_services_write_them(raw: str, options: Any, expected: date) -> None:
    assert read(Kind.DATE, raw, **options) == expected


@pytest.mark.parametrize(
    "raw", ["二〇二一年十三月一日", "二〇二一年二月三十日", "二一年三月五日", "二〇二一年三月", "正月初五"]
)
def test_what_is_no_date_in_numerals_is_not_guessed(raw: str) -> None:
    with pytest.raises(Unmappable):
        read(Kind.DATE, raw)


@pytest.mark.parametrize(
    ("kind", "raw", "options", "expected"),
    [
        (Kind.INTEGER, "2021年度", {}, 2021),
        (Kind.INTEGER, "2021 年", {}, 2021),
        (Kind.COUNT, "１，２００人", {}, Count(1200)),
        (Kind.DECIMAL, "0.35", {"scale": 100}, Decimal("35.00")),
        (Kind.DECIMAL, 0.5, {"scale": "100"}, Decimal("50.0")),
        (Kind.DECIMAL, "35％", {"scale": 100}, Decimal(35)),
        (Kind.TEXT, "", {"path": None, "first": ["x", "none", "z"]}, "标签"),
        (Kind.TEXT, "无", {"path": None, "first": ["x", "y", "z"]}, "840"),
        (Kind.TEXT, None, {"path": None, "first": ["x", "none"], "default": "d"}, "d"),
        (Kind.MONEY, "5", {"path": None, "join": ["x", "unit"]}, Money(Decimal(50_000))),
        (Kind.DATE, "2021", {"path": None, "join": ["x", "month", "day"], "with": "-"}, date(2021, 3, 5)),
    ],
)
def test_values_may_be_made_of_what_agencies_have(kind: Kind, raw: Any, options: dict[str, Any], expected: Any) -> None:
    mapping = FieldMapping.model_validate({"path": "x", **options})
    row = {"x": raw, "y": "840", "z": "标签", "unit": "万元", "month": 3, "day": "5"}
    field = compile_field(mapping, kind, NOTHINGS, nested=True)
    assert field.read(row) == expected
    assert list(field.read_column([row] * 20).values) == [expected] * 20


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("c[@n=a].#text", "1"),
        ("c[@n=b].#text", None),
        ("d[@n=a].#text", "2"),
        ("e[@n=a].#text", None),
        ("x.c[n=1].v", "3"),
        ("c[@n].#text", None),
        ("c[.#text", None),
    ],
)
def test_a_path_leads_to_the_one_that_has_a_name(path: str, expected: str | None) -> None:
    row = {
        "c": [{"@n": "z", "#text": "0"}, "w", {"@n": "a", "#text": "1"}],
        "d": {"@n": "a", "#text": "2"},
        "x": {"c": [{"n": 1, "v": "3"}]},
    }
    field = compile_field(FieldMapping(path=path), Kind.TEXT, NOTHINGS, nested=True)
    assert field.read(row) == expected
    assert list(field.read_column([row] * 20).values) == [expected] * 20


def test_where_several_have_the_name_none_is_guessed() -> None:
    row = {"c": [{"@n": "a", "#text": "1"}, {"@n": "a", "#text": "2"}]}
    field = compile_field(FieldMapping(path="c[@n=a].#text"), Kind.TEXT, NOTHINGS, nested=True)
    with pytest.raises(Unmappable):
        field.read(row)


@pytest.mark.parametrize("kind", [Kind.MONEY, Kind.DECIMAL, Kind.INTEGER, Kind.COUNT])
@pytest.mark.parametrize(
    "raw", ["5,00", "1,2", "1.000,50", "1,00,000", "1,000,00", ",100", "100,", "12,3456,789", "0,5"]
)
def test_a_comma_that_separates_no_thousands_is_not_read_over(kind: Kind, raw: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        read(kind, raw)


@pytest.mark.parametrize(
    ("raw", "number"),
    [("1,234.5", "1234.5"), ("-12,345,678", "-12345678"), ("1，000", "1000"), ("1,2345,6789.10", "123456789.10")],
)
def test_separators_of_thousands_are_left_out(raw: str, number: str) -> None:
    assert read(Kind.DECIMAL, raw) == Decimal(number)
