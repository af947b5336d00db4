"""The type of the administration's schema that tells of the use of data."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry

from gateway.agencies import usage
from schema.wording import bilingual


@strawberry.type(
    description=bilingual(
        "The use of one agency's records of one type by one organisation, for one purpose, on one day.",
        "某单位在某日以某用途对某机构某类记录的使用情况。",
    )
)
class Use:
    """How much was asked for, and by whom."""

    day: dt.date = strawberry.field(description="The day, in China.")
    agency: str = strawberry.field(description="Whose data.")
    record: str = strawberry.field(description="Which record type.")
    organisation: str = strawberry.field(description="Who asked.")
    purpose: str | None = strawberry.field(description="For which purpose; null: none was named.")
    requests: int = strawberry.field(description="In how many requests.")
    answers: int = strawberry.field(description="How many answers about one company each.")
    failed: int = strawberry.field(description="How many of these failed.")

    @classmethod
    def of(cls, use: usage.Use) -> Self:
        """The same in the schema's terms."""
        user = use.user
        return cls(
            day=user.day,
            agency=user.agency,
            record=user.record,
            organisation=user.organisation,
            purpose=user.purpose,
            requests=use.requests,
            answers=use.answers,
            failed=use.failed,
        )
