"""The quick ways of reading give what the plain ones do: here each plain way is written out, without regard to time."""

from __future__ import annotations

import asyncio
import math
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.amounts import read_decimal, read_integer, read_money
from connectors.columns import values_at
from connectors.contract import Outcome, RecordShape, SourceAnswer
from connectors.dates import NO_DATES, NO_YEAR, read_date, read_moment
from connectors.joining import Joiner
from connectors.keys import normal_key
from connectors.manifest import DatasetManifest, FieldMapping
from connectors.mapping import compile_field, compile_mapper
from connectors.paths import reader
from connectors.text import NOTHINGS, Nothings, Unmappable, read_text
from schema.credit_code import CreditCode
from schema.values import Code, Kind
from tests.connectors.support import CODES, credit_code

WORDS = NOTHINGS | {"长期", "ᾂ", "각"}
TEXTS = (
    st.text(st.sampled_from("暂无空未公示长期-－/／\\＼NＮnuｕLlＬA　 \t¨;；()（\ud800"), max_size=6)
    | st.text(st.sampled_from("0123456789０１２.．,，+-eE_%％ "), max_size=12)
    | st.from_regex(
        r"[12]\d{3}[-/.年]?(0?\d|1[0-2])[-/.月]?[0-3]?\d日?([T ]\d\d:\d\d(:\d\d)?(Z|\+09:00)?)?", fullmatch=True
    )
    | st.sampled_from(sorted(WORDS)).map(lambda word: f" {unicodedata.normalize('NFD', word)}　")
    | st.text(st.characters())
)
SCALARS = TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.dates() | st.datetimes()
WILD = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2))
UNMAPPED = object()


def outcome(read: Callable[..., Any], *arguments: Any) -> Any:
    """What is read, and of which type, or `UNMAPPED`."""
    try:
        value = read(*arguments)
    except (ValueError, ArithmeticError):
        return UNMAPPED
    return type(value), repr(value)


def plain_text(raw: Any) -> str:
    if isinstance(raw, bool):
        return str(raw).lower()
    if not isinstance(raw, str | int | float | Decimal | date):
        raise Unmappable
    text = raw.strip() if isinstance(raw, str) else str(raw)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Unmappable
    if isinstance(raw, Decimal) and not raw.is_finite():
        raise Unmappable
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Unmappable
    return text


def plain_narrow(raw: Any) -> str:
    return unicodedata.normalize("NFKC", plain_text(raw)).strip()


def plain_nothing(raw: Any) -> bool:
    if not isinstance(raw, str):
        return raw is None
    text = raw.strip()
    return text in WORDS or unicodedata.normalize("NFKC", text).strip() in WORDS


GROUPED = re.compile(r"[-+]? ?([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,4}(,[0-9]{4})+)(\.[0-9]*)?")


def plain_decimal(raw: Any) -> Decimal:
    if isinstance(raw, bool):
        raise Unmappable
    text = plain_narrow(raw).removesuffix("%").strip()
    if "," in text and not GROUPED.fullmatch(text):
        raise Unmappable
    text = text.replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unmappable from None
    if not number.is_finite() or abs(number.adjusted()) > 30 or "_" in text:
        raise Unmappable
    return number


def plain_integer(raw: Any) -> int:
    number = plain_decimal(raw)
    if number != number.to_integral_value() or abs(number) >= 2**31:
        raise Unmappable
    return int(number)


def plain_date(raw: Any) -> date | None:
    if isinstance(raw, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain_narrow(raw)):
        found = date.fromisoformat(plain_narrow(raw))
    else:
        found = raw if isinstance(raw, date) and not isinstance(raw, datetime) else read_moment(raw).date()
    return None if found.year == NO_YEAR or found in NO_DATES else found


PLAIN: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: plain_text,
    Kind.INTEGER: plain_integer,
    Kind.DECIMAL: plain_decimal,
    Kind.DATE: plain_date,
    Kind.CODE: lambda raw: Code(plain_narrow(raw)),
}


@given(WILD)
@example("α\u0313\u0300\u0345")
@example("ᄀ" + "ᅡ" + "ᆨ")
@example("123456789012345678901234567890")
@example("1" * 32)
@example("2147483648")
@example("甲\ud800")
@example("0,")
@example("1,234.5")
@example(Decimal("-NaN"))
@example(Decimal("sNaN12"))
def test_fields_hold_what_plain_reading_gives(raw: Any) -> None:
    for kind, plain in PLAIN.items():
        read = compile_field(FieldMapping(path="x"), kind, WORDS, nested=True).read
        expected = (type(None), "None") if plain_nothing(raw) else outcome(plain, raw)
        assert outcome(read, {"x": raw}) == expected, kind


@given(WILD)
@example("2021-02-29")
@example("1900-01-01")
@example("０００１-01-01 ")
def test_values_are_read_alike_without_a_field(raw: Any) -> None:
    assert outcome(read_text, raw) == outcome(plain_text, raw)
    assert outcome(read_integer, raw) == outcome(plain_integer, raw)
    assert outcome(read_decimal, raw) == outcome(plain_decimal, raw)
    assert outcome(read_date, raw) == outcome(plain_date, raw)


