"""What a manifest says of how its agency is to be treated."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of the IANA database, such as Asia/Shanghai") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone (IANA)."""


Minute = Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d\d-\d\d[ T])?([01]\d|2[0-3]):[0-5]\d$")]
"""A minute of every day, or of one."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Declared):
    """A time of maintenance: every week on these days (every day, where none are named), or once."""

    days: tuple[Day, ...] = Field(default=(), description="The days on which it begins; none: every day.")
    start: Minute = Field(alias="from", description="02:30, or for once 2026-12-01 02:30.")
    end: Minute = Field(alias="to", description="The first minute after it. A time not after `from` is the next day's.")

    @property
    def is_once(self) -> bool:
        """Whether its ends are moments, not times of the day."""
        return len(self.start) > len("hh:mm")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.is_once != (len(self.end) > len("hh:mm")):
            raise ValueError("from and to are both times of the day, or both moments")
        if self.is_once and self.days:
            raise ValueError("days: goes with times of the day")
        if self.is_once and datetime.fromisoformat(self.end) <= datetime.fromisoformat(self.start):
            raise ValueError("to is not after from")
        return self


class Rate(_Declared):
    """The most calls that the agency may get in any second, in any minute, and on a day; without one, no bound."""

    second: int | None = Field(default=None, ge=1, le=100_000)
    minute: int | None = Field(default=None, ge=1, le=1_000_000)
    day: int | None = Field(default=None, ge=1, le=1_000_000_000, description="From midnight to midnight in `zone`.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.second is None and self.minute is None and self.day is None:
            raise ValueError("needs second, minute or day")
        return self


class Retries(_Declared):
    """Repeated calls: how often one may be repeated, and how many calls of a hundred may be repetitions."""

    most: int = Field(default=1, ge=0, le=5, description="How often a call is repeated at most; 0: never.")
    percent: float = Field(
        default=10, ge=0, le=100, description="The most repeated and hedging calls, for every hundred others."
    )


class Breaker(_Declared):
    """When an agency that fails is left alone."""

    failures: int = Field(default=5, ge=1, le=100, description="So many of the last twice as many calls failed.")
    seconds: float = Field(default=5, gt=0, le=600, description="Until a single call tries again.")


class Treatment(BaseModel):
    """How an agency is to be treated: the part of its manifest that is the same for all kinds."""

    timeout: float = Field(default=5, gt=0, le=600, description="Seconds that a call may take.")
    concurrency: int = Field(default=8, ge=1, le=1000, description="Most calls at once to this agency.")
    rate: Rate | None = Field(default=None, description="Most calls in a second, in a minute and on a day.")
    zone: Zone = Field(default="Asia/Shanghai", description="Time zone of its days and of its maintenance.")
    maintenance: tuple[Window, ...] = Field(default=(), description="When it is not asked at all.")
    retries: Retries = Field(default=Retries(), description="Of calls that failed and may be repeated.")
    breaker: Breaker = Field(default=Breaker(), description="When it is left alone because it fails.")
    hedge_after: float | None = Field(
        default=None,
        alias="hedgeAfter",
        gt=0,
        le=600,
        description="Seconds after which a call that may be repeated is sent a second time; the first answer counts.",
    )
