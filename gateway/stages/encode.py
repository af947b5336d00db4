"""Stage eight: the response's bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from connectors.contract import FailureCode
from gateway.stages.federate import Settled
from gateway.stages.operation import RECORDS
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


def failure_errors(settled: Iterable[Settled]) -> list[dict[str, Any]]:
    """The errors for failed datasets, one for each, with its most frequent failure and the number of companies; only of
    answers whose records were asked for and are null by it.
    """
    failed: defaultdict[tuple[str, str], dict[CreditCode, FailureCode]] = defaultdict(dict)
    for part in settled:
        for answer, joined in part.joined.items():
            asked_for = any(selection.name in RECORDS for selection in answer.selection.selections)
            if asked_for and None in joined.records:
                for code, envelope, records in zip(part.place.codes, joined.envelopes, joined.records, strict=True):
                    for source in envelope.sources if records is None else ():
                        if source.failure:
                            failed[source.dataset, source.agency][code] = source.failure
    return [_failure_error(dataset, agency, failures) for (dataset, agency), failures in sorted(failed.items())]


def _failure_error(dataset: str, agency: str, failures: Mapping[CreditCode, FailureCode]) -> dict[str, Any]:
    ((failure, _),) = Counter(failures.values()).most_common(1)
    number = len(failures)
    companies = "1 company" if number == 1 else f"{number} companies"
    return {
        "message": f"{dataset} {_FAILED[failure]}: no records of {companies}.",
        "extensions": {"code": failure, "agency": agency, "dataset": dataset, "companies": number},
    }
