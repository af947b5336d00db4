"""The record types that agencies declare in their manifests, as the schema takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.manifest import Manifest
from connectors.own_record import OwnRecord
from schema.catalogue import FieldSpec, RecordType, Tier
from schema.contract import Contract
from schema.own_records import clashes, composed
from schema.values import Kind


def contract_of(manifests: Iterable[Manifest]) -> Contract:
    """The nation's contract with the record types that these manifests declare.

    Raises `CatalogueInvalidError` where one of them clashes with another.
    """
    return composed(own_records(manifests))


def own_records(manifests: Iterable[Manifest]) -> tuple[RecordType, ...]:
    """The record types that the manifests declare, in their order."""
    return tuple(_record(manifest.agency, record) for manifest in manifests for record in manifest.records)


@dataclass(frozen=True, slots=True)
class OwnClash:
    """A record type whose name is another's already: the agency that declares it, its place there, and whose it is."""

    agency: str
    index: int
    reason: str


def own_clashes(manifests: Sequence[Manifest]) -> tuple[OwnClash, ...]:
    """Every record type that these manifests, all sound in themselves, cannot declare together."""
    places = [(manifest.agency, index) for manifest in manifests for index in range(len(manifest.records))]
    return tuple(OwnClash(*places[clash.index], clash.reason) for clash in clashes(own_records(manifests)))


def without_clashes(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Those of the manifests whose own record types clash with no others."""
    clashing = {clash.agency for clash in own_clashes(manifests)}
    return [manifest for manifest in manifests if manifest.agency not in clashing]


def _record(agency: str, declared: OwnRecord) -> RecordType:
    return RecordType(
        name=declared.name,
        field=declared.on_enterprise,
        answer=f"{declared.name}Answer",
        single=declared.single,
        tier=Tier(declared.tier),
        fields={
            name: FieldSpec(
                name,
                field.type,
                Tier(field.tier),
                field.description.en,
                field.description.zh,
                field.mask,
                link=field.type is Kind.CREDIT_CODE,
            )
            for name, field in declared.fields.items()
        },
        ordered_by=declared.ordered_by,
        filters={argument: bound.test for argument, bound in declared.filters.items()},
        description=declared.description.en,
        description_zh=declared.description.zh,
        owner=agency,
    )
