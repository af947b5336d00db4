"""The public contract: the nation's record types, and beside them those that agencies declared as their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from functools import cache, lru_cache

from graphql import DefinitionNode, DocumentNode, GraphQLSchema, ObjectTypeDefinitionNode, parse, print_ast

from schema.catalogue import Catalogue
from schema.graphql_schema import built
from schema.records import catalogue
from schema.sdl import sdl, tidy


@dataclasses.dataclass(frozen=True, slots=True)
class Contract:
    """A catalogue, and `text`: the whole contract in GraphQL's schema definition language."""

    catalogue: Catalogue
    text: str

    def schema(self, hidden: Collection[str]) -> GraphQLSchema:
        """The schema without the fields at the `hidden` coordinates (`Penalty.informant`): for its user, they do not
        exist, nor does a type that only they led to.

        It takes 3 ms (70 ms the first time in a process): keep it.
        """
        return built(self._document(hidden))

    def subgraph_sdl(self, unreleased: Collection[str]) -> str:
        """The contract as a router that composes subgraphs gets it: without SEALED fields and without the record types
        of these names.
        """
        return tidy(print_ast(self._document(self.catalogue.sealed() | self.answers(unreleased))))

    def answers(self, records: Collection[str]) -> frozenset[str]:
        """The coordinates of the answers that hold records of these types (`Enterprise.penalties`)."""
        return frozenset(self.catalogue.records[name].place for name in records)

    def _document(self, hidden: Collection[str]) -> DocumentNode:
        gone = {
            name
            for record in self.catalogue.records.values()
            if record.place in hidden
            for name in (record.name, record.answer)
        }
        return DocumentNode(
            definitions=tuple(
                _without(definition, hidden)
                for definition in parsed(self.text).definitions
                if not (isinstance(definition, ObjectTypeDefinitionNode) and definition.name.value in gone)
            )
        )


@cache
def national() -> Contract:
    """The contract of the nation's record types alone. Raises `CatalogueInvalidError` where one is declared wrongly."""
    return Contract(catalogue(), sdl())


@lru_cache(maxsize=4)
def parsed(text: str) -> DocumentNode:
    """The syntax tree of a contract. The last ones are kept: each caller's view of a contract begins with it."""
    return parse(text, no_location=True)


def _without(definition: DefinitionNode, hidden: Collection[str]) -> DefinitionNode:
    if not isinstance(definition, ObjectTypeDefinitionNode):
        return definition
    name = definition.name.value
    fields = tuple(field for field in definition.fields or () if f"{name}.{field.name.value}" not in hidden)
    return dataclasses.replace(definition, fields=fields)
