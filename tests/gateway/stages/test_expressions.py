from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.stages.expressions import Expressions, Make, decimal_text
from gateway.stages.selection import Selection
from schema.values import Code, Kind, Money


def fields(*names: str) -> tuple[Selection, ...]:
    return tuple(Selection(f"{name}As", name, "Object", ()) for name in names)


def test_a_row_is_written_in_the_order_selected_with_what_is_absent_null() -> None:
    expressions = Expressions()
    members = [
        ("paid", expressions.value(expressions.column("amount"), Kind.MONEY, fields("currency", "from", "amount"))),
        ("kind", expressions.value(expressions.column("kind"), Kind.CODE, fields("__typename", "label"))),
        ("day", expressions.value(expressions.column("day"), Kind.DATE, ())),
        ("share", expressions.value(expressions.column("share"), Kind.DECIMAL, ())),
        ("missing", expressions.value(expressions.column("missing"), Kind.MONEY, fields("amount"))),
    ]
    row = {
        "amount": Money(Decimal("1E+3"), "USD", None, Decimal("0E-10")),
        "kind": Code("a", None),
        "day": dt.date(2026, 1, 2),
        "share": Decimal("1E-7"),
    }
    written = expressions.make(members)()(row.get)
    assert written == {
        "paid": {"currencyAs": "USD", "fromAs": None, "amountAs": "1000"},
        "kind": {"__typenameAs": "Object", "labelAs": None},
        "day": dt.date(2026, 1, 2),
        "share": "0.0000001",
        "missing": None,
    }
    assert list(written) == ["paid", "kind", "day", "share", "missing"]


def test_what_a_request_binds_is_its_own() -> None:
    expressions = Expressions()
    doubled, source = expressions.bound(), expressions.bound()
    make = expressions.make([("number", f"{doubled}({expressions.column('number')})"), ("source", source)])
    first, second = make(lambda value: value * 2, "first"), make(lambda value: value * 3, "second")
    assert [write({"number": 5}.get) for write in (first, second)] == [
        {"number": 10, "source": "first"},
        {"number": 15, "source": "second"},
    ]


@given(st.text(), st.text())
def test_no_text_is_ever_run_whatever_it_is(key: str, column: str) -> None:
    expressions = Expressions()
    write = expressions.make([(key, expressions.column(column)), ("type", expressions.constant(key))])()
    expected = {key: 1}
    expected["type"] = key
    assert write({column: 1}.get) == expected


def test_writers_of_one_form_are_compiled_once() -> None:
    def make(key: str) -> Make:
        expressions = Expressions()
        return expressions.make([(key, expressions.column(key))])

    assert make("a").__code__ is make("b").__code__


@given(st.decimals())
def test_a_decimal_is_written_without_an_exponent(value: Decimal) -> None:
    assert decimal_text(value) == format(value, "f")
