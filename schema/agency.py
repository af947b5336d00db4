"""Who a record comes from."""

from __future__ import annotations

import datetime as dt

import strawberry

from schema.wording import bilingual


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


@strawberry.type(description=bilingual("Where a record comes from.", "记录来源。"))
class RecordSource:
    """The agency of one record, and the date of its data."""

    agency: Agency = strawberry.field(description=bilingual("The agency that holds it.", "持有该记录的机构。"))
    as_of: dt.datetime | None = strawberry.field(
        description=bilingual("The agency's own date of its data.", "机构自身标明的数据时点。")
    )
