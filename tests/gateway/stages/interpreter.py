"""A plain interpreter of operations: it walks the syntax tree over the reference's values, and knows no schema.

What it reads has been validated. It has no plan and no caches, and does not use graphql-core but for the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    parse,
)

from schema.catalogue import RecordType
from tests.gateway.stages.reference import INTERFACES, Mistake, Reader, Reference

Path = tuple[str | int, ...]
Sets = Iterable[SelectionSetNode]

ABSENT = object()
"""The value of a variable that has none."""


def interpreted(reference: Reference, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The data and errors of an operation."""
    document = parse(text)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    walk = Interpreter(document, variables_of(operation, variables))
    reader = Reader(walk.below)
    data = walk.object(reference.roots(reader), [operation.selection_set], ())
    return {"data": data, "errors": [*walk.errors, *reader.errors()]}


def variables_of(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the operation's variables: as given, else by default."""
    defaults = {
        one.variable.name.value: value_of(one.default_value, {})
        for one in operation.variable_definitions or ()
        if one.default_value
    }
    return {**defaults, **given}


def value_of(node: ValueNode, variables: Mapping[str, Any]) -> Any:
    """A literal's value, or a variable's."""
    match node:
        case VariableNode():
            return variables.get(node.name.value, ABSENT)
        case ListValueNode():
            return [value_of(item, variables) for item in node.values]
        case ObjectValueNode():
            return {part.name.value: value_of(part.value, variables) for part in node.fields}
        case NullValueNode():
            return None
    return int(node.value) if node.kind == "int_value" else node.value


@dataclass(frozen=True)
class Interpreter:
    document: DocumentNode
    variables: Mapping[str, Any]
    errors: list[dict[str, Any]] = field(default_factory=list)

    def object(self, value: Mapping[str, Any], sets: Sets, path: Path) -> dict[str, Any]:
        """What is selected of an object."""
        return {
            key: self.field(value, nodes, (*path, key)) for key, nodes in self.keyed(value["__typename"], sets).items()
        }

    def field(self, value: Mapping[str, Any], nodes: list[FieldNode], path: Path) -> Any:
        found = value.get(nodes[0].name.value)
        if callable(found):
            try:
                found = found(nodes, **self.arguments(nodes[0]))
            except Mistake as mistake:
                found = mistake
        return self.completed(found, nodes, path)

    def completed(self, value: Any, nodes: list[FieldNode], path: Path) -> Any:
        if isinstance(value, Mistake):
            place = nodes[0].loc.start_token
            locations = [{"line": place.line, "column": place.column}]
            told = {"message": str(value), "locations": locations, "path": list(path), "extensions": value.extensions}
            self.errors.append(told)
            return None
        if isinstance(value, list):
            return [self.completed(item, nodes, (*path, index)) for index, item in enumerate(value)]
        return self.object(value, sets_of(nodes), path) if isinstance(value, dict) else value

    def arguments(self, node: FieldNode) -> dict[str, Any]:
        given = {one.name.value: value_of(one.value, self.variables) for one in node.arguments or ()}
        return {name: value for name, value in given.items() if value is not ABSENT}

    def keyed(self, typename: str, sets: Sets) -> dict[str, list[FieldNode]]:
        """The fields that are selected of an object of this type, by response key."""
        found: dict[str, list[FieldNode]] = {}
        for selected in sets:
            for node in self.fields(typename, selected):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return found

    def fields(self, typename: str, selected: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selected.selections:
            if any(self.excludes(directive) for directive in node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            fragment = node if isinstance(node, InlineFragmentNode) else self.fragment(node.name.value)
            condition = fragment.type_condition.name.value if fragment.type_condition else typename
            if condition == typename or (condition in INTERFACES and INTERFACES[condition](typename)):
                yield from self.fields(typename, fragment.selection_set)

    def excludes(self, directive: Any) -> bool:
        """Whether the directive leaves its selection out."""
        return value_of(directive.arguments[0].value, self.variables) is (directive.name.value == "skip")

    def fragment(self, name: str) -> FragmentDefinitionNode:
        (found,) = (
            node
            for node in self.document.definitions
            if isinstance(node, FragmentDefinitionNode) and node.name.value == name
        )
        return found

    def below(self, nodes: list[FieldNode], record: RecordType) -> list[list[str]]:
        """The names of the fields that are selected of an answer's records, once for each field that holds them."""
        return [
            [field.name.value for field, *_ in self.keyed(record.name, sets_of(held)).values()]
            for held in self.keyed(record.answer, sets_of(nodes)).values()
            if held[0].name.value in ("record", "records")
        ]


def sets_of(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set]
