"""The envelope of every answer: what it is worth, who was asked, and what the caller may see of it."""

from __future__ import annotations

import datetime as dt
from enum import Enum

import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional

from schema.agency import Agency
from schema.catalogue import RecordType
from schema.tiers import Record
from schema.wording import bilingual


@strawberry.enum(description=bilingual("What an answer is worth.", "回答的完整程度。"))
class AnswerStatus(Enum):
    """The status of an answer."""

    COMPLETE = strawberry.enum_value(
        "COMPLETE",
        description=bilingual(
            "Every agency that could know was asked and answered, fresh and whole. Only here do no records mean none.",
            "所有可能掌握记录的机构均已被询问，并作出及时、完整的回答。仅在此状态下，没有记录才表示确无记录。",
        ),
    )
    PARTIAL = strawberry.enum_value(
        "PARTIAL",
        description=bilingual(
            "Some of what there is may be missing; sources tells from whom.", "内容可能有缺；详见 sources。"
        ),
    )
    UNAVAILABLE = strawberry.enum_value(
        "UNAVAILABLE",
        description=bilingual("Agencies may be asked, but none answered.", "可以询问机构，但无一作答。"),
    )
    WITHHELD = strawberry.enum_value(
        "WITHHELD",
        description=bilingual("No agency may be asked for this caller.", "不得为该调用者询问任何机构。"),
    )


@strawberry.enum(description=bilingual("How one agency's system fared.", "单个机构的应答情况。"))
class SourceStatus(Enum):
    """The status of one source of an answer."""

    ANSWERED = strawberry.enum_value(
        "ANSWERED", description=bilingual("It answered, fresh and whole.", "已及时、完整作答。")
    )
    UNKNOWN_COMPANY = strawberry.enum_value(
        "UNKNOWN_COMPANY",
        description=bilingual(
            "It does not know the company; that is not the same as no records.", "该机构不掌握此企业，不等于没有记录。"
        ),
    )
    INCOMPLETE = strawberry.enum_value(
        "INCOMPLETE",
        description=bilingual(
            "Some of its records could not be read, or were cut off by a limit.",
            "部分记录无法读取，或因数量上限被截断。",
        ),
    )
    STALE = strawberry.enum_value(
        "STALE",
        description=bilingual("It failed; what it said earlier is given.", "未能作答，所示为其先前的回答。"),
    )
    FAILED = strawberry.enum_value("FAILED", description=bilingual("It gave no usable answer.", "未给出可用的回答。"))
    WITHHELD = strawberry.enum_value(
        "WITHHELD", description=bilingual("It may not be asked for this caller.", "不得为该调用者询问该机构。")
    )
    NOT_ASKED = strawberry.enum_value(
        "NOT_ASKED",
        description=bilingual(
            "It holds records of companies registered elsewhere only, so it was not asked.",
            "其数据仅涉及在其他地区登记的企业，故未询问。",
        ),
    )


@strawberry.enum(description=bilingual("Why an agency gave no usable answer.", "机构未给出可用回答的原因。"))
class FailureCode(Enum):
    """Why an agency gave no usable answer."""

    AGENCY_TIMEOUT = strawberry.enum_value(
        "AGENCY_TIMEOUT", description=bilingual("It did not answer in time.", "应答超时。")
    )
    AGENCY_UNAVAILABLE = strawberry.enum_value(
        "AGENCY_UNAVAILABLE", description=bilingual("It could not be reached, or is down.", "无法连接或已停机。")
    )
    AGENCY_OVERLOADED = strawberry.enum_value(
        "AGENCY_OVERLOADED", description=bilingual("It takes no more questions for now.", "暂不接受更多请求。")
    )
    AGENCY_BAD_RESPONSE = strawberry.enum_value(
        "AGENCY_BAD_RESPONSE", description=bilingual("What it answered cannot be understood.", "回答无法识别。")
    )
    LIMIT = strawberry.enum_value(
        "LIMIT", description=bilingual("A limit of this gateway was reached first.", "先达到本网关的限制。")
    )


@strawberry.enum(description=bilingual("What the caller gets to see of a field.", "调用者对字段的可见程度。"))
class Decision(Enum):
    """What the caller gets to see of a coordinate."""

    CLEAR = strawberry.enum_value("CLEAR", description=bilingual("The value itself.", "原值。"))
    MASKED = strawberry.enum_value("MASKED", description=bilingual("A vaguer value.", "脱敏后的值。"))
    WITHHELD = strawberry.enum_value("WITHHELD", description=bilingual("Nothing.", "不可见。"))


