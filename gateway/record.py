"""Stage nine: what the audit keeps of a request. Codes, decisions and outcomes; never a field value."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.contract import FailureCode
from gateway.caller import Caller
from gateway.federate import Answers
from gateway.join import SourceStatus
from gateway.messages import Principal, Received
from gateway.operation import Operation


def asked_by(request_id: str, principal: Principal | None, now: dt.datetime) -> dict[str, Any]:
    """Who asked, and when."""
    return {
        "at": now,
        "requestId": request_id,
        "subject": principal.subject if principal else None,
        "organisation": principal.organisation if principal else None,
        "company": principal.company if principal else None,
        "roles": sorted(principal.roles) if principal else [],
    }


def refusal_record(request_id: str, principal: Principal | None, code: str, now: dt.datetime) -> dict[str, Any]:
    """A request that was not executed, and why not, by the error's code."""
    return {**asked_by(request_id, principal, now), "outcome": "REFUSED", "code": code}


def answer_record(  # noqa: PLR0913 - the parts of the record
    received: Received,
    caller: Caller,
    operation: Operation,
    answers: Answers,
    *,
    started: dt.datetime,
    ended: dt.datetime,
) -> dict[str, Any]:
    """A request that was answered: the operation, the companies, what was decided and how each agency fared."""
    return {
        **asked_by(received.request_id, received.principal, started),
        "outcome": "ANSWERED",
        "purpose": caller.purpose,
        "consents": [consent.id for consent in caller.consents],
        "consentsRefused": [refused.code for _, refused in caller.refused_consents],
        "operation": operation.id,
        "operationName": received.operation_name,
        "policy": caller.policy.version,
        "companies": sorted(code.text for code in answers.companies),
        "decisions": list(_decisions(answers)),
        "agencies": list(_outcomes(answers)),
        "milliseconds": round((ended - started).total_seconds() * 1_000, 1),
    }


def _decisions(answers: Answers) -> Iterator[Mapping[str, Any]]:
    """Each decision that was applied, with the number of companies that it was applied to."""
    places = Counter((enterprise, prepared) for (enterprise, _), prepared in answers.prepared.items())
    for (enterprise, prepared), companies in places.items():
        for answer in enterprise.answers:
            for supplier in prepared.plan.authorised.answers[answer].suppliers:
                for coordinate, decision in supplier.coordinates():
                    yield {
                        "agency": supplier.dataset.agency,
                        "coordinate": coordinate,
                        "decision": decision.effect,
                        "mask": decision.mask,
                        "rule": decision.rule,
                        "companies": companies,
                    }


def _outcomes(answers: Answers) -> Iterator[Mapping[str, Any]]:
    """How each dataset fared, with the number of answers and the oldest date of its data."""
    numbers: Counter[tuple[str, SourceStatus, FailureCode | None]] = Counter()
    oldest: dict[tuple[str, SourceStatus, FailureCode | None], dt.datetime] = {}
    for joined in answers.joined.values():
        for source in joined.sources:
            key = (source.dataset, source.status, source.failure)
            numbers[key] += 1
            if source.as_of is not None:
                oldest[key] = min(source.as_of, oldest.get(key, source.as_of))
    for key, number in sorted(numbers.items(), key=str):
        dataset, status, failure = key
        yield {"dataset": dataset, "status": status, "failure": failure, "answers": number, "asOf": oldest.get(key)}
