"""GraphQL request errors: why a request was refused before anything of it was executed."""

from __future__ import annotations

from typing import Any, ClassVar

from graphql import GraphQLError

from gateway.errors import GatewayError


class RequestRefused(GatewayError):
    """A request that cannot be executed. `errors` are GraphQL errors in the response's format, each with the code."""

    code: ClassVar[str] = "REQUEST_REFUSED"

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.graphql_errors = errors

    def formatted(self) -> list[dict[str, Any]]:
        """The response's `errors`."""
        return [
            {**error.formatted, "extensions": {**(error.extensions or {}), "code": self.code}}
            for error in self.graphql_errors
        ]


class SyntaxInvalid(RequestRefused):
    """The text is not GraphQL."""

    code = "SYNTAX_INVALID"


class OperationInvalid(RequestRefused):
    """The operation does not fit the schema."""

    code = "OPERATION_INVALID"


class OperationUnknown(RequestRefused):
    """No operation of that name, or several and none named."""

    code = "OPERATION_UNKNOWN"


class OperationUnsupported(RequestRefused):
    """Not a query: there is nothing to change or to subscribe to."""

    code = "OPERATION_UNSUPPORTED"


class VariablesInvalid(RequestRefused):
    """A variable's value does not fit its type."""

    code = "VARIABLES_INVALID"


class ArgumentInvalid(RequestRefused):
    """An argument's value is out of bounds."""

    code = "ARGUMENT_INVALID"


class LimitExceeded(RequestRefused):
    """The operation costs more than one request may."""

    code = "LIMIT_EXCEEDED"


class ReceiptUnavailable(RequestRefused):
    """A receipt is asked for, and this gateway has no key to sign one."""

    code = "RECEIPT_UNAVAILABLE"


class DocumentUnknown(RequestRefused):
    """The request names an operation by an id that is not on the operator's list."""

    code = "DOCUMENT_UNKNOWN"


class DocumentNotTrusted(RequestRefused):
    """The operation is not on the operator's list, and its caller may run no other."""

    code = "DOCUMENT_NOT_TRUSTED"


class DocumentIdRequired(RequestRefused):
    """The caller may name operations of the operator's list by their ids, and send no text."""

    code = "DOCUMENT_ID_REQUIRED"


class CostExceeded(RequestRefused):
    """The agencies would be asked for more than one request may cost. The error tells estimate and budget."""

    code = "COST_EXCEEDED"


class PurposeInvalid(RequestRefused):
    """The purpose is unknown, or not one that the caller's organisation is registered for."""

    code = "PURPOSE_INVALID"
