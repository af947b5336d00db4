"""Stage eight: the response's bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from connectors.contract import FailureCode
from gateway.join import Joined
from gateway.operation import AnswerSelection
from schema.credit_code import CreditCode

_FAILED: Final[Mapping[FailureCode, str]] = {
    FailureCode.AGENCY_TIMEOUT: "did not answer in time",
    FailureCode.AGENCY_UNAVAILABLE: "cannot be reached",
    FailureCode.AGENCY_OVERLOADED: "is overloaded",
    FailureCode.AGENCY_BAD_RESPONSE: "gave an answer that cannot be read",
    FailureCode.LIMIT: "was not asked, or not to the end: a limit was reached",
}


def encode(data: Mapping[str, Any] | None, errors: Sequence[Mapping[str, Any]], extensions: Mapping[str, Any]) -> bytes:
    """A GraphQL response as JSON; `errors` is left out where there are none."""
    response: dict[str, Any] = {"data": data}
    if errors:
        response["errors"] = errors
    response["extensions"] = extensions
    return orjson.dumps(response)


def encode_refusal(errors: Sequence[Mapping[str, Any]], extensions: Mapping[str, Any]) -> bytes:
    """The response to a request that was not executed: it has no `data`."""
    return orjson.dumps({"errors": errors, "extensions": extensions})


def failure_errors(joined: Mapping[tuple[AnswerSelection, CreditCode], Joined]) -> list[dict[str, Any]]:
    """The errors for failed datasets: one for each dataset and failure, with the number of companies, and only of those
    whose records are null by it.
    """
    companies: dict[tuple[str, str, FailureCode], set[CreditCode]] = {}
    for (_, code), answer in joined.items():
        if answer.records is None:
            for source in answer.sources:
                if source.failure:
                    companies.setdefault((source.dataset, source.agency, source.failure), set()).add(code)
    return [
        {
            "message": f"{dataset} {_FAILED[failure]}; records of {len(codes)} companies are missing.",
            "extensions": {"code": failure, "agency": agency, "dataset": dataset, "companies": len(codes)},
        }
        for (dataset, agency, failure), codes in sorted(companies.items())
    ]
