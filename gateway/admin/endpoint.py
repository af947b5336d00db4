"""One request to the administration's schema: who asks, what is done, and the record of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import GraphQLError
from strawberry.exceptions import StrawberryGraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from gateway.admin.authority import actor_of, check_login
from gateway.admin.desk import Desk
from gateway.admin.schema import SCHEMA
from gateway.admin.types import Work
from gateway.errors import DeadlineExceededError, GatewayError, MethodNotAllowedError
from gateway.logs import outline
from gateway.messages import Answered, Received
from gateway.settings import AdministrationSettings
from gateway.stages.encode import encode, encode_refusal
from gateway.stages.record import asked_by
from policies.errors import PolicyError, PolicyInvalid

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdminGateway:
    """Answers requests to the administration, as the pipeline answers questions about companies."""

    desk: Desk
    settings: AdministrationSettings

    async def answer(self, received: Received) -> Answered:
        """The answer, its audit line durable. Raises `PolicyStoreMissingError`, `LoginInsufficientError`,
        `NotAdministratorError`, `MethodNotAllowedError`, `DeadlineExceededError`, `AuditUnavailableError`.
        """
        check_login(received.principal, self.settings, time.time())
        live = self.desk.live()
        work = Work(self.desk, actor_of(received.principal, live.in_force()), [])
        started = dt.datetime.now(dt.UTC)
        try:
            async with asyncio.timeout_at(received.deadline):
                result = await execute(received, work)
        except TimeoutError:
            raise DeadlineExceededError from None
        errors = [told(error) for error in result.errors or ()]
        await live.audit.append(_record(received, started, work, errors))
        extensions = {"requestId": received.request_id}
        if isinstance(result, PreExecutionError):
            return Answered(encode_refusal(errors, extensions), executed=False)
        return Answered(encode(result.data, errors, extensions), executed=True)


async def execute(received: Received, work: Work) -> ExecutionResult:
    """What the schema gives. Raises `MethodNotAllowedError` for a mutation where only queries may run."""
    types = [OperationType.QUERY] if received.read_only else [OperationType.QUERY, OperationType.MUTATION]
    try:
        return await SCHEMA.execute(
            received.query,
            dict(received.variables),
            work,
            operation_name=received.operation_name,
            allowed_operation_types=types,
        )
    except InvalidOperationTypeError as error:
        if received.read_only and error.operation_type is OperationType.MUTATION:
            raise MethodNotAllowedError("Only queries run by GET; use POST.", allow="POST") from None
        return _not_run("Only queries and mutations are served.", "OPERATION_INVALID")
    except CannotGetOperationTypeError as error:
        return _not_run(str(error), "OPERATION_UNKNOWN")


def _not_run(message: str, code: str) -> PreExecutionError:
    return PreExecutionError(None, [GraphQLError(message, extensions={"code": code})])


def told(error: GraphQLError) -> Mapping[str, Any]:
    """The error as a caller is told of it: ours with their code, the findings among them; GraphQL's own as they are;
    of any other no more than that it happened.
    """
    cause = error.original_error
    if isinstance(cause, PolicyInvalid):
        return {**_coded(error, cause.code), "extensions": {"code": cause.code, "findings": _findings(cause)}}
    if isinstance(cause, PolicyError | GatewayError):
        return _coded(error, cause.code)
    if cause is None or isinstance(cause, GraphQLError | StrawberryGraphQLError):
        return {**error.formatted, "extensions": {"code": "OPERATION_INVALID", **(error.extensions or {})}}
    _log.error("unexpected exception", fault=outline(cause))
    return {**_coded(error, "INTERNAL"), "message": "Something went wrong here. Tell the operator the request id."}


def _coded(error: GraphQLError, code: str) -> Mapping[str, Any]:
    return {**error.formatted, "extensions": {"code": code}}


def _findings(cause: PolicyInvalid) -> Sequence[Mapping[str, Any]]:
    return [
        {"file": one.file, "line": one.line, "code": one.code, "message": one.message, "hint": one.hint}
        for one in cause.findings
    ]


def _record(
    received: Received, started: dt.datetime, work: Work, errors: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {
        **asked_by(received.request_id, received.principal, started),
        "outcome": "ADMINISTERED",
        "fields": work.fields,
        "errors": [error["extensions"]["code"] for error in errors],
    }
