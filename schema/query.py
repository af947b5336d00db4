"""Where a question starts: `Query`, and `Enterprise`, which has one field for each record type."""

from __future__ import annotations

import datetime as dt
from typing import Final

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet
from strawberry.tools import create_type
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.field import StrawberryField

from schema.agency import Agency
from schema.answers import answer_type
from schema.catalogue import RecordType
from schema.declare import Argument, declared
from schema.output_values import Code
from schema.records import RECORDS, catalogue
from schema.scalars import CreditCodeText
from schema.tiers import Record
from schema.wording import bilingual

PAGE: Final = 100
"""How many records a page has unless the caller says otherwise."""


@strawberry.type(description=bilingual("What the credit code itself tells.", "统一社会信用代码本身所载的信息。"))
class CodeIdentity:
    """The parts of a credit code."""

    authority: Code = strawberry.field(
        description=bilingual("The registering authority (character 1).", "登记管理部门（第 1 位）。")
    )
    category: Code = strawberry.field(
        description=bilingual("The category of entity (character 2).", "机构类别（第 2 位）。")
    )
    division: str = strawberry.field(
        description=bilingual(
            "The division of the original registration (GB/T 2260, characters 3 to 8).",
            "最初登记机关的行政区划（GB/T 2260，第 3 至 8 位）。",
        )
    )
    division_known: bool = strawberry.field(
        description=bilingual(
            "Whether that division is in the public table; those of development zones are not.",
            "该区划是否见于公开代码表（开发区等不在表内）。",
        )
    )
    organisation_code: str = strawberry.field(
        description=bilingual(
            "The organisation code (GB 11714, characters 9 to 17).", "组织机构代码（GB 11714，第 9 至 17 位）。"
        )
    )
    check_digit_valid: bool = strawberry.field(
        description=bilingual(
            "Whether the check character is the standard's. Some lawful codes of the pilot series have another.",
            "校验码是否符合标准；部分早期试点代码虽不符合，但合法有效。",
        )
    )


@strawberry.type(description=bilingual("The caller, as the gateway knows it.", "网关所识别的调用者。"))
class Viewer:
    """Who asks, and why."""

    subject: str = strawberry.field(description=bilingual("The user or system that asks.", "发起查询的用户或系统。"))
    organisation: str = strawberry.field(description=bilingual("Its organisation.", "所属组织。"))
    roles: list[str] = strawberry.field(description=bilingual("Its roles.", "角色。"))
    purpose: str | None = strawberry.field(
        description=bilingual("The purpose of this request.", "本次请求声明的用途。")
    )
    purposes: list[str] = strawberry.field(description=bilingual("The purposes that it may give.", "可声明的用途。"))


def _answer(record: RecordType, cls: type[Record]) -> StrawberryField:
    arguments = () if record.single else (*_paging(), *_filters(record))
    description = bilingual(record.description, record.description_zh)
    return declared(record.field, answer_type(record, cls), description, *arguments)


def _paging() -> tuple[Argument, ...]:
    return (
        Argument("first", StrawberryOptional(int), bilingual("At most this many records.", "最多返回的记录数。"), PAGE),
        Argument(
            "after",
            StrawberryOptional(str),
            bilingual("The endCursor of the page before.", "上一页的 endCursor。"),
        ),
    )


def _filters(record: RecordType) -> tuple[Argument, ...]:
    words = {">=": ("on or after", "不早于"), "<=": ("on or before", "不晚于")}
    return tuple(
        Argument(
            argument,
            StrawberryOptional(dt.date),
            bilingual(
                f"Only records whose {field} is {words[operator][0]} this date.",
                f"仅返回 {field} {words[operator][1]}该日期的记录。",
            ),
        )
        for argument, (field, operator) in record.filters.items()
    )


Enterprise: Final = create_type(
    "Enterprise",
    [
        declared("creditCode", CreditCodeText, bilingual("The Unified Social Credit Code.", "统一社会信用代码。")),
        declared("identity", CodeIdentity, bilingual("What the code itself tells.", "代码本身所载的信息。")),
        *(_answer(catalogue().records[cls.__name__], cls) for cls in RECORDS),
    ],
    description=bilingual(
        "A company or other organisation with a credit code. That it is here does not mean that any agency knows it.",
        "具有统一社会信用代码的企业或其他组织。返回此对象并不表示有机构掌握其信息。",
    ),
    directives=[Key(fields=FieldSet("creditCode"))],
)

Query: Final = create_type(
    "Query",
    [
        declared(
            "enterprise",
            StrawberryOptional(Enterprise),
            bilingual(
                "The company with this code; null with an error that names the code's mistake.",
                "具有该代码的企业；代码有误时为空并报错说明。",
            ),
            Argument("code", CreditCodeText, bilingual("Its credit code.", "统一社会信用代码。")),
        ),
        declared(
            "enterprises",
            StrawberryList(StrawberryOptional(Enterprise)),
            bilingual(
                "The companies with these codes, in their order. One with a mistake is null with an error of its own;"
                " the others are answered.",
                "具有这些代码的企业，顺序不变。有误的代码对应空值并单独报错，其余照常回答。",
            ),
            Argument(
                "codes", StrawberryList(CreditCodeText), bilingual("Their credit codes.", "统一社会信用代码列表。")
            ),
        ),
        declared(
            "agencies",
            StrawberryList(Agency),
            bilingual("Every agency that supplies records here.", "在此提供记录的所有机构。"),
        ),
        declared("me", Viewer, bilingual("Who is asking.", "当前调用者。")),
    ],
    description=bilingual("Where a question starts.", "查询入口。"),
)
