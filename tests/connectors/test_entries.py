from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import CompanyRows, FailureCode, Outcome, Row
from connectors.entries import Entry, EntryFormat
from connectors.seal import Seal
from schema.values import Code, Count, DateSpan, Kind, Money

TEXTS = st.text(max_size=8)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
DATES = st.none() | st.dates()
DECIMALS = st.none() | st.decimals(allow_nan=False)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: TEXTS,
    Kind.INTEGER: INTEGERS,
    Kind.DECIMAL: st.decimals(allow_nan=False),
    Kind.BOOLEAN: st.booleans(),
    Kind.DATE: st.dates(),
    Kind.DATE_SPAN: st.builds(DateSpan, DATES, DATES, DATES),
    Kind.MONEY: st.builds(Money, DECIMALS, TEXTS, DECIMALS, DECIMALS),
    Kind.COUNT: st.builds(Count, st.none() | INTEGERS, st.none() | INTEGERS, st.none() | INTEGERS),
    Kind.CODE: st.builds(Code, TEXTS, st.none() | TEXTS),
    Kind.CREDIT_CODE: TEXTS,
}
FIELDS = {kind.value: kind for kind in Kind}
OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
MOMENTS = st.datetimes(timezones=OFFSETS)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    columns = draw(st.frozensets(st.sampled_from(sorted(FIELDS))))
    row = st.fixed_dictionaries({name: st.none() | VALUES[FIELDS[name]] for name in columns})
    unreadable = st.dictionaries(st.integers(0, 10_000), st.frozensets(st.sampled_from(sorted(FIELDS))), max_size=3)
    rows = CompanyRows(
        draw(st.sampled_from(Outcome)),
        tuple(draw(st.lists(row, max_size=3))),
        as_of=draw(st.none() | MOMENTS),
        failure=draw(st.none() | st.sampled_from(FailureCode)),
        retryable=draw(st.booleans()),
        unmapped=draw(st.integers(0, 10_000)),
        unreadable=draw(unreadable),
    )
    return Entry(draw(st.floats(0, 1e11)), columns, rows)


@settings(suppress_health_check=[HealthCheck.too_slow])  # what draws texts and decimals is slow to load
@given(entries())
def test_an_entry_is_read_exactly_as_it_was_written(entry: Entry) -> None:
    entry_format = EntryFormat(FIELDS)
    content = entry_format.write(entry)
    assert content is not None
    found = entry_format.read(content)
    assert found == entry
    # == takes 1, True and Decimal("1.0") for the same, and moments of any offset.
    assert str(found.rows.as_of) == str(entry.rows.as_of)
    assert [written(row) for row in found.rows.rows] == [written(row) for row in entry.rows.rows]


def written(row: Row) -> list[tuple[str, str]]:
    return sorted((name, repr(value)) for name, value in row.items())


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1, object()])
def test_a_value_that_bytes_cannot_hold_is_not_written(value: Any) -> None:
    entry = Entry(0, frozenset({"a"}), CompanyRows(Outcome.ANSWERED, ({"a": value},)))
    assert EntryFormat({"a": Kind.TEXT}).write(entry) is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", Kind.INTEGER), (True, Kind.INTEGER), (1, Kind.TEXT), (Code("1"), Kind.MONEY), ("2026-13-01", Kind.DATE)],
)
def test_a_value_of_another_kind_than_the_fields_makes_no_entry(value: Any, kind: Kind) -> None:
    content = EntryFormat({}).write(Entry(0, frozenset({"a"}), CompanyRows(Outcome.ANSWERED, ({"a": value},))))
    assert content is not None
    assert EntryFormat({"a": kind}).read(content) is None


@given(st.binary())
def test_bytes_that_are_no_entry_are_none(content: bytes) -> None:
    assert EntryFormat(FIELDS).read(content) is None


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_a_seal_opens_for_its_name_and_key_only_and_nothing_that_is_none(name: bytes, content: bytes) -> None:
    seal, other = Seal(b"k" * 32), Seal(b"l" * 32)
    closed = seal.close(name, content)
    assert seal.open(name, closed) == content
    assert seal.open(name + b"x", closed) is None
    assert other.open(name, closed) is None
    assert seal.open(name, content) is None


def test_names_tell_company_shelf_and_key_apart() -> None:
    shelves = [(Seal(key).names(shelf)) for key in (b"k" * 32, b"l" * 32) for shelf in (b"a", b"b")]
    names = [name(code) for name in shelves for code in ("x", "y")]
    assert len(set(names)) == 8
    assert Seal(b"k" * 32).names(b"a")("x") == names[0]
