"""What is neither federated data nor told of agencies (introspection, `me`, `_service`), run by graphql-core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import isawaitable
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    Visitor,
    execute,
    visit,
)

from gateway.stages.operation import Operation

LocalResult = tuple[dict[str, Any] | None, list[dict[str, Any]]]
"""The data of the local roots, None where an error left nothing of it, and the errors."""


async def run_local(
    operation: Operation, shown: GraphQLSchema, variables: Mapping[str, Any], root_value: Mapping[str, Any]
) -> LocalResult:
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
    fragments = tuple(node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode))
    used = _variables((*nodes, *fragments))
    definition = OperationDefinitionNode(
        operation=OperationType.QUERY,
        # Others may be of types that the schema shown to the caller does not have.
        variable_definitions=tuple(
            definition
            for definition in operation.definition.variable_definitions or ()
            if definition.variable.name.value in used
        ),
        directives=(),
        selection_set=SelectionSetNode(selections=nodes),
    )
    return DocumentNode(definitions=(definition, *fragments))


def _variables(nodes: Iterable[Node]) -> frozenset[str]:
    """The variables that are used in these nodes."""
    used: set[str] = set()

    class Finder(Visitor):
        def enter_variable(self, node: VariableNode, *_: object) -> None:
            used.add(node.name.value)

    for node in nodes:
        visit(node, Finder())
    return frozenset(used)
