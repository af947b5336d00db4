"""The companies that an operation's federated roots ask for, each code checked on its own; or by what to find them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from graphql import GraphQLError
from graphql.execution.values import VariableValues

from connectors.contract import KeyKind
from connectors.keys import LEGACY_KINDS
from connectors.turns import Turn
from gateway.limits import Limits
from gateway.stages.arguments import argument_values
from gateway.stages.lookup import Lookup
from gateway.stages.matching import Match
from gateway.stages.operation import BY_LEGACY_ID, FIND, VERIFY, Operation, Root
from gateway.stages.refusals import ArgumentInvalid, LimitExceeded
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from schema.credit_code import CreditCode, CreditCodeError
from schema.errors import LegacyIdError, SearchNameError
from schema.questions import QUESTIONS, VERIFICATION

_KEY_KINDS: Final = {legacy: kind for kind, legacy in LEGACY_KINDS.items()}
MOST_MATCHES: Final = 100
"""How many companies one search by name may ask for."""

_LONGEST_NAME: Final = 200
_DIVISION: Final = re.compile(r"[0-9]{2}(?:[0-9]{2}){0,2}")


class Asked(msgspec.Struct, frozen=True):
    """What one root asks for: its companies in order, None in the place of each that is no company's code. `many` is
    true where the root answers with a list.

    `lookup` is what the companies are to be found by, `matches` how they were found. `elements` are what a verification
    was given, by the name of its field.
    """

    root: Root
    codes: tuple[CreditCode | None, ...]
    many: bool = False
    lookup: Lookup | None = None
    matches: tuple[Match, ...] = ()
    elements: Mapping[str, str] = msgspec.field(default_factory=dict)


class RootCompanies(msgspec.Struct, frozen=True):
    """Every root's companies, and the errors of the codes that are none."""

    asked: tuple[Asked, ...]
    errors: tuple[dict[str, Any], ...]

    def lookups(self) -> tuple[Lookup, ...]:
        """What companies are to be found by."""
        return tuple(asked.lookup for asked in self.asked if asked.lookup)


async def root_companies(operation: Operation, variables: VariableValues, limits: Limits) -> RootCompanies:
    """Reads the roots' codes. Raises `LimitExceeded` for too many companies, `ArgumentInvalid` for other arguments."""
    given = [(root, argument_values(operation, root.selection, variables)) for root in operation.federated]
    number = sum(_number(root, values) for root, values in given)
    if number > limits.companies:
        message = (
            f"The request names {number} companies, duplicates counted; ask for at most {limits.companies} at once."
        )
        raise LimitExceeded(GraphQLError(message))
    errors: list[dict[str, Any]] = []
    turn = Turn()
    asked = [await _asked(root, values, errors, turn) for root, values in given]
    return RootCompanies(tuple(asked), tuple(errors))


def _number(root: Root, values: Mapping[str, Any]) -> int:
    """How many companies the root may lead to. Raises `ArgumentInvalid` for a number that nobody may ask for."""
    match root.selection.name:
        case "enterprises":
            return len(values["codes"])
        case "_entities":
            return len(values["representations"])
        case name if name == FIND:
            first = values.get("first")
            if first is None or not 1 <= first <= MOST_MATCHES:
                raise _invalid(root, "first", f"must be between 1 and {MOST_MATCHES}")
            return int(first)
    return 1


async def _asked(root: Root, values: Mapping[str, Any], errors: list[dict[str, Any]], turn: Turn) -> Asked:
    match root.selection.name:
        case "enterprises":
            return Asked(root, await _codes(root, values["codes"], errors, turn), many=True)
        case "_entities":
            return Asked(root, await _codes(root, values["representations"], errors, turn), many=True)
        case name if name == BY_LEGACY_ID:
            return _by_legacy_id(root, values, errors)
        case name if name == FIND:
            return _find(root, values)
        case name if name == VERIFY:
            return _verify(root, values, errors)
    return Asked(root, await _codes(root, (values["code"],), errors, turn, many=False))


