"""Stage two: text -> a validated, normalised operation within its limits, made once per text."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import VariableValues

from connectors.turns import Turn
from gateway.limits import Limits
from gateway.stages.operation import AGENCIES, FEDERATED_ROOTS, Operation, aliases, depth, federated_root
from gateway.stages.refusals import (
    LimitExceeded,
    OperationInvalid,
    OperationUnknown,
    OperationUnsupported,
    SyntaxInvalid,
)
from gateway.stages.selection import FieldBudgetExceeded, Normaliser, Selection
from gateway.stages.validation import validation_errors
from gateway.stages.variables import VariableReader
from schema.agency import AGENCY
from schema.catalogue import Catalogue

MAX_ERRORS: Final = 20
"""How many validation errors one answer lists."""

INTROSPECTION: Final = frozenset({"__schema", "__type"})
LARGE_LISTS: Final = frozenset(
    {
        *(("Query", name) for name in INTROSPECTION),
        ("__Schema", "types"),
        *(("__Type", name) for name in ("fields", "inputFields", "interfaces", "possibleTypes", "enumValues")),
        ("Query", "_service"),
        ("_Service", "sdl"),
        ("Query", AGENCIES),
        ("Viewer", "access"),
        (AGENCY, "usage"),
    }
)
MAX_LARGE_LISTS: Final = 5
"""How often one operation may ask for each of these: they cost no agency anything, but us. Nor may it have more aliases
in introspection, where each is written once for every field of every type.
"""

OF_AGENCIES_ALONE: Final = frozenset({"health", "usage", "access"})
"""The fields of an agency that are told in the root `agencies` alone: elsewhere each record would repeat them."""

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class SchemaView:
    """The schema as one caller knows it: `schema` is without the `hidden` coordinates, SEALED fields that can never
    open to it; `shown` is what introspection and suggestions tell of.
    """

    hidden: frozenset[str]
    schema: GraphQLSchema
    shown: GraphQLSchema


@dataclass(frozen=True, slots=True)
class _Parsed:
    document: DocumentNode
    definition: OperationDefinitionNode
    variables: VariableReader
    directive_variables: tuple[str, ...]
    digest: str
    characters: int


class Documents:
    """Reads operations, and keeps those that it has read.

    Two caches, least recently used out first: texts that were parsed and validated, and operations as normalised for
    the values of their `@skip` and `@include` variables. Both hold at most `size` characters of text: what is kept of a
    text is up to a hundred times as large. Refused texts are not kept.
    """

    def __init__(self, catalogue: Catalogue, limits: Limits, size: int = 1_000_000) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._parsed: LRUCache[Hashable, _Parsed] = LRUCache(size, getsizeof=lambda kept: kept.characters)
        self._operations: LRUCache[Hashable, tuple[int, Operation]] = LRUCache(size, getsizeof=lambda kept: kept[0])
        self._parsing: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def read(
        self, view: SchemaView, text: str, operation_name: str | None, variables: Mapping[str, Any]
    ) -> tuple[Operation, VariableValues]:
        """The operation and its coerced variables. Raises a `RequestRefused` for a text that is not GraphQL, does
        not fit the schema, does not have the operation, exceeds a limit, or whose variables do not fit.
        """
        key = (view.hidden, operation_name, text)
        parsed = self._parsed.get(key) or await self._parsed_once(key, view, text, operation_name)
        values = parsed.variables.read(variables, self._limits.companies)
        variant = (parsed.digest, *(str(values.coerced.get(name)) for name in parsed.directive_variables))
        kept = self._operations.get(variant)
        if kept is None:
            kept = (parsed.characters, self._normalise(view.schema, parsed, values, _digest(*variant)))
            _keep(self._operations, variant, kept)
            await Turn().pass_on()
        return kept[1], values

    async def _parsed_once(self, key: Hashable, view: SchemaView, text: str, operation_name: str | None) -> _Parsed:
        """What the text was parsed to. Of requests that bring the same new text at once, one parses it."""
        async with self._parsing.setdefault(key, asyncio.Lock()):
            parsed = self._parsed.get(key)
            if parsed is None:
                parsed = await self._parse(view, text, operation_name)
                _keep(self._parsed, key, parsed)
            return parsed

    async def _parse(self, view: SchemaView, text: str, operation_name: str | None) -> _Parsed:
        if len(text) > self._limits.characters:
            message = f"The operation's text has more than {self._limits.characters} characters; ask for less at once."
            raise LimitExceeded(GraphQLError(message))
        document = parse_document(text, self._limits.tokens)
        definition = get_operation_ast(document, operation_name)
        if definition is None:
            raise OperationUnknown(_no_operation(document, operation_name))
        if definition.operation is not OperationType.QUERY:
            raise OperationUnsupported(
                GraphQLError(f"A {definition.operation.value} cannot be run here: this gateway only answers queries.")
            )
        sets = tuple(_selection_sets(document))
        _check_written(sets, self._limits)
        turn = Turn()
        await turn.pass_on()
        errors = await validation_errors(view.schema, document, MAX_ERRORS, turn)
        if errors:
            raise OperationInvalid(*_with_suggestions(errors, view, document))
        await turn.pass_on()
        digest = _digest(*sorted(view.hidden), operation_name or "", text)
        reader = VariableReader(view.schema, definition.variable_definitions or ())
        return _Parsed(document, definition, reader, _directive_variables(sets), digest, len(text))

    def _normalise(self, schema: GraphQLSchema, parsed: _Parsed, values: VariableValues, digest: str) -> Operation:
        query = schema.query_type
        if query is None:
            raise LookupError("the schema has no query type")
        fragments = {
            node.name.value: node for node in parsed.document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        normaliser = Normaliser(schema, fragments, values, self._limits.fields)
        try:
            selections = normaliser.expand(query, (parsed.definition.selection_set,))
        except FieldBudgetExceeded:
            raise _over("fields", self._limits.fields) from None
        if depth(selections) > self._limits.depth:
            raise _over("levels", self._limits.depth)
        if aliases(selections) > self._limits.aliases:
            raise _over("aliases", self._limits.aliases)
        _check_local(selections)
        _check_agencies(selections)
        return Operation(
            id=digest,
            schema=schema,
            document=parsed.document,
            definition=parsed.definition,
            keys=tuple(selection.key for selection in selections),
            federated=tuple(
                federated_root(s, schema, self._catalogue) for s in selections if s.name in FEDERATED_ROOTS
            ),
            agencies=tuple(s for s in selections if s.name == AGENCIES),
            local=tuple(s for s in selections if s.name not in {*FEDERATED_ROOTS, AGENCIES}),
        )


def parse_document(text: str, tokens: int | None = None) -> DocumentNode:
    """The document, of at most so many tokens. Raises `SyntaxInvalid`."""
    try:
        return parse(text, max_lexical_tokens=tokens)
    except GraphQLSyntaxError as error:
        raise SyntaxInvalid(error) from None


def _keep(cache: LRUCache[Hashable, _Kept], key: Hashable, value: _Kept) -> None:
    """Keeps the value, unless it alone is larger than the cache."""
    if cache.getsizeof(value) <= cache.maxsize:
        cache[key] = value


def _selection_sets(document: DocumentNode) -> Iterator[SelectionSetNode]:
    """Every selection set of the document, in the order of its text."""
    definitions, holders = (OperationDefinitionNode, FragmentDefinitionNode), (FieldNode, InlineFragmentNode)
    waiting = [node.selection_set for node in reversed(document.definitions) if isinstance(node, definitions)]
    while waiting:
        one = waiting.pop()
        yield one
        within = (node.selection_set for node in reversed(one.selections) if isinstance(node, holders))
        waiting.extend(filter(None, within))


def _check_written(sets: Iterable[SelectionSetNode], limits: Limits) -> None:
    """Raises `LimitExceeded` for what would take validation long: it compares all fields of one response key."""
    fields = [[node for node in one.selections if isinstance(node, FieldNode)] for one in sets]
    if sum(map(len, fields)) > limits.fields:
        raise LimitExceeded(GraphQLError(f"The operation has more than {limits.fields} fields; ask for less at once."))
    for nodes in fields:
        keys = Counter(node.alias.value if node.alias else node.name.value for node in nodes)
        key, times = max(keys.items(), key=itemgetter(1), default=("", 0))
        if times > limits.repeats:
            message = (
                f"The response key {key!r} stands {times} times in one selection set; {limits.repeats} are the most."
            )
            raise LimitExceeded(GraphQLError(message))


def _check_local(selections: tuple[Selection, ...]) -> None:
    """Raises `LimitExceeded` where one request asks for a large list of ours too often."""
    walked = [part for selection in selections if selection.name not in FEDERATED_ROOTS for part in selection.walk()]
    times = Counter(part.name for part in walked if (part.parent, part.name) in LARGE_LISTS)
    for name, number in times.items():
        if number > MAX_LARGE_LISTS:
            message = f"The operation asks for {name} {number} times; {MAX_LARGE_LISTS} are the most."
            raise LimitExceeded(GraphQLError(message))
    introspected = tuple(below for part in selections if part.name in INTROSPECTION for below in part.selections)
    if aliases(introspected) > MAX_LARGE_LISTS:
        message = f"The operation has more than {MAX_LARGE_LISTS} aliases in introspection; use none there."
        raise LimitExceeded(GraphQLError(message))


def _check_agencies(selections: tuple[Selection, ...]) -> None:
    """Raises `OperationInvalid` where something is asked of an agency that is told in the root `agencies` alone."""
    in_place = {id(part) for root in selections if root.name == AGENCIES for part in root.selections}
    for part in (part for root in selections for part in root.walk()):
        if part.parent == AGENCY and part.name in OF_AGENCIES_ALONE and id(part) not in in_place:
            message = f"{AGENCY}.{part.name} is told in the root {AGENCIES!r} alone; ask for it there."
            raise OperationInvalid(GraphQLError(message, part.nodes[0]))


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _with_suggestions(errors: list[GraphQLError], view: SchemaView, document: DocumentNode) -> Iterator[GraphQLError]:
    """The errors, each with the suggestions that the schema shown to the caller gives for it."""
    suggesting = validate(view.shown, document, rules=[FieldsOnCorrectTypeRule], max_errors=MAX_ERRORS)
    for error in errors:
        at_the_same_place = (other for other in suggesting if other.locations == error.locations)
        yield next((other for other in at_the_same_place if other.message.startswith(error.message)), error)


def _no_operation(document: DocumentNode, operation_name: str | None) -> GraphQLError:
    names = [
        node.name.value if node.name else "(unnamed)"
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    if not names:
        return GraphQLError("The document has fragments but no operation.")
    if operation_name is None:
        return GraphQLError(f"Name the operation to run with operationName; the document has {', '.join(names)}.")
    return GraphQLError(f"The document has no operation named {operation_name[:64]!r}; it has {', '.join(names)}.")


def _directive_variables(sets: Iterable[SelectionSetNode]) -> tuple[str, ...]:
    """The variables on which `@skip` and `@include` depend, in the order of their names."""
    values = (
        argument.value
        for one in sets
        for node in one.selections
        for directive in node.directives or ()
        for argument in directive.arguments or ()
    )
    return tuple(sorted({value.name.value for value in values if isinstance(value, VariableNode)}))


def _over(what: str, limit: int) -> LimitExceeded:
    return LimitExceeded(
        GraphQLError(
            f"The operation has more than {limit} {what} once its fragments are expanded; ask for less at once."
        )
    )
