from __future__ import annotations

import pickle
from datetime import date
from decimal import Decimal

import pytest

from schema.values import Code, Count, DateSpan, Money

VALUES = (
    Money(Decimal("1.50")),
    Money(Decimal("1.50"), "USD"),
    Money(None, "CNY", Decimal(0), Decimal(100)),
    DateSpan(date(2026, 1, 2)),
    DateSpan(None),
    Count(1),
    Count(None),
    Code("1"),
    Code("1", "存续"),
)


def test_values_are_equal_where_their_types_and_contents_are() -> None:
    for value in VALUES:
        again = pickle.loads(pickle.dumps(value))  # noqa: S301  (made here)
        assert again == value
        assert hash(again) == hash(value)
        assert [other for other in VALUES if other == value] == [value]
    assert len(set(VALUES)) == len(VALUES)
    assert Money(Decimal("1.5")) == Money(Decimal("1.50"))


@pytest.mark.parametrize("value", VALUES)
def test_values_never_change(value: Money | DateSpan | Count | Code) -> None:
    name = type(value).__match_args__[0]  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        setattr(value, name, None)
