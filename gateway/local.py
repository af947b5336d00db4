"""What is not federated data (introspection, `me`, `agencies`, `_service`), run by graphql-core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
)

from gateway.operation import Operation


def run_local(
    operation: Operation, variables: Mapping[str, Any], root_value: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The data and errors of the operation's local roots; `root_value` holds their values by field name.

    Everything that a root value holds is there already, so nothing is awaited.
    """
    if not operation.local:
        return {}, []
    result = execute_sync(operation.schema, _local_document(operation), root_value, variable_values=dict(variables))
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
