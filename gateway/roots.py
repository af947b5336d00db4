"""The companies that an operation's federated roots ask for, each code checked on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from graphql.execution.values import VariableValues

from gateway.arguments import argument_values
from gateway.limits import Limits
from gateway.operation import Operation, Root
from gateway.refusals import LimitExceeded
from schema.credit_code import CreditCode, CreditCodeError


@dataclass(frozen=True, slots=True)
class Asked:
    """What one root asks for: its companies in order, None in the place of each that is no company's code. `many` is
    true where the root answers with a list.
    """

    root: Root
    codes: tuple[CreditCode | None, ...]
    many: bool


@dataclass(frozen=True, slots=True)
class RootCompanies:
    """Every root's companies, and the errors of the codes that are none."""

    asked: tuple[Asked, ...]
    errors: tuple[dict[str, Any], ...]

    def distinct(self) -> frozenset[CreditCode]:
        """The companies of all roots together."""
        return frozenset(code for asked in self.asked for code in asked.codes if code)


def root_companies(operation: Operation, variables: VariableValues, limits: Limits) -> RootCompanies:
    """Reads the roots' codes. Raises `LimitExceeded` for too many companies, `ArgumentInvalid` for other arguments."""
    errors: list[dict[str, Any]] = []
    asked = tuple(_asked(operation, root, variables, errors) for root in operation.federated)
    companies = RootCompanies(asked, tuple(errors))
    number = len(companies.distinct())
    if number > limits.companies:
        raise LimitExceeded(
            GraphQLError(f"The request names {number} companies; ask for at most {limits.companies} at once.")
        )
    return companies


def _asked(operation: Operation, root: Root, variables: VariableValues, errors: list[dict[str, Any]]) -> Asked:
    selection = root.selection
    values = argument_values(operation, selection, variables)
    if selection.name == "enterprise":
        return Asked(root, (_code(root, values["code"], (selection.key,), errors),), many=False)
    items: Sequence[Any] = values["codes"] if selection.name == "enterprises" else values["representations"]
    read = _code if selection.name == "enterprises" else _entity
    codes = tuple(read(root, item, (selection.key, index), errors) for index, item in enumerate(items))
    return Asked(root, codes, many=True)


def _entity(root: Root, item: object, path: tuple[str | int, ...], errors: list[dict[str, Any]]) -> CreditCode | None:
    """The company of a federation representation: `{__typename: "Enterprise", creditCode: "..."}`."""
    if isinstance(item, Mapping) and item.get("__typename") == "Enterprise" and isinstance(item.get("creditCode"), str):
        return _code(root, item["creditCode"], path, errors)
    message = "A representation must be of __typename Enterprise with its creditCode, a string."
    errors.append(_error(root, path, message, {"code": "REPRESENTATION_INVALID"}))
    return None


def _code(root: Root, text: str, path: tuple[str | int, ...], errors: list[dict[str, Any]]) -> CreditCode | None:
    try:
        return CreditCode.parse(text)
    except CreditCodeError as error:
        errors.append(_error(root, path, str(error), {"code": error.code, "mistake": error.mistake}))
        return None


def _error(root: Root, path: tuple[str | int, ...], message: str, extensions: dict[str, str]) -> dict[str, Any]:
    located = GraphQLError(message, root.selection.nodes[0], path=path, extensions=extensions)
    return dict(located.formatted)
