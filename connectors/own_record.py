"""A record type of an agency's own, for what the nation's do not have: how a manifest declares it.

Its names begin with the agency's, so that no two agencies mean different things by one name, and so that everybody
sees whose it is: those of `shenzhen-market` begin with `ShenzhenMarket` and `shenzhenMarket`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.contract import RecordShape
from schema.values import MASKED_KINDS, Kind

COMMON: Final[Mapping[str, Kind]] = {
    "recordId": Kind.TEXT,
    "recordUrl": Kind.TEXT,
    "objection": Kind.BOOLEAN,
    "publishedFrom": Kind.DATE,
    "publishedUntil": Kind.DATE,
}
"""The fields that every record type has, declared or not: `schema.records.base`."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
TypeName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,127}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,127}$")]
RowsTier = Literal["PUBLIC", "AUTHORISED", "RESTRICTED"]
FieldTier = Literal["PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Description(_Part):
    """What something means, in both languages."""

    en: Text
    zh: Text


class OwnField(_Part):
    """One field of the record type."""

    type: Kind = Field(description="What it holds. A creditCode is shown as the enterprise that has it.")
    tier: FieldTier
    mask: str | None = Field(default=None, description="What a rule that does not name the field shows at most.")
    description: Description

    @model_validator(mode="after")
    def _mask_fits(self) -> Self:
        fitting = sorted(mask for mask, kinds in MASKED_KINDS.items() if self.type in kinds)
        if self.mask is not None and self.mask not in fitting:
            raise ValueError(f"no mask {self.mask!r} for a {self.type} field: it may have {', '.join(fitting)}")
        if self.mask is not None and self.type is Kind.CREDIT_CODE:
            raise ValueError("an enterprise is shown or withheld, never masked")
        return self


class Bound(_Part):
    """What an argument of a list asks: records whose date is on or after it (`from`), or on or before it (`to`)."""

    from_: FieldName | None = Field(default=None, alias="from")
    to: FieldName | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.from_ is None) == (self.to is None):
            raise ValueError("needs exactly one of from and to")
        return self

    @property
    def test(self) -> tuple[str, str]:
        """The field, and the operator that it is compared by."""
        return (self.from_, ">=") if self.from_ is not None else (self.to or "", "<=")


class OwnRecord(_Part):
    """A record type that the nation does not have."""

    name: TypeName = Field(description="Begins with the agency's id in capitals and small letters: ShenzhenMarket...")
    field: FieldName | None = Field(
        default=None, description="Its field on an enterprise; by default the name, its first letter small."
    )
    single: bool = Field(default=False, description="Whether a company has at most one.")
    tier: RowsTier = Field(description="How closely it is kept that there are records.")
    ordered_by: FieldName | None = Field(
        default=None, alias="orderedBy", description="The date by which records are sorted, newest first."
    )
    filters: dict[FieldName, Bound] = Field(default_factory=dict, description="Argument of the list -> its date.")
    description: Description
    fields: dict[FieldName, OwnField] = Field(min_length=1)

    @property
    def on_enterprise(self) -> str:
        """The name of the field that an enterprise has for it."""
        return self.field or self.name[0].lower() + self.name[1:]


def prefix(agency: str) -> str:
    """What the names of an agency's record types begin with: its id, each part of it capitalised."""
    return "".join(part.capitalize() for part in agency.split("-"))


def own_shapes(manifest: Mapping[str, Any]) -> dict[str, RecordShape]:
    """The record types that a manifest, as written, declares. Works on one whose form has mistakes, too."""
    records = manifest.get("records")
    return {
        record["name"]: _shape(record)
        for record in (records if isinstance(records, list) else ())
        if isinstance(record, Mapping) and isinstance(record.get("name"), str)
    }


def _shape(record: Mapping[str, Any]) -> RecordShape:
    fields, filters = record.get("fields"), record.get("filters")
    kinds = {name: _kind(field) for name, field in fields.items()} if isinstance(fields, Mapping) else {}
    tests = {name: _test(bound) for name, bound in filters.items()} if isinstance(filters, Mapping) else {}
    return RecordShape(record["name"], record.get("single") is True, {**COMMON, **kinds}, tests)


def _kind(field: object) -> Kind:
    written = field.get("type") if isinstance(field, Mapping) else None
    return Kind(written) if isinstance(written, str) and written in set(Kind) else Kind.TEXT


def _test(bound: object) -> tuple[str, str]:
    written = bound if isinstance(bound, Mapping) else {}
    return (str(written["from"]), ">=") if "from" in written else (str(written.get("to")), "<=")
