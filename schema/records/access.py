"""Who looked at the company."""

from __future__ import annotations

import datetime as dt

from schema.catalogue import Tier
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="lookups",
        tier=Tier.RESTRICTED,
        ordered_by="lookedOn",
        filters={"lookedFrom": ("lookedOn", ">="), "lookedTo": ("lookedOn", "<=")},
        chinese="查询记录：谁、为何用途、依何依据查询过该企业。",
    )
)
class Lookup(SourcedRecord):
    """That an organisation looked at the company on one day, for one purpose, on one basis."""

    looked_on: dt.date | None = classified(Tier.RESTRICTED, "The day.", "查询日期。")
    organisation: str | None = classified(Tier.RESTRICTED, "The organisation that looked.", "查询机构。")
    purpose: str | None = classified(
        Tier.RESTRICTED, "For which purpose; null: none was named.", "查询用途；未注明则为空。"
    )
    basis: str | None = classified(
        Tier.RESTRICTED,
        "On which legal bases, joined by commas; null: none held.",
        "查询依据，多项以逗号分隔；无则为空。",
    )
    requests: int | None = classified(Tier.RESTRICTED, "How many times.", "查询次数。")
