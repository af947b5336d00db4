"""The catalogue: every record type and field, with its kind, tier and default mask, as plain frozen data.

Policies and manifests are checked against it; the planner reads nothing else about record types. It is built from the
strawberry types by `schema.records.catalogue()`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schema.values import Kind

ENTERPRISE: Final = "Enterprise"
"""The type that has a field for each record type."""

QUERY: Final = "Query"


class Tier(StrEnum):
    """How closely a field is kept. Every field, and the rows of every record type, has exactly one."""

    PUBLIC = "PUBLIC"
    AUTHORISED = "AUTHORISED"
    RESTRICTED = "RESTRICTED"
    SEALED = "SEALED"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a record type.

    `name` is the GraphQL name. `mask` is the default mask, a floor under every rule that does not name the field.
    `link` is true where the field is a credit code that the schema shows as an `Enterprise`. `description` and
    `description_zh` are the English and the Chinese text.
    """

    name: str
    kind: Kind
    tier: Tier
    description: str
    description_zh: str
    mask: str | None = None
    link: bool = False


@dataclass(frozen=True, slots=True)
class RecordType:
    """One canonical record type.

    `field` is its name on `Enterprise` ("penalties"), `answer` the type that this field has ("PenaltyAnswer").
    `single` is true where a company has at most one. `tier` is that of the rows. `ordered_by` names the date field by
    which records are sorted, newest first. `filters` maps an argument of the answer field to (record field, operator),
    the operator ">=" or "<=". `owner` is the agency that declared it as its own, None for the nation's.

    `parent` is the type that has the `field`. A question at the root of `Query`, and what is told of an `Agency`, have
    coordinates as record types have them, and no records of their own.
    """

    name: str
    field: str
    answer: str
    single: bool
    tier: Tier
    fields: Mapping[str, FieldSpec]
    ordered_by: str | None
    filters: Mapping[str, tuple[str, str]]
    description: str
    description_zh: str
    owner: str | None = None
    parent: str = ENTERPRISE

    @property
    def root(self) -> bool:
        """Whether it is a question at the root of `Query`."""
        return self.parent == QUERY

    @property
    def place(self) -> str:
        """The coordinate of the field that leads to it (`Enterprise.penalties`)."""
        return f"{self.parent}.{self.field}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every record type by name, every question at the root, and what is told of agencies."""

    records: Mapping[str, RecordType]

    def of_companies(self) -> Iterator[RecordType]:
        """The record types that are fields of `Enterprise`."""
        return (record for record in self.records.values() if record.parent == ENTERPRISE)

    def tiers(self) -> Iterator[tuple[str, Tier]]:
        """Each coordinate (`Penalty`, `Penalty.amount`) with its tier."""
        for record in self.records.values():
            yield record.name, record.tier
            for field in record.fields.values():
                yield f"{record.name}.{field.name}", field.tier

    def sealed(self) -> frozenset[str]:
        """The coordinates of all SEALED fields."""
        return frozenset(coordinate for coordinate, tier in self.tiers() if tier is Tier.SEALED)

    def field(self, coordinate: str) -> FieldSpec | None:
        """The field at `Type.field`, None where there is none (`Type` alone is not a field)."""
        name, _, field = coordinate.partition(".")
        record = self.records.get(name)
        return record.fields.get(field) if record else None
