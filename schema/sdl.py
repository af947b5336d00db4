"""The contract in GraphQL's schema definition language (SDL)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from functools import cache

import strawberry.federation
from graphql import DefinitionNode, DocumentNode, ObjectTypeDefinitionNode, parse, print_ast
from strawberry.schema.config import StrawberryConfig

from schema.query import Query
from schema.records import catalogue
from schema.scalars import SCALARS


@cache
def sdl() -> str:
    """The whole contract, Apollo Federation's roots included. It is checked in as `schema/schema.graphql`."""
    return printed(Query)


def printed(query: type) -> str:
    """The contract that starts at this query type, made by `schema.query.query_type`."""
    schema = strawberry.federation.Schema(query=query, config=StrawberryConfig(scalar_map=SCALARS))
    return tidy(schema.as_str())


@cache
def subgraph_sdl() -> str:
    """The contract as a router that composes subgraphs gets it: without SEALED fields."""
    return tidy(print_ast(document(sealed())))


def sealed() -> frozenset[str]:
    """The coordinates of all SEALED fields."""
    return catalogue().sealed()


def document(hidden: Collection[str]) -> DocumentNode:
    """The contract's syntax tree without the fields at these coordinates (`Type.field`)."""
    return without(_document(), hidden)


def without(contract: DocumentNode, hidden: Collection[str]) -> DocumentNode:
    """A contract's syntax tree without the fields at these coordinates."""
    return DocumentNode(definitions=tuple(_without(definition, hidden) for definition in contract.definitions))


@cache
def _document() -> DocumentNode:
    return parse(sdl(), no_location=True)


def _without(definition: DefinitionNode, hidden: Collection[str]) -> DefinitionNode:
    if not isinstance(definition, ObjectTypeDefinitionNode):
        return definition
    name = definition.name.value
    fields = tuple(field for field in definition.fields or () if f"{name}.{field.name.value}" not in hidden)
    return dataclasses.replace(definition, fields=fields)


def tidy(text: str) -> str:
    """Without the spaces that the printers leave on empty lines of descriptions; one newline at the end."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"
