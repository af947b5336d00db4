"""Where a question starts: `Query`, and `Enterprise`, which has one field for each record type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet
from strawberry.tools import create_type
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.field import StrawberryField

from schema.agency import Agency
from schema.answers import AccessReason, Decision, answer_type
from schema.catalogue import RecordType
from schema.declare import Argument, declared
from schema.output_values import Code
from schema.questions import LegacyIdKinds, Verification, match_type
from schema.records import RECORDS, catalogue
from schema.scalars import CreditCodeText
from schema.tiers import Record
from schema.wording import bilingual

PAGE: Final = 100
"""How many records a page has unless the caller says otherwise."""

MATCHES: Final = 10
"""How many companies are found unless the caller says otherwise."""


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


@strawberry.type(
    description=bilingual(
        "What the caller gets to see of one coordinate, and what it lacks for more.", "对某一坐标的可见程度及尚缺条件。"
    )
)
class ViewerAccess:
    """One decision of the caller's own, on no company in particular."""

    coordinate: str = strawberry.field(
        description=bilingual(
            "The field (Penalty.amount), or the record type for its rows (Penalty).",
            "字段（Penalty.amount），或以记录类型表示其行（Penalty）。",
        )
    )
    agency: Agency = strawberry.field(description=bilingual("The agency that supplies it.", "提供该数据的机构。"))
    decision: Decision = strawberry.field(description=bilingual("What the caller gets to see.", "可见程度。"))
    mask: str | None = strawberry.field(
        description=bilingual("The mask, where the value is masked.", "所用的脱敏方式。")
    )
    reason: AccessReason | None = strawberry.field(
        description=bilingual("What the caller lacks; null where it is clear.", "所缺条件；完全可见时为空。")
    )


def answer_field(record: RecordType, cls: type[Record]) -> StrawberryField:
    """The field of an enterprise that holds its records of this type."""
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


def enterprise_type(records: Iterable[type[Record]], entries: Mapping[str, RecordType]) -> type:
    """`Enterprise` with a field for each of these record types, whose entries in the catalogue these are."""
    return create_type(
        "Enterprise",
        [
            declared("creditCode", CreditCodeText, bilingual("The Unified Social Credit Code.", "统一社会信用代码。")),
            declared("identity", CodeIdentity, bilingual("What the code itself tells.", "代码本身所载的信息。")),
            *(answer_field(entries[cls.__name__], cls) for cls in records),
        ],
        description=bilingual(
            "A company or other organisation with a credit code. That it is here does not mean that any agency knows"
            " it.",
            "具有统一社会信用代码的企业或其他组织。返回此对象并不表示有机构掌握其信息。",
        ),
        directives=[Key(fields=FieldSet("creditCode"))],
    )


Viewer: Final = create_type(
    "Viewer",
    [
        declared("subject", str, bilingual("The user or system that asks.", "发起查询的用户或系统。")),
        declared("organisation", str, bilingual("Its organisation.", "所属组织。")),
        declared("roles", StrawberryList(str), bilingual("Its roles.", "角色。")),
        declared("purpose", StrawberryOptional(str), bilingual("The purpose of this request.", "本次请求声明的用途。")),
        declared("purposes", StrawberryList(str), bilingual("The purposes that it may give.", "可声明的用途。")),
        declared(
            "access",
            StrawberryOptional(StrawberryList(ViewerAccess)),
            bilingual(
                "What it may see for a purpose, of a company for which no legal basis holds.",
                "在无任何法律依据的情况下，为某一用途可见的内容。",
            ),
            Argument(
                "purpose", StrawberryOptional(str), bilingual("This request's, if left out.", "缺省为本次请求的用途。")
            ),
        ),
    ],
    description=bilingual("The caller, as the gateway knows it.", "网关所识别的调用者。"),
)


def query_type(enterprise: type) -> type:
    """`Query` over enterprises of this type."""
    return create_type(
        "Query",
        [
            declared(
                "enterprise",
                StrawberryOptional(enterprise),
                bilingual(
                    "The company with this code; null with an error that names the code's mistake.",
                    "具有该代码的企业；代码有误时为空并报错说明。",
                ),
                Argument("code", CreditCodeText, bilingual("Its credit code.", "统一社会信用代码。")),
            ),
            declared(
                "enterprises",
                StrawberryList(StrawberryOptional(enterprise)),
                bilingual(
                    "The companies with these codes, in their order. One with a mistake is null with an error of its"
                    " own; the others are answered.",
                    "具有这些代码的企业，顺序不变。有误的代码对应空值并单独报错，其余照常回答。",
                ),
                Argument(
                    "codes", StrawberryList(CreditCodeText), bilingual("Their credit codes.", "统一社会信用代码列表。")
                ),
            ),
            declared(
                "enterpriseByLegacyId",
                StrawberryOptional(enterprise),
                bilingual(
                    "The company that has this identifier of the time before credit codes; null where none is known,"
                    " and with an error where that cannot be said.",
                    "具有该旧有标识的企业；查无此企业时为空，无法查明时为空并报错。",
                ),
                Argument("kind", LegacyIdKinds, bilingual("What the identifier is.", "标识的种类。")),
                Argument("id", str, bilingual("The identifier.", "标识。")),
            ),
            declared(
                "findEnterprises",
                StrawberryList(match_type(enterprise)),
                bilingual(
                    "Companies that have this text in their name, the nearest first. Agencies that could not be asked,"
                    " or not to the end, are named in errors.",
                    "名称含有该文本的企业，匹配程度高者在前。未能询问或未能答全的机构列于 errors。",
                ),
                Argument(
                    "name",
                    str,
                    bilingual("The name or a part of it: 2 to 200 characters.", "名称或其片段，2 至 200 个字符。"),
                ),
                Argument(
                    "division",
                    StrawberryOptional(str),
                    bilingual(
                        "A division (GB/T 2260) of 2, 4 or 6 digits: companies in it come first.",
                        "行政区划代码（GB/T 2260）2、4 或 6 位；位于其中的企业在前。",
                    ),
                ),
                Argument(
                    "first",
                    StrawberryOptional(int),
                    bilingual("At most this many companies.", "最多返回的企业数。"),
                    MATCHES,
                ),
            ),
            declared(
                "verifyEnterprise",
                Verification,
                bilingual(
                    "Whether a company with this code, name and legal representative is registered. What the"
                    " registration says is not shown.",
                    "核验企业代码、名称和法定代表人是否与登记一致；不显示登记内容。",
                ),
                Argument("code", CreditCodeText, bilingual("Its credit code.", "统一社会信用代码。")),
                Argument("name", StrawberryOptional(str), bilingual("Its name.", "企业名称。")),
                Argument(
                    "legalRepresentative",
                    StrawberryOptional(str),
                    bilingual("The name of its legal representative.", "法定代表人姓名。"),
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


Enterprise: Final = enterprise_type(RECORDS, catalogue().records)
Query: Final = query_type(Enterprise)
