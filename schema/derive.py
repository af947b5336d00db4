"""From the record types as they are declared to the catalogue; whatever is declared wrongly stops here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from strawberry.schema.name_converter import NameConverter
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField

from schema import output_values
from schema.agency import RecordSource
from schema.catalogue import Catalogue, FieldSpec, RecordType
from schema.errors import CatalogueInvalidError
from schema.tiers import CLASSIFICATION, Classification, Declaration, Record
from schema.values import MASKED_KINDS, Kind

_KINDS: Final[Mapping[Any, Kind]] = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    Decimal: Kind.DECIMAL,
    bool: Kind.BOOLEAN,
    dt.date: Kind.DATE,
    output_values.DateSpan: Kind.DATE_SPAN,
    output_values.Money: Kind.MONEY,
    output_values.Count: Kind.COUNT,
    output_values.Code: Kind.CODE,
}

TYPES: Final[Mapping[Kind, Any]] = {
    **{kind: StrawberryOptional(type_) for type_, kind in _KINDS.items()},
    Kind.CREDIT_CODE: None,
}
"""How a field of each kind is annotated; what a credit code is shown as, `schema.tiers.linked` says."""

_OPERATORS: Final = frozenset({">=", "<="})


def derive(classes: Iterable[type[Record]]) -> Catalogue:
    """The catalogue of these record types. Raises `CatalogueInvalidError`, which names the coordinate."""
    records: dict[str, RecordType] = {}
    fields: dict[str, str] = {}
    for cls in classes:
        record = _record(cls)
        if record.name in records:
            raise CatalogueInvalidError(f"{record.name}: two record types have this name; rename one.")
        if record.field in fields:
            raise CatalogueInvalidError(
                f"{record.name}: its field {record.field} on Enterprise is that of {fields[record.field]}; rename one."
            )
        records[record.name] = record
        fields[record.field] = record.name
    return Catalogue(records)


def _record(cls: type[Record]) -> RecordType:
    declaration = vars(cls).get("declaration")
    if not isinstance(declaration, Declaration):
        raise CatalogueInvalidError(f"{cls.__name__}: not a record type; declare it with @record.")
    definition = get_object_definition(cls, strict=True)
    name = definition.name
    _check_descriptions(name, cls.english, declaration.chinese)
    record = RecordType(
        name=name,
        field=declaration.field,
        answer=f"{name}Answer",
        single=declaration.single,
        tier=declaration.tier,
        fields=_fields(name, definition.fields),
        ordered_by=declaration.ordered_by,
        filters=declaration.filters,
        description=cls.english,
        description_zh=declaration.chinese,
    )
    _check_dates(record)
    return record


def _fields(record: str, declared: Iterable[StrawberryField]) -> dict[str, FieldSpec]:
    names = NameConverter()
    specs: dict[str, FieldSpec] = {}
    for field in declared:
        if field.type is RecordSource:
            continue  # every record shows who it is from, whatever the policy is
        name = names.get_graphql_name(field)
        if name in specs:
            raise CatalogueInvalidError(f"{record}.{name}: two fields have this name; rename one.")
        specs[name] = _field(f"{record}.{name}", name, field)
    return specs


def _field(coordinate: str, name: str, field: StrawberryField) -> FieldSpec:
    declared = field.metadata.get(CLASSIFICATION)
    if not isinstance(declared, Classification):
        raise CatalogueInvalidError(f"{coordinate}: it has no tier; declare it with classified(...).")
    _check_descriptions(coordinate, declared.english, declared.chinese)
    kind = Kind.CREDIT_CODE if declared.link else _kind(coordinate, field)
    if declared.mask is not None and kind not in MASKED_KINDS.get(declared.mask, frozenset()):
        possible = ", ".join(mask for mask, kinds in MASKED_KINDS.items() if kind in kinds)
        raise CatalogueInvalidError(
            f"{coordinate}: the mask {declared.mask!r} does not fit a field of kind {kind}; use one of {possible}."
        )
    return FieldSpec(
        name, kind, declared.tier, declared.english, declared.chinese, mask=declared.mask, link=declared.link
    )


def _kind(coordinate: str, field: StrawberryField) -> Kind:
    if not isinstance(field.type, StrawberryOptional):
        raise CatalogueInvalidError(f"{coordinate}: a withheld field is null, so its type must be nullable.")
    kind = _KINDS.get(field.type.of_type)
    if kind is None:
        raise CatalogueInvalidError(f"{coordinate}: no kind of value has this type; see schema.values.Kind.")
    return kind


def _check_descriptions(coordinate: str, english: str, chinese: str) -> None:
    if not english.strip() or not chinese.strip():
        raise CatalogueInvalidError(f"{coordinate}: it needs an English and a Chinese description.")


def _check_dates(record: RecordType) -> None:
    """Order and filters must go by date fields of the record type."""
    named = [record.ordered_by] if record.ordered_by else []
    for argument, (name, operator) in record.filters.items():
        if operator not in _OPERATORS:
            raise CatalogueInvalidError(
                f"{record.name}: the filter {argument} has the operator {operator!r}, not >= or <=."
            )
        named.append(name)
    for name in named:
        spec = record.fields.get(name)
        if spec is None or spec.kind is not Kind.DATE:
            raise CatalogueInvalidError(f"{record.name}.{name}: order and filters need a date field of this name.")
