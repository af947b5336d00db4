"""An agency: who a record comes from, how it fares, and who uses its data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryList, StrawberryOptional

from schema.catalogue import FieldSpec, RecordType, Tier
from schema.declare import Argument, declared
from schema.scalars import CreditCodeText
from schema.tiers import CLASSIFICATION, Classified, classified
from schema.values import Kind
from schema.wording import bilingual

if TYPE_CHECKING:
    from schema.answers import FieldAccess

AGENCY: Final = "Agency"
HEALTH: Final = "AgencyHealth"
USAGE: Final = "AgencyUsage"

USAGE_DAYS: Final = 30
"""Over how many days the use of an agency's data is told unless the caller says otherwise."""

_HEALTH_TEXTS: Final = (
    "How an agency fares, as the answering process has counted it since it began, or since the manifest changed.",
    "机构系统的运行状况：自作答进程启动或该机构清单更改以来的计数。",
)
_USAGE_TEXTS: Final = (
    "The use of an agency's records of one type by one organisation, for one purpose, on one day, by the audit log.",
    "审计日志所载：某单位在某日以某用途对某机构某类记录的使用情况。",
)


@strawberry.enum(description=bilingual("Whether an agency is asked.", "是否向该机构查询。"))
class AgencyState(Enum):
    """Whether an agency is asked."""

    ASKED = strawberry.enum_value("ASKED", description=bilingual("As ever.", "照常查询。"))
    MAINTENANCE = strawberry.enum_value(
        "MAINTENANCE", description=bilingual("Not now: it is being maintained.", "维护中，暂不查询。")
    )
    LEFT_ALONE = strawberry.enum_value(
        "LEFT_ALONE", description=bilingual("Not for some seconds: it keeps failing.", "连续失败，数秒内不查询。")
    )
    TRIED = strawberry.enum_value(
        "TRIED", description=bilingual("By one call, that tries whether it is back.", "以单次调用试探是否恢复。")
    )


@strawberry.type(description=bilingual(*_HEALTH_TEXTS), directives=[Classified(tier=Tier.RESTRICTED)])
class AgencyHealth:
    """How an agency fares."""

    state: AgencyState | None = classified(Tier.RESTRICTED, "Whether it is asked.", "是否向其查询。")
    calls: int | None = classified(Tier.RESTRICTED, "Calls that were sent to it.", "已发出的调用数。")
    failures: int | None = classified(Tier.RESTRICTED, "Those of them that failed.", "其中失败的调用数。")
    timeouts: int | None = classified(
        Tier.RESTRICTED, "Those of the failed that were not answered in time.", "失败中因超时的调用数。"
    )
    openings: int | None = classified(
        Tier.RESTRICTED,
        "How often its circuit breaker has opened, so that it was left alone.",
        "熔断次数（其间不查询该机构）。",
    )
    p50: float | None = classified(
        Tier.RESTRICTED,
        "Seconds within which half of its answers came, as an upper bound; null: none came, or above the last bound.",
        "半数应答的用时上限（秒）；无应答或超出最高档时为空。",
    )
    p95: float | None = classified(
        Tier.RESTRICTED, "The same of 95 in a hundred.", "百分之九十五应答的用时上限（秒）。"
    )
    p99: float | None = classified(
        Tier.RESTRICTED, "The same of 99 in a hundred.", "百分之九十九应答的用时上限（秒）。"
    )
    rows: int | None = classified(Tier.RESTRICTED, "Rows that were mapped.", "已映射的行数。")
    dropped: int | None = classified(
        Tier.RESTRICTED, "Rows that were dropped, for their company was not told.", "因未注明企业而舍弃的行数。"
    )
    unreadable: int | None = classified(Tier.RESTRICTED, "Values that could not be read.", "无法读取的值数。")
    wanted: int | None = classified(
        Tier.RESTRICTED, "Companies that were wanted where rows may be kept.", "在可缓存时所需的企业数。"
    )
    kept: int | None = classified(
        Tier.RESTRICTED, "Those of them whose rows were kept: the hits of the cache.", "其中命中缓存的企业数。"
    )


