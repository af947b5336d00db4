from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.masks import MASKS, MaskContext, apply_mask, narrower, widest
from schema.values import Code, Count, DateSpan, Kind, Money, Value

CONTEXT = MaskContext("first-bank", "credit", "Penalty.person", b"a secret of sixteen bytes or more")

VALUES: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.TEXT: st.text(max_size=40) | st.text("王小明、，12345678X ", max_size=20),
    Kind.INTEGER: st.integers(),
    Kind.DECIMAL: st.decimals(),
    Kind.BOOLEAN: st.booleans(),
    Kind.DATE: st.dates(),
    Kind.DATE_SPAN: st.dates().map(DateSpan),
    Kind.MONEY: st.builds(Money, st.decimals()),
    Kind.COUNT: st.builds(Count, st.integers()),
    Kind.CODE: st.builds(Code, st.text(max_size=10)),
    Kind.CREDIT_CODE: st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18),
}


@pytest.mark.parametrize("name", MASKS)
@given(data=st.data())
def test_no_mask_ever_gives_back_the_clear_value_or_raises(name: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(Kind)))
    value = data.draw(VALUES[kind])
    masked = apply_mask(name, value, CONTEXT)
    assert masked is None or masked != value
    if kind not in MASKS[name].kinds and kind is not Kind.CREDIT_CODE:
        assert masked is None


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("王小明", "王**"),
        ("欧阳修", "欧**"),
        ("王五、李四", "王**、李**"),
        ("John Smith", "J**"),
        ("王", "**"),
        ("王**", None),
        ("13812345678", "138***78"),
        ("0571-87654321", "057***21"),
        ("330106199001011234", "330***34"),
        ("12345", "**"),
    ],
)
def test_partial_keeps_a_family_name_an_initial_or_the_ends_of_a_number(value: str, masked: str | None) -> None:
    assert apply_mask("partial", value, CONTEXT) == masked


@given(st.text("王李赵abcXYZ", min_size=2, max_size=12))
def test_partial_does_not_tell_how_long_a_name_is(name: str) -> None:
    assert apply_mask("partial", name, CONTEXT) == name[0] + "**"


@pytest.mark.parametrize(("value", "masked"), [("330106199001011234", "****1234"), ("1234567", None), ("", None)])
def test_last4_keeps_four_characters_of_at_least_eight(value: str, masked: str | None) -> None:
    assert apply_mask("last4", value, CONTEXT) == masked


@given(
    contexts=st.lists(
        st.builds(
            MaskContext,
            st.sampled_from(["first-bank", "second-bank", "first-bankcredit"]),
            st.sampled_from(["credit", "credit.monitoring", None]),
            st.sampled_from(["Penalty.person", "Penalty.facts"]),
            st.sampled_from([b"a secret", b"another secret"]),
            st.integers(1, 3),
        ),
        min_size=2,
        unique=True,
    ),
    name=st.text(min_size=1).filter(str.strip),
)
def test_hmac_keeps_equality_only_within_organisation_purpose_field_secret_and_generation(
    contexts: list[MaskContext], name: str
) -> None:
    pseudonyms = [apply_mask("hmac", name, context) for context in contexts]
    assert len(set(pseudonyms)) == len(contexts)
    assert pseudonyms == [apply_mask("hmac", name, context) for context in contexts]


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), min_size=2, unique=True))
def test_hmac_keeps_different_values_apart(names: list[str]) -> None:
    assert len({apply_mask("hmac", name, CONTEXT) for name in names}) == len(names)


@pytest.mark.parametrize("generation", [1, 27])
def test_a_pseudonym_begins_with_its_generation_and_tells_nothing_of_its_length(generation: int) -> None:
    for name in ("王", "王小明", "A very long name indeed, longer than any pseudonym is"):
        masked = apply_mask("hmac", name, replace(CONTEXT, generation=generation))
        assert re.fullmatch(rf"{generation}\.[0-9a-f]{{32}}", str(masked))


def test_hmac_without_a_secret_redacts() -> None:
    assert apply_mask("hmac", "王小明", MaskContext("first-bank", None, "Penalty.person", b"")) is None


