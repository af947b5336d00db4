"""What is not federated data (introspection, `me`, `agencies`, `_service`), run by graphql-core."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
)

from gateway.operation import Operation


async def run_local(
    operation: Operation, shown: GraphQLSchema, variables: Mapping[str, Any], root_value: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The data and errors of the operation's local roots. `shown` is the schema that introspection tells of;
    `root_value` holds the other roots' values, or functions that give them, by field name.
    """
    if not operation.local:
        return {}, []
    result = execute(shown, _local_document(operation), root_value, variable_values=dict(variables))
    if isawaitable(result):
        result = await result
    return result.data, [dict(error.formatted) for error in result.errors or ()]


def _local_document(operation: Operation) -> DocumentNode:
    """The document with one operation that selects the local roots alone."""
    nodes = tuple(node for selection in operation.local for node in selection.nodes)
    definition = OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=operation.definition.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=nodes),
    )
    fragments = (node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode))
    return DocumentNode(definitions=(definition, *fragments))
