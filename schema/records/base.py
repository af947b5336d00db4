"""What every record carries."""

from __future__ import annotations

import datetime as dt

import strawberry

from schema.agency import RecordSource
from schema.catalogue import Tier
from schema.tiers import Record, classified
from schema.wording import bilingual


@strawberry.type
class SourcedRecord(Record):
    """A record of an agency: where it is from, whether it is disputed, and how long it may be published."""

    source: RecordSource = strawberry.field(description=bilingual("Where the record comes from.", "记录来源。"))
    record_id: str | None = classified(
        Tier.PUBLIC, "The record's identifier in the agency's system.", "该记录在机构系统中的标识。"
    )
    record_url: str | None = classified(
        Tier.PUBLIC, "Where the agency itself publishes the record.", "机构公示该记录的网址。"
    )
    objection: bool | None = classified(
        Tier.PUBLIC,
        "Whether the company disputes the record and the dispute is not yet settled.",
        "企业是否对该记录提出异议且尚未处理完毕。",
    )
    published_from: dt.date | None = classified(
        Tier.PUBLIC, "The first day on which the record may be published.", "公示起始日期。"
    )
    published_until: dt.date | None = classified(
        Tier.PUBLIC, "The last day on which the record may be published.", "公示截止日期。"
    )
