"""Operations as graphql-core executes them over the reference's values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    execute_sync,
    parse,
    print_ast,
)

from gateway.stages.document import SchemaView
from schema.catalogue import RecordType
from tests.gateway.stages.reference import Reader, Reference


def executed(view: SchemaView, reference: Reference, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The data and errors of an operation. Introspection is of the schema as it is shown to the caller."""
    reader, document = Reader(_below), parse(text)
    roots = reference.roots(reader)
    values = execute_sync(view.schema, _only(document, _is_data), roots, variable_values=dict(variables))
    told = execute_sync(view.shown, _only(document, lambda name: not _is_data(name)), roots, variable_values=variables)
    assert told.errors is None
    errors = [*(dict(error.formatted) for error in values.errors or ()), *reader.errors()]
    return {"data": {**values.data, **told.data}, "errors": errors}


def _is_data(name: str) -> bool:
    return name not in ("__schema", "__type")


def _only(document: DocumentNode, keep: Callable[[str], bool]) -> DocumentNode:
    """The document with these root fields alone. Without introspection's it needs no variable of a type of its own."""

    def kept(selections: SelectionSetNode) -> SelectionSetNode:
        return SelectionSetNode(selections=tuple(_kept(selections.selections)))

    def _kept(nodes: tuple[SelectionNode, ...]) -> Iterator[SelectionNode]:
        for node in nodes:
            if isinstance(node, InlineFragmentNode):
                yield dataclasses.replace(node, selection_set=kept(node.selection_set))
            elif not isinstance(node, FieldNode) or keep(node.name.value):
                yield node

    def cut(node: DefinitionNode) -> DefinitionNode:
        if isinstance(node, OperationDefinitionNode):
            variables = tuple(one for one in node.variable_definitions or () if keep("me") or _is_boolean(one))
            return dataclasses.replace(node, selection_set=kept(node.selection_set), variable_definitions=variables)
        if isinstance(node, FragmentDefinitionNode) and node.type_condition.name.value == "Query":
            return dataclasses.replace(node, selection_set=kept(node.selection_set))
        return node

    return DocumentNode(definitions=tuple(cut(node) for node in document.definitions))


def _is_boolean(variable: VariableDefinitionNode) -> bool:
    return print_ast(variable.type).startswith("Boolean")


def _below(info: GraphQLResolveInfo, _record: RecordType) -> list[set[str]]:
    """The names of the fields that are selected of the answer's records, below each field that holds them."""
    return [
        {field.name.value for field in _fields(part.selection_set, info)}
        for node in info.field_nodes
        for part in _fields(node.selection_set, info)
        if part.name.value in ("record", "records")
    ]


def _fields(selected: SelectionSetNode | None, info: GraphQLResolveInfo) -> Iterator[FieldNode]:
    for node in selected.selections if selected else ():
        if _skipped(node, info):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, info)
        else:
            yield from _fields(info.fragments[node.name.value].selection_set, info)  # type: ignore[attr-defined]


def _skipped(node: SelectionNode, info: GraphQLResolveInfo) -> bool:
    for directive in node.directives or ():
        (argument,) = directive.arguments
        value = argument.value
        held = value.value if hasattr(value, "value") else info.variable_values.coerced[value.name.value]
        if held is (directive.name.value == "skip"):
            return True
    return False
