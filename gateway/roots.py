"""The companies that an operation's federated roots ask for, each code checked on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLError
from graphql.execution.values import VariableValues

from connectors.turns import Turn
from gateway.arguments import argument_values
from gateway.limits import Limits
from gateway.operation import Operation, Root
from gateway.refusals import LimitExceeded
from schema.credit_code import CreditCode, CreditCodeError


class Asked(msgspec.Struct, frozen=True):
    """What one root asks for: its companies in order, None in the place of each that is no company's code. `many` is
    true where the root answers with a list.
    """

    root: Root
    codes: tuple[CreditCode | None, ...]
    many: bool


class RootCompanies(msgspec.Struct, frozen=True):
    """Every root's companies, and the errors of the codes that are none."""

    asked: tuple[Asked, ...]
    errors: tuple[dict[str, Any], ...]

    def distinct(self) -> frozenset[CreditCode]:
        """The companies of all roots together."""
        return frozenset(code for asked in self.asked for code in asked.codes if code)


async def root_companies(operation: Operation, variables: VariableValues, limits: Limits) -> RootCompanies:
    """Reads the roots' codes. Raises `LimitExceeded` for too many companies, `ArgumentInvalid` for other arguments."""
    items = [_items(operation, root, variables) for root in operation.federated]
    number = sum(map(len, items))
    if number > limits.companies:
        message = (
            f"The request names {number} companies, duplicates counted; ask for at most {limits.companies} at once."
        )
        raise LimitExceeded(GraphQLError(message))
    errors: list[dict[str, Any]] = []
    turn = Turn()
    asked = [await _asked(root, given, errors, turn) for root, given in zip(operation.federated, items, strict=True)]
    return RootCompanies(tuple(asked), tuple(errors))


def _items(operation: Operation, root: Root, variables: VariableValues) -> Sequence[object]:
    """What the root is given, one item for each company."""
    values = argument_values(operation, root.selection, variables)
    if root.selection.name == "enterprise":
        return (values["code"],)
    return tuple(values["codes"] if root.selection.name == "enterprises" else values["representations"])


async def _asked(root: Root, items: Sequence[object], errors: list[dict[str, Any]], turn: Turn) -> Asked:
    key, many = root.selection.key, root.selection.name != "enterprise"
    read = _entity if root.selection.name == "_entities" else _code
    locations: object = None
    codes: list[CreditCode | None] = []
    for index, item in enumerate(items):
        try:
            codes.append(read(item))
        except _NoCompanyError as error:
            # Made once: finding the place in the text takes as long as the text is.
            locations = locations or GraphQLError("", root.selection.nodes[0]).formatted.get("locations")
            path = [key, index] if many else [key]
            errors.append({"message": str(error), "locations": locations, "path": path, "extensions": error.extensions})
            codes.append(None)
        if turn.is_over():
            await turn.pass_on()
    return Asked(root, tuple(codes), many)


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
