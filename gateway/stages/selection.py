"""An operation's selection sets with fragments expanded, directives applied and fields of one response key merged.

Every position of the schema has one concrete type (`Answer` is reached only through a field of a concrete answer type,
`_entities` gives only enterprises), so fragments are expanded once, before any data is there. What is authorised,
planned, shaped and audited is this tree and no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.values import VariableValues


@dataclass(frozen=True, slots=True)
class Selection:
    """One response key: `key` in the answer, the field's `name` on type `parent`, its nodes in the document (several
    where fragments repeat it; their arguments are equal, validation saw to it) and what is selected below it.
    """

    key: str
    name: str
    parent: str
    nodes: tuple[FieldNode, ...]
    selections: tuple[Selection, ...] = ()

    def walk(self) -> Iterator[Selection]:
        """This selection and all below it."""
        yield self
        for selection in self.selections:
            yield from selection.walk()


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Expands the selection sets of one document for one set of variable values.

    `budget` bounds how many fields the expansion may make; beyond it `FieldBudgetExceeded` is raised.
    """

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    budget: int

    def expand(self, concrete: GraphQLObjectType, sets: tuple[SelectionSetNode, ...]) -> tuple[Selection, ...]:
        """The selections of these sets on one concrete type, in the order of the answer. Raises
        `FieldBudgetExceeded`.
        """
        made = [0]
        return self._expand(concrete, sets, made)

    def _expand(
        self, concrete: GraphQLObjectType, sets: tuple[SelectionSetNode, ...], made: list[int]
    ) -> tuple[Selection, ...]:
        by_key: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for selection_set in sets:
            self._collect(concrete, selection_set, by_key, seen)
        made[0] += len(by_key)
        if made[0] > self.budget:
            raise FieldBudgetExceeded(self.budget)
        return tuple(self._selection(concrete, key, tuple(nodes), made) for key, nodes in by_key.items())

    def _selection(
        self, concrete: GraphQLObjectType, key: str, nodes: tuple[FieldNode, ...], made: list[int]
    ) -> Selection:
        name = nodes[0].name.value
        below = tuple(node.selection_set for node in nodes if node.selection_set)
        if not below:
            return Selection(key, name, concrete.name, nodes)
        field = self.schema.get_field(concrete, name)
        if field is None:
            raise LookupError(f"{concrete.name}.{name} passed validation but is not in the schema")
        return Selection(key, name, concrete.name, nodes, self._expand(self._concrete(field.type), below, made))

    def _concrete(self, field_type: object) -> GraphQLObjectType:
        """The one object type that a composite field can have."""
        named = get_named_type(field_type)  # type: ignore[call-overload]  # its overloads do not take `object`
        if is_abstract_type(named):
            (named,) = self.schema.get_possible_types(named)
        if not isinstance(named, GraphQLObjectType):
            raise TypeError(f"{named} has no fields")
        return named

    def _collect(
        self,
        concrete: GraphQLObjectType,
        selection_set: SelectionSetNode,
        by_key: dict[str, list[FieldNode]],
        seen: set[str],
    ) -> None:
        for node in selection_set.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                by_key.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition.name.value if node.type_condition else None
                if self._applies(condition, concrete):
                    self._collect(concrete, node.selection_set, by_key, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, concrete):
                    self._collect(concrete, fragment.selection_set, by_key, seen)

    def _included(self, node: SelectionNode) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        if skip and skip["if"]:
            return False
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not include or bool(include["if"])

    def _applies(self, condition: str | None, concrete: GraphQLObjectType) -> bool:
        if condition is None or condition == concrete.name:
            return True
        named = self.schema.get_type(condition)
        return isinstance(named, GraphQLAbstractType) and self.schema.is_sub_type(named, concrete)


class FieldBudgetExceeded(Exception):
    """The expanded operation has more fields than it may; the argument is the budget."""
