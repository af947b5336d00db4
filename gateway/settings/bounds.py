"""How much may be asked, of which operations, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.limits import Limits
from gateway.settings.group import Group

DocumentMode = Literal["off", "log", "warn", "enforce", "id"]

_LIMITS: Final = Limits()


class LimitSettings(Group):
    """What one request may cost."""

    request_bytes: int = Field(default=1_048_576, gt=0, description="The most bytes of a body or of a query string.")
    characters: int = Field(default=_LIMITS.characters, gt=0, description="The most characters of an operation's text.")
    tokens: int = Field(default=_LIMITS.tokens, gt=0, description="The most tokens of an operation's text.")
    repeats: int = Field(
        default=_LIMITS.repeats, gt=0, description="How often one response key may stand in a selection set."
    )
    fields: int = Field(default=_LIMITS.fields, gt=0, description="The most fields, after fragments are expanded.")
    depth: int = Field(default=_LIMITS.depth, gt=0, description="The deepest nesting, after fragments are expanded.")
    aliases: int = Field(default=_LIMITS.aliases, gt=0, description="The most aliases.")
    companies: int = Field(
        default=_LIMITS.companies, gt=0, description="The most distinct companies, at all levels together."
    )
    page: int = Field(default=_LIMITS.page, gt=0, description="The most records that `first` may ask for.")
    written: int = Field(
        default=_LIMITS.written, gt=0, description="The most companies and records in an answer, duplicates counted."
    )

    def operation(self) -> Limits:
        """The limits that the pipeline holds an operation to (`request_bytes` is the HTTP edge's)."""
        return Limits(**self.model_dump(exclude={"request_bytes"}))


class CostSettings(Group):
    """What a request may cost the agencies: one for each call and for each company in it, times a weight."""

    budget: float = Field(default=100_000, gt=0, description="The most that one request may cost.")
    budgets: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="The same for single organisations, by id."
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="What an agency's calls weigh (`tax`), or a dataset's (`tax/TaxPayment`); others 1."
    )
    told: Literal["asked", "always"] = Field(
        default="asked", description="Whether answers tell their cost where `extensions.cost` asks, or always."
    )


class AllowanceSettings(Group):
    """How much one caller may ask; none: any number."""

    requests: int | None = Field(
        default=None, gt=0, description="Requests a minute; those of ten seconds may come at once."
    )
    concurrent: int | None = Field(default=None, gt=0, description="Requests at once.")
    companies: int | None = Field(default=None, gt=0, description="Different companies on a day (of China).")


class QuotaSettings(Group):
    """How much organisations and their users may ask, and how much of an agency one organisation may take."""

    organisation: AllowanceSettings = Field(default=AllowanceSettings(), description="What an organisation may ask.")
    user: AllowanceSettings = Field(default=AllowanceSettings(), description="What one of its users may ask.")
    organisations: dict[str, AllowanceSettings] = Field(
        default={}, description="The same as `organisation`, in its place, for single organisations, by id."
    )
    verifications: int | None = Field(
        default=20,
        gt=0,
        description="Different values that an organisation may have verified of one company on a day (of China).",
    )
    agency_share: float | None = Field(
        default=None, gt=0, le=1, description="The part of the calls that an agency bears at once for one organisation."
    )
    agency_day_share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The part of the calls that an agency bears on a day for one organisation.",
    )
    url: SecretStr | None = Field(
        default=None, min_length=1, description="Where several instances or workers count together: `redis://`."
    )
    deadline: float = Field(default=0.05, gt=0, le=5, description="Seconds that a trip there may take.")

    def bounds(self) -> bool:
        """Whether there is anything to count."""
        allowances = (self.organisation, self.user, *self.organisations.values())
        return any(allowance != AllowanceSettings() for allowance in allowances)


class DocumentSettings(Group):
    """Operations that the operator trusts, and what becomes of others: `off`: they run; `log`: they run, and the log
    says so; `warn`: and the answer says so too; `enforce`: they are refused; `id`: no text is taken, only ids.
    """

    file: Path | None = Field(
        default=None, description="The list: JSON of texts by their SHA-256, or Apollo's manifest of operations."
    )
    mode: DocumentMode = Field(
        default="off", description="What becomes of others: `off`, `log`, `warn`, `enforce`, or `id`: no texts at all."
    )
    organisations: dict[str, DocumentMode] = Field(default={}, description="The same for single organisations, by id.")

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.file is None and {self.mode, *self.organisations.values()} != {"off"}:
            raise ValueError("a mode other than off needs the file")
        return self


class ConnectionSettings(Group):
    """How many connections callers may keep, and for how long each may be waited for."""

    most: int = Field(
        default=2_000, gt=0, description="The most connections of one process; the longest waited for gives way."
    )
    idle: int = Field(
        default=5,
        gt=0,
        description="Seconds for which a connection is kept between two requests: longer than proxies do.",
    )
    head: float = Field(default=10.0, gt=0, description="Seconds for a TLS handshake, and for a request's head.")
    body: float = Field(default=60.0, gt=0, description="Seconds for a request's body, whatever its own deadline.")
    answer: float = Field(default=60.0, gt=0, description="Seconds for the caller to take an answer.")


class DeadlineSettings(Group):
    """How long a request may take."""

    default: float = Field(default=5.0, gt=0, description="Seconds, for a request that does not say (X-Timeout-Ms).")
    maximum: float = Field(default=30.0, gt=0, description="Seconds that no request may exceed.")

    @model_validator(mode="after")
    def _default_within_maximum(self) -> Self:
        if self.default > self.maximum:
            raise ValueError("default is longer than maximum")
        return self