@pytest.mark.parametrize(
    ("amount", "lower", "upper"),
    [
        ("0", 0, 1000),
        ("999.99", 0, 1000),
        ("1000", 1000, 2000),
        ("123456.78", 100_000, 200_000),
        ("500000", 500_000, 1_000_000),
        ("-1", -1000, 0),
        ("-1000", -1000, 0),
        ("-1000.01", -2000, -1000),
        ("1e30", 5 * 10**18, None),
        ("-1e30", None, -5 * 10**18),
    ],
)
def test_bucket_puts_sums_into_steps_of_one_two_five(amount: str, lower: int | None, upper: int | None) -> None:
    assert apply_mask("bucket", Money(Decimal(amount), "USD"), CONTEXT) == Money(
        None, "USD", None if lower is None else Decimal(lower), None if upper is None else Decimal(upper)
    )


def test_bucket_puts_numbers_of_things_into_steps_from_ten() -> None:
    assert apply_mask("bucket", Count(0), CONTEXT) == Count(None, 0, 10)
    assert apply_mask("bucket", Count(137), CONTEXT) == Count(None, 100, 200)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_sum_lies_in_its_bucket(amount: Decimal) -> None:
    bucketed = apply_mask("bucket", Money(amount), CONTEXT)
    assert isinstance(bucketed, Money)
    assert bucketed.amount is None
    assert bucketed.lower is None or bucketed.lower <= amount
    assert bucketed.upper is None or amount < bucketed.upper


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "sNaN"])
def test_what_is_no_number_is_not_told(amount: str) -> None:
    masked = apply_mask("bucket", Money(Decimal(amount)), CONTEXT)
    assert masked is None or (isinstance(masked, Money) and masked.amount is None)


def test_a_value_that_is_bucketed_already_or_missing_is_redacted() -> None:
    assert apply_mask("bucket", Money(None), CONTEXT) is None
    assert apply_mask("bucket", Count(None, 10, 20), CONTEXT) is None
    assert apply_mask("bucket", None, CONTEXT) is None


def test_year_keeps_the_year() -> None:
    assert apply_mask("year", DateSpan(date(2021, 5, 17)), CONTEXT) == DateSpan(
        None, date(2021, 1, 1), date(2021, 12, 31)
    )
    assert apply_mask("year", date(2021, 5, 17), CONTEXT) is None


@pytest.mark.parametrize(
    ("address", "cut"),
    [
        ("浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区"),
        ("杭州市余杭区仓前街道", "杭州市余杭区"),
        ("上海市浦东新区世纪大道100号", "上海市浦东新区"),
        ("广西壮族自治区南宁市青秀区民族大道", "广西壮族自治区南宁市青秀区"),
        ("浙江省义乌市稠州北路", "浙江省义乌市"),
        ("文三路1号", None),
        ("浙江省", None),
        ("", None),
    ],
)
def test_district_keeps_province_city_and_district(address: str, cut: str | None) -> None:
    assert apply_mask("district", address, CONTEXT) == cut


def test_an_unknown_mask_redacts() -> None:
    assert apply_mask("rot13", "王小明", CONTEXT) is None


def test_every_mask_says_what_it_preserves() -> None:
    for mask in MASKS.values():
        assert "reserves" in (mask.apply.__doc__ or ""), mask.name


@given(st.sampled_from(sorted(MASKS)), st.sampled_from(sorted(MASKS)))
def test_narrower_is_one_of_the_two_or_redact_whatever_their_order(first: str, second: str) -> None:
    assert narrower(first, second) == narrower(second, first) == (first if first == second else "redact")


@given(st.lists(st.sampled_from(sorted(MASKS)), min_size=1))
def test_widest_is_the_only_mask_beside_redact_or_redact(masks: list[str]) -> None:
    telling = set(masks) - {"redact"}
    assert widest(masks) == (telling.pop() if len(telling) == 1 else "redact")


@given(st.text(max_size=6))
def test_a_single_name_is_masked_as_it_is_in_a_list(name: str) -> None:
    alone, listed = apply_mask("partial", name, CONTEXT), apply_mask("partial", f"{name}、王小明", CONTEXT)
    assert alone is None or listed == f"{alone}、王**"