@given(
    st.from_regex(r"[ 0０]?[0-9]{1,16}([.．][0-9]{1,13})?[,% ]?", fullmatch=True), st.sampled_from(["分", "元", "亿元"])
)
def test_a_sum_is_the_same_whether_its_unit_is_written_or_the_manifests(number: str, unit: str) -> None:
    assert outcome(read_money, number, unit, "USD") == outcome(read_money, f"{number}{unit}", "万元", "USD")


@pytest.mark.parametrize("word", ["ᾂ", "각", "a"])
def test_a_word_for_none_is_found_however_it_is_composed(word: str) -> None:
    nothings = Nothings(frozenset({word}))
    assert nothings.has(f"　{unicodedata.normalize('NFD', word)} ")
    assert not nothings.has(word * 2)


def joiner(*, record_ids: bool) -> Joiner:
    fields = {"facts": "f"} | ({"recordId": "id"} if record_ids else {})
    dataset = DatasetManifest.model_validate({"record": "R", "key": "k", "missingMeans": "none", "fields": fields})
    shape = RecordShape("R", single=False, fields=dict.fromkeys(fields, Kind.TEXT))
    return Joiner(dataset, shape, compile_mapper(dataset, shape, ()), whole_rows=True)


KEYS = st.sampled_from([CODES[0], f" {CODES[0].lower()}", CODES[0].organisation_code, CODES[1], CODES[2], "?", 1, None])
LOOK_ALIKE = (None, "1", 1, True, 1.0, Decimal(1), Decimal("1.0"), 0.0, -0.0, [1], [True], "None")
LOOK_ALIKES = st.sampled_from(LOOK_ALIKE)
ROWS = st.lists(st.fixed_dictionaries({"k": KEYS, "f": LOOK_ALIKES, "n": LOOK_ALIKES, "^": SCALARS}), max_size=8)


def plain_value(raw: Any) -> str | None:
    return None if isinstance(raw, list) or plain_nothing(raw) else plain_text(raw)


@given(ROWS, st.booleans())
@example(rows=[{"k": CODES[0], "f": value, "n": None, "^": None} for value in LOOK_ALIKE], ids=False)
def test_rows_are_joined_and_freed_of_duplicates_as_one_by_one(rows: list[dict[str, Any]], ids: bool) -> None:  # noqa: FBT001  (drawn)
    rows = [{**row, "id": row["n"]} for row in rows] if ids else rows
    joined = asyncio.run(joiner(record_ids=ids).join(CODES[:2], frozenset({"facts"}), SourceAnswer(rows)))
    strangers = sum(row["k"] in ("?", 1, None) for row in rows)
    for code in CODES[:2]:
        distinct: dict[object, dict[str, Any]] = {}
        for row in rows:
            if normal_key(row["k"]) in (code, code.organisation_code):
                content = repr([(name, value) for name, value in row.items() if name != "^"])
                distinct.setdefault((plain_value(row["id"]) if ids else None) or content, row)
        told = joined.companies[code]
        assert [row["facts"] for row in told.rows] == [plain_value(row["f"]) for row in distinct.values()]
        assert told.unmapped == strangers + sum(isinstance(row["f"], list) for row in distinct.values())
        assert told.outcome is (Outcome.INCOMPLETE if told.unmapped else Outcome.ANSWERED)


def shared_organisation() -> tuple[CreditCode, CreditCode]:
    """Two lawful codes, of different divisions, that hold one organisation code."""
    return credit_code(1, "91330106"), credit_code(1, "91440300")


async def test_rows_under_an_organisation_code_belong_to_each_company_that_holds_it() -> None:
    first, second = shared_organisation()
    rows = [{"k": first.organisation_code, "f": "both"}, {"k": second, "f": "own"}, {"k": "912", "f": "?"}]
    joined = await joiner(record_ids=False).join((first, second, CODES[5]), frozenset({"facts"}), SourceAnswer(rows))
    said = {code: [row["facts"] for row in told.rows] for code, told in joined.companies.items()}
    assert said == {first: ["both"], second: ["both", "own"], CODES[5]: []}
    assert [told.unmapped for told in joined.companies.values()] == [1, 1, 1]


@pytest.mark.parametrize("dataset", [joiner(record_ids=True), joiner(record_ids=False)], ids=["ids", "no ids"])
@pytest.mark.parametrize("companies", [CODES, CODES[:1]], ids=["many", "one"])
async def test_others_have_their_turn_while_a_large_answer_is_joined(
    dataset: Joiner, companies: tuple[CreditCode, ...]
) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    rows = [
        {"k": companies[number % len(companies)].lower(), "id": f"{number}", "f": f"甲{number}　乙"}
        for number in range(20_000)
    ]
    counting = asyncio.create_task(count())
    joined = await dataset.join(companies, frozenset({"facts"}), SourceAnswer(rows))
    counting.cancel()
    assert turns > 1
    assert sum(len(told.rows) for told in joined.companies.values()) == len(rows)


@pytest.mark.parametrize("fine", ["12", {"#text": "12", "@unit": "元"}])
def test_the_text_of_an_element_is_its_text_whether_it_has_attributes_or_not(fine: object) -> None:
    assert reader("fine.#text", nested=True)({"fine": fine}) == "12"
    assert list(values_at("fine.#text", nested=True)([{"fine": fine}] * 20)) == ["12"] * 20