async def _codes(
    root: Root, items: Sequence[object], errors: list[dict[str, Any]], turn: Turn, *, many: bool = True
) -> tuple[CreditCode | None, ...]:
    key = root.selection.key
    read = _entity if root.selection.name == "_entities" else _code
    locations: object = None
    codes: list[CreditCode | None] = []
    for index, item in enumerate(items):
        try:
            codes.append(read(item))
        except _NoCompanyError as error:
            # Made once: finding the place in the text takes as long as the text is.
            locations = locations or _locations(root)
            path = [key, index] if many else [key]
            errors.append({"message": str(error), "locations": locations, "path": path, "extensions": error.extensions})
            codes.append(None)
        if turn.is_over():
            await turn.pass_on()
    return tuple(codes)


def _by_legacy_id(root: Root, values: Mapping[str, Any], errors: list[dict[str, Any]]) -> Asked:
    kind = LegacyIdKind(values["kind"])
    try:
        key = LegacyId.parse(kind, values["id"])
    except LegacyIdError as error:
        errors.append(null_error(root, str(error), {"code": error.code, "mistake": error.mistake}))
        return Asked(root, (None,))
    return Asked(root, (None,), lookup=Lookup(_KEY_KINDS[kind], key))


def _find(root: Root, values: Mapping[str, Any]) -> Asked:
    division = values.get("division")
    if division is not None and not _DIVISION.fullmatch(division):
        raise _invalid(root, "division", "must have 2, 4 or 6 digits (GB/T 2260)")
    try:
        name = SearchName.parse(values["name"])
    except SearchNameError as error:
        raise _invalid(root, "name", f"cannot be searched for. {error}") from None
    return Asked(root, (), many=True, lookup=Lookup(KeyKind.NAME, name, values["first"], division))


def _verify(root: Root, values: Mapping[str, Any], errors: list[dict[str, Any]]) -> Asked:
    elements = {name: values[name] for name in QUESTIONS[VERIFICATION].fields if values.get(name) is not None}
    for name, text in elements.items():
        if not 1 <= len(text.strip()) <= _LONGEST_NAME:
            raise _invalid(root, name, f"must have 1 to {_LONGEST_NAME} characters")
    try:
        code = _code(values["code"])
    except _NoCompanyError as error:
        # Without a path: the verification is not null, it says that there is no such code.
        message = f"{root.selection.key}: {error}"
        errors.append({"message": message, "locations": _locations(root), "extensions": error.extensions})
        return Asked(root, (None,), elements=elements)
    return Asked(root, (code,), elements=elements)


def null_error(root: Root, message: str, extensions: Mapping[str, Any]) -> dict[str, Any]:
    """The error for which a root that answers with one company is null."""
    return {
        "message": message,
        "locations": _locations(root),
        "path": [root.selection.key],
        "extensions": dict(extensions),
    }


def _locations(root: Root) -> object:
    return GraphQLError("", root.selection.nodes[0]).formatted.get("locations")


def _invalid(root: Root, argument: str, problem: str) -> ArgumentInvalid:
    node = root.selection.nodes[0]
    return ArgumentInvalid(GraphQLError(f"Argument '{argument}' of {root.selection.name} {problem}.", node))


class _NoCompanyError(Exception):
    """An item that names no company."""

    def __init__(self, message: str, extensions: dict[str, str]) -> None:
        super().__init__(message)
        self.extensions = extensions


def _entity(item: object) -> CreditCode:
    """The company of a federation representation: `{__typename: "Enterprise", creditCode: "..."}`."""
    if isinstance(item, Mapping) and item.get("__typename") == "Enterprise":
        code = item.get("creditCode")
        if isinstance(code, str):
            return _code(code)
    message = "A representation must be of __typename Enterprise with its creditCode, a string."
    raise _NoCompanyError(message, {"code": "REPRESENTATION_INVALID"})


def _code(item: object) -> CreditCode:
    try:
        return CreditCode.parse(str(item))
    except CreditCodeError as error:
        raise _NoCompanyError(str(error), {"code": error.code, "mistake": error.mistake}) from None
