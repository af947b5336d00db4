"""Record types that agencies declare as their own: added to the nation's contract when the gateway starts.

They are built as the nation's are, so that everything that holds for those holds for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldDefinitionNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    parse,
    print_ast,
)
from strawberry.tools import create_type

from schema.catalogue import ENTERPRISE, Catalogue, FieldSpec, RecordType
from schema.contract import Contract, national, parsed
from schema.derive import TYPES, derive
from schema.errors import CatalogueInvalidError
from schema.query import Query, answer_field
from schema.records.base import SourcedRecord
from schema.sdl import printed, tidy
from schema.tiers import Declaration, Record, classified, linked, record

_CARRIER: Final = "OwnRecords"
"""The type on which the new fields of an enterprise are printed, before they are put there."""

_NATION: Final = "the national schema"


@dataclasses.dataclass(frozen=True, slots=True)
class Clash:
    """A record type that cannot be added: its place among all that are to be, and why."""

    index: int
    reason: str


def clashes(own: Sequence[RecordType]) -> Iterator[Clash]:
    """Every name of these record types that the nation's contract has, or one before it."""
    definitions = parsed(national().text).definitions
    types = {node.name.value: _NATION for node in definitions if isinstance(node, TypeDefinitionNode)}
    fields = {field.name.value: _NATION for node in definitions for field in _fields(node, ENTERPRISE)}
    for index, entry in enumerate(own):
        if name := next((name for name in (entry.name, entry.answer) if name in types), None):
            yield Clash(index, f"{types[name]} has a type {name} already")
        if entry.field in fields:
            yield Clash(index, f"{fields[entry.field]} has the field {entry.field} on {ENTERPRISE} already")
        whose = f"the agency {entry.owner}"
        types |= {entry.name: whose, entry.answer: whose}
        fields[entry.field] = whose


def composed(own: Sequence[RecordType]) -> Contract:
    """The nation's contract with these record types, whose `fields` are those that the nation's do not all have anyway.

    Raises `CatalogueInvalidError` where one clashes with another, or is declared wrongly.
    """
    if not own:
        return national()
    for clash in clashes(own):
        raise CatalogueInvalidError(f"{own[clash.index].name}: {clash.reason}; rename it.")
    classes = [_class(entry) for entry in own]
    derived = derive(classes).records
    entries = {entry.name: dataclasses.replace(derived[entry.name], owner=entry.owner) for entry in own}
    carrier = create_type(_CARRIER, [answer_field(entries[cls.__name__], cls) for cls in classes])
    document = parse(printed(Query, (carrier,)), no_location=True)
    return Contract(Catalogue({**national().catalogue.records, **entries}), tidy(print_ast(_put(document))))


def _class(entry: RecordType) -> type[Record]:
    # Attributes of the class have names of their own: a field may be called `declaration`.
    names = {field.name: f"own_{field.name}" for field in entry.fields.values()}
    declaration = Declaration(
        field=entry.field,
        tier=entry.tier,
        chinese=entry.description_zh,
        single=entry.single,
        ordered_by=entry.ordered_by,
        filters=entry.filters,
    )
    namespace = {
        "__doc__": entry.description,
        "__module__": __name__,
        "__annotations__": {names[field.name]: TYPES[field.kind] for field in entry.fields.values()},
        **{names[field.name]: _declared(field) for field in entry.fields.values()},
    }
    return record(declaration)(type(entry.name, (SourcedRecord,), namespace))


def _declared(field: FieldSpec) -> Any:  # noqa: ANN401  # as `schema.tiers.classified` is typed
    if field.link:
        return linked(field.tier, field.description, field.description_zh, name=field.name)
    return classified(field.tier, field.description, field.description_zh, mask=field.mask, name=field.name)


def _put(document: DocumentNode) -> DocumentNode:
    """The contract with the carrier's fields where they belong."""
    moved = tuple(field for node in document.definitions for field in _fields(node, _CARRIER))
    return DocumentNode(
        definitions=tuple(_with(node, moved) for node in document.definitions if not _is(node, _CARRIER))
    )


def _with(node: DefinitionNode, more: tuple[FieldDefinitionNode, ...]) -> DefinitionNode:
    if not isinstance(node, ObjectTypeDefinitionNode) or not _is(node, ENTERPRISE):
        return node
    return dataclasses.replace(node, fields=(*(node.fields or ()), *more))


def _fields(node: DefinitionNode, name: str) -> tuple[FieldDefinitionNode, ...]:
    return tuple(node.fields or ()) if isinstance(node, ObjectTypeDefinitionNode) and _is(node, name) else ()


def _is(node: DefinitionNode, name: str) -> bool:
    return isinstance(node, ObjectTypeDefinitionNode) and node.name.value == name