@strawberry.enum(description=bilingual("What the caller lacks.", "调用者所缺的条件。"))
class AccessReason(Enum):
    """What the caller lacks to see more."""

    NEEDS_PURPOSE = strawberry.enum_value(
        "NEEDS_PURPOSE", description=bilingual("A purpose that allows more.", "需要声明允许查看的用途。")
    )
    NEEDS_CONSENT = strawberry.enum_value(
        "NEEDS_CONSENT", description=bilingual("The company's consent.", "需要企业授权。")
    )
    NEEDS_JURISDICTION = strawberry.enum_value(
        "NEEDS_JURISDICTION", description=bilingual("Jurisdiction over the company.", "需要对该企业的管辖权。")
    )
    NOT_AVAILABLE = strawberry.enum_value(
        "NOT_AVAILABLE",
        description=bilingual("Nothing that the caller could add would help.", "无法通过补充条件获得。"),
    )


@strawberry.type(description=bilingual("Why an agency gave no usable answer.", "机构未给出可用回答的说明。"))
class Failure:
    """A source's failure."""

    code: FailureCode = strawberry.field(description=bilingual("What happened.", "失败类型。"))
    retryable: bool = strawberry.field(
        description=bilingual("Whether the same question may soon be answered.", "稍后重试是否可能成功。")
    )


@strawberry.type(description=bilingual("An agency as a source of an answer.", "回答的一个来源机构。"))
class Source:
    """One supplier of an answer."""

    agency: Agency = strawberry.field(description=bilingual("The agency.", "机构。"))
    status: SourceStatus = strawberry.field(description=bilingual("How it fared.", "应答情况。"))
    as_of: dt.datetime | None = strawberry.field(
        description=bilingual("The agency's own date of its data.", "机构自身标明的数据时点。")
    )
    not_older_than: dt.datetime | None = strawberry.field(
        description=bilingual("Its answer was fetched at this moment or later.", "回答的获取时间不早于此时点。")
    )
    failure: Failure | None = strawberry.field(description=bilingual("Why it gave no answer.", "未作答的原因。"))


@strawberry.type(
    description=bilingual("A selected field that the caller does not see clearly.", "调用者不能完整查看的已选字段。")
)
class FieldAccess:
    """The decision on one selected field of one supplier."""

    coordinate: str = strawberry.field(
        description=bilingual(
            "The field (Penalty.amount), or the record type for its rows (Penalty).",
            "字段（Penalty.amount），或以记录类型表示其行（Penalty）。",
        )
    )
    decision: Decision = strawberry.field(description=bilingual("What the caller gets to see.", "可见程度。"))
    mask: str | None = strawberry.field(
        description=bilingual("The mask, where the value is masked.", "所用的脱敏方式。")
    )
    agency: Agency = strawberry.field(description=bilingual("The agency that it is about.", "所涉机构。"))
    reason: AccessReason = strawberry.field(description=bilingual("What the caller lacks.", "所缺条件。"))


@strawberry.interface(description=bilingual("What is the same in every answer.", "各类回答的共同部分。"))
class Answer:
    """What one field of a company returns."""

    status: AnswerStatus = strawberry.field(
        description=bilingual("What the answer is worth; look here first.", "回答的完整程度，应首先查看。")
    )
    sources: list[Source] = strawberry.field(
        description=bilingual("Every agency that could know.", "所有可能掌握记录的机构。")
    )
    access: list[FieldAccess] = strawberry.field(
        description=bilingual(
            "The selected fields that are not simply clear, one entry for each agency.",
            "未能完整查看的已选字段，每个机构一项。",
        )
    )


def answer_type(record: RecordType, cls: type[Record]) -> type:
    """The answer type of a record type: `record` where a company has at most one, else a page of `records`."""
    contents = _single(cls) if record.single else _page(cls)
    namespace = {name: field for name, (_, field) in contents.items()}
    annotations = {name: annotation for name, (annotation, _) in contents.items()}
    declared = type(record.answer, (Answer,), {**namespace, "__annotations__": annotations})
    description = bilingual(
        f"What the agencies answered. Its content: {record.description}",
        f"各机构的回答。内容：{record.description_zh}",
    )
    return strawberry.type(declared, description=description)


def _single(cls: type[Record]) -> dict[str, tuple[object, object]]:
    described = strawberry.field(
        description=bilingual(
            "The record; null with COMPLETE means that there is none.", "记录；COMPLETE 时为空表示确无记录。"
        )
    )
    return {"record": (StrawberryOptional(cls), described)}


def _page(cls: type[Record]) -> dict[str, tuple[object, object]]:
    records = strawberry.field(
        description=bilingual(
            "A page of records: newest first, then by agency, then by record identifier. Empty only with COMPLETE.",
            "一页记录：按时间由新到旧，再按机构、记录标识排序。仅在 COMPLETE 时可为空列表。",
        )
    )
    has_more = strawberry.field(description=bilingual("Whether there are records after these.", "其后是否还有记录。"))
    end_cursor = strawberry.field(
        description=bilingual("Give it as after to get the next page.", "作为 after 传入以获取下一页。")
    )
    return {
        "records": (StrawberryOptional(StrawberryList(cls)), records),
        "has_more": (StrawberryOptional(bool), has_more),
        "end_cursor": (StrawberryOptional(str), end_cursor),
    }
