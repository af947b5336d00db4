"""The values of records as GraphQL shows them: the object types for `schema.values`.

`from` and `to` are what `schema.values` calls `lower` and `upper`, or `start` and `end`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from schema.wording import bilingual


@strawberry.type(
    description=bilingual(
        "A sum of money: exact (amount), or bucketed (from, to, and no amount).",
        "金额：精确值（amount），或区间值（from 与 to，无 amount）。",
    )
)
class Money:
    """`schema.values.Money`."""

    amount: Decimal | None = strawberry.field(
        description=bilingual("The exact sum, in units of the currency.", "精确金额，以货币单位计。")
    )
    from_: Decimal | None = strawberry.field(
        name="from", description=bilingual("The least that a bucketed sum can be.", "区间下限（含）。")
    )
    to: Decimal | None = strawberry.field(
        description=bilingual("The bound that a bucketed sum stays under.", "区间上限（不含）。")
    )
    currency: str = strawberry.field(description=bilingual("The currency (ISO 4217).", "币种（ISO 4217）。"))


@strawberry.type(
    description=bilingual(
        "A date: exact (date), or cut to a period (from, to, and no date).",
        "日期：精确日期（date），或时间段（from 与 to，无 date）。",
    )
)
class DateSpan:
    """`schema.values.DateSpan`."""

    date: dt.date | None = strawberry.field(description=bilingual("The exact date.", "精确日期。"))
    from_: dt.date | None = strawberry.field(
        name="from", description=bilingual("The first day of the period.", "时间段的首日（含）。")
    )
    to: dt.date | None = strawberry.field(description=bilingual("The last day of the period.", "时间段的末日（含）。"))


@strawberry.type(
    description=bilingual(
        "A number of things: exact (value), or bucketed (from, to, and no value).",
        "数量：精确值（value），或区间值（from 与 to，无 value）。",
    )
)
class Count:
    """`schema.values.Count`."""

    value: int | None = strawberry.field(description=bilingual("The exact number.", "精确数量。"))
    from_: int | None = strawberry.field(
        name="from", description=bilingual("The least that a bucketed number can be.", "区间下限（含）。")
    )
    to: int | None = strawberry.field(
        description=bilingual("The bound that a bucketed number stays under.", "区间上限（不含）。")
    )


@strawberry.type(
    description=bilingual("An entry of a code table of the agency.", "机构代码表中的一个条目。"),
)
class Code:
    """`schema.values.Code`."""

    code: str = strawberry.field(description=bilingual("The code itself.", "代码。"))
    label: str | None = strawberry.field(
        description=bilingual("What it stands for, where the table is known.", "代码含义（代码表已知时）。")
    )