@strawberry.type(description=bilingual(*_USAGE_TEXTS), directives=[Classified(tier=Tier.RESTRICTED)])
class AgencyUsage:
    """The use of one record type of an agency by one organisation, for one purpose, on one day."""

    day: dt.date | None = classified(Tier.RESTRICTED, "The day, in China.", "日期（中国时间）。")
    record: str | None = classified(
        Tier.RESTRICTED,
        "The record type; EnterpriseMatch or EnterpriseByLegacyId where it was to find a company.",
        "记录类型；用于查找企业时为 EnterpriseMatch 或 EnterpriseByLegacyId。",
    )
    organisation: str | None = classified(Tier.RESTRICTED, "Who asked.", "查询单位。")
    purpose: str | None = classified(
        Tier.RESTRICTED, "For which purpose; null: none was named.", "查询用途；未注明则为空。"
    )
    requests: int | None = classified(Tier.RESTRICTED, "In how many requests.", "请求数。")
    answers: int | None = classified(
        Tier.RESTRICTED, "How many answers there were, each about one company.", "应答数（每家企业计一次）。"
    )
    failed: int | None = classified(Tier.RESTRICTED, "How many of these failed.", "其中失败数。")
    companies: list[CreditCodeText] | None = classified(
        Tier.RESTRICTED, "About which companies, by their codes.", "所涉企业的代码。"
    )


def _about_agencies(name: str, field: str, cls: type, texts: tuple[str, str]) -> RecordType:
    declarations = {
        part.python_name: part.metadata[CLASSIFICATION] for part in get_object_definition(cls, strict=True).fields
    }
    return RecordType(
        name=name,
        field=field,
        answer=name,
        single=field == "health",
        tier=Tier.RESTRICTED,
        # Codes, so that no mask is thought to make a lesser answer of them: each is clear or it is withheld.
        fields={
            part: FieldSpec(part, Kind.CODE, declaration.tier, declaration.english, declaration.chinese)
            for part, declaration in declarations.items()
        },
        ordered_by=None,
        filters={},
        description=texts[0],
        description_zh=texts[1],
        parent=AGENCY,
    )


ABOUT_AGENCIES: Final[Mapping[str, RecordType]] = {
    HEALTH: _about_agencies(HEALTH, "health", AgencyHealth, _HEALTH_TEXTS),
    USAGE: _about_agencies(USAGE, "usage", AgencyUsage, _USAGE_TEXTS),
}
"""What is told of agencies by coordinates of its own, by the name of its coordinates."""


@strawberry.type(
    description=bilingual("An agency that answers from its own system.", "以自有系统作答的数据提供机构。"),
)
class Agency:
    """An owner of data."""

    id: strawberry.ID = strawberry.field(description=bilingual("Its stable identifier.", "稳定的机构标识。"))
    name: str = strawberry.field(description=bilingual("Its name in English.", "机构英文名称。"))
    name_zh: str | None = strawberry.field(description=bilingual("Its name in Chinese.", "机构中文名称。"))
    records: list[str] = strawberry.field(
        description=bilingual("The record types that it supplies.", "该机构提供的记录类型。")
    )
    health: AgencyHealth | None = strawberry.field(
        description=bilingual(
            "How its system fares, for those who may know; in the root `agencies` alone.",
            "系统运行状况（限有权者）；仅可在根字段 agencies 下查询。",
        )
    )
    usage: list[AgencyUsage] | None = declared(  # type: ignore[assignment]  # strawberry makes it one
        "usage",
        StrawberryOptional(StrawberryList(AgencyUsage)),
        bilingual(
            "Who used its data in the last days, the newest day first, for those who may know; in the root `agencies`"
            " alone. Whoever reads it reads the audit log, which keeps that too. Null: withheld, or the log could not"
            " be read (then there is an error); empty: nobody did.",
            "近日其数据的使用情况，最近日期在前（限有权者）；仅可在根字段 agencies 下查询。查询本身亦记入审计日志。"
            "为空值表示不可见或日志无法读取（后者另有报错），空列表表示无人使用。",
        ),
        Argument(
            "days",
            int,
            bilingual("Today and the days before it: 1 to 3660.", "含今日在内的天数，1 至 3660。"),
            USAGE_DAYS,
        ),
    )
    access: list[Annotated[FieldAccess, strawberry.lazy("schema.answers")]] = strawberry.field(
        description=bilingual(
            "What was selected of its health and usage and is not clear; in the root `agencies` alone.",
            "已选运行状况与使用情况中未能完整查看的部分；仅可在根字段 agencies 下查询。",
        )
    )


@strawberry.type(description=bilingual("Where a record comes from.", "记录来源。"))
class RecordSource:
    """The agency of one record, and the date of its data."""

    agency: Agency = strawberry.field(description=bilingual("The agency that holds it.", "持有该记录的机构。"))
    as_of: dt.datetime | None = strawberry.field(
        description=bilingual("The agency's own date of its data.", "机构自身标明的数据时点。")
    )
