"""The scalars of the contract as the SDL describes them. How a request's are read is in `schema.graphql_schema`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from schema.wording import bilingual

CreditCodeText = NewType("CreditCodeText", str)
"""A credit code as GraphQL carries it; checked by `schema.credit_code.CreditCode.parse`."""

SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    CreditCodeText: strawberry.scalar(
        name="CreditCode",
        description=bilingual(
            "A Unified Social Credit Code (GB 32100-2015): 18 characters. As input, any text up to 64 characters: full"
            " width, lower case, spaces and hyphens are normalised, and a code with a mistake gets an error of its own"
            " that names the mistake, which harms no other code of the request.",
            "统一社会信用代码（GB 32100-2015），18 位。输入可为不超过 64 个字符的文本："
            "全角、小写、空格和连字符会被规范化；有误的代码单独报错并指明错误，不影响同一请求中的其他代码。",
        ),
        specified_by_url="https://openstd.samr.gov.cn/bzgk/gb/newGbInfo?hcno=24691C25985C1073D3A7C85629378AC0",
    ),
    dt.date: strawberry.scalar(
        name="Date",
        description=bilingual("A calendar date (ISO 8601): 2026-04-01.", "日历日期（ISO 8601）：2026-04-01。"),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
    dt.datetime: strawberry.scalar(
        name="DateTime",
        description=bilingual(
            "A moment with its offset from UTC (ISO 8601): 2026-04-01T09:30:00+08:00.",
            "带时区偏移的时间点（ISO 8601）：2026-04-01T09:30:00+08:00。",
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description=bilingual(
            'An exact decimal number, written as a string without an exponent: "12500.00".',
            '精确的十进制数，以不带指数的字符串表示："12500.00"。',
        ),
    ),
}
