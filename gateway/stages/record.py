"""Stage nine: what the audit keeps of a request. Codes, decisions and outcomes; never a field value."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.agencies.sight import AgencyDecision
from gateway.agencies.told import Told
from gateway.messages import Principal, Received
from gateway.stages.envelope import ASKED, Envelope, SourceStatus
from gateway.stages.federate import Answers
from gateway.stages.fetch import Place
from gateway.stages.lookup import Looked
from gateway.stages.question import Question
from policies.decision import CallerClass, Decision
from policies.policy import Act
from schema.credit_code import CreditCode


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


def asked_record(
    received: Received, question: Question, now: dt.datetime, companies: Collection[CreditCode]
) -> dict[str, Any]:
    """A request for which agencies were asked about these companies, those behind links among them, and which was not
    answered: whoever asked went away, the deadline passed, or the answer was too large. Where the HTTP edge knows why,
    a line of its own says so.
    """
    return {
        **asked_by(received.request_id, received.principal, now),
        **_question(question),
        "outcome": "ASKED",
        "companies": sorted(companies),
        "lookups": [{"key": lookup.kind} for lookup in question.companies.lookups()],
    }


def answer_record(  # noqa: PLR0913  # what there is to record
    received: Received,
    question: Question,
    answers: Answers,
    *,
    told: Told,
    sources: Sequence[Mapping[str, Any]],
    response: str,
    started: dt.datetime,
    ended: dt.datetime,
) -> dict[str, Any]:
    """A request that was answered: the operation, the companies, by what kinds of key they were looked for, what was
    decided and how each agency fared (as `outcomes` says); `response` is the response's salted digest.

    What was told of agencies is among what was decided, and whose use was read out of this log has a member of its own.
    `asked` has the companies of each dataset that was not asked about all of them.
    """
    several = len(answers.settled) > 1
    asked = asked_about(answers)
    return {
        **asked_by(received.request_id, received.principal, started),
        **_question(question),
        "outcome": "ANSWERED",
        "operationName": received.operation_name,
        "companies": sorted(answers.companies),
        "lookups": [_lookup(one) for one in answers.looked],
        "classes": [
            *(_lookup_class(one) for one in answers.looked),
            *(_class(part.caller_class, part.place, named=several) for part in answers.settled),
            *(_agency_class(caller_class, decisions) for caller_class, decisions in told.decided.items()),
        ],
        "agencies": sources,
        **({"asked": asked} if asked else {}),
        **({"usageRead": told.read} if told.read else {}),
        "response": response,
        "milliseconds": round((ended - started).total_seconds() * 1_000, 1),
    }


def _question(question: Question) -> dict[str, Any]:
    """What was asked, on which consents, and under which policy version. A refused consent is named by its place in
    the request.
    """
    return {
        "purpose": question.caller.purpose,
        "operation": question.operation.id,
        "policy": question.caller.policy.version,
        "consents": [{"issuer": consent.issuer, "id": consent.id} for consent in question.caller.consents],
        "consentsRefused": [
            {"index": index, "code": refused.code} for index, refused in question.caller.refused_consents
        ],
    }


def _class(caller_class: CallerClass, place: Place, *, named: bool) -> Mapping[str, Any]:
    """What was decided for the companies of one class at one place, and by which rules; `named`: and which."""
    return {
        **({"codes": place.codes} if named else {}),
        "bases": sorted(caller_class.bases),
        "scope": sorted(caller_class.consent_scope),
        "companies": len(place.codes),
        "decisions": place.plan.decisions[place.enterprise],
    }


def _lookup(looked: Looked) -> Mapping[str, Any]:
    """How each agency fared that was asked who has an identifier or a name. Neither is told: both are values."""
    return {
        "key": looked.lookup.kind,
        "agencies": [
            {"dataset": dataset, "status": answer.outcome, "failure": answer.failure}
            for dataset, answer in sorted(looked.said.items())
        ],
    }


def _lookup_class(looked: Looked) -> Mapping[str, Any]:
    """What was decided where no company was known yet, and by which rules: about none of the record's companies."""
    decided = [
        _decided(finder.dataset.agency, coordinate, decision)
        for finder in looked.finders
        for coordinate, decision in finder.decisions.items()
    ]
    return {"codes": [], "bases": [], "scope": [], "companies": 1, "decisions": decided}


def _agency_class(caller_class: CallerClass, decisions: Sequence[AgencyDecision]) -> Mapping[str, Any]:
    """What was decided of agencies themselves, and by which rules: about none of the record's companies."""
    decided = [_decided(agency, coordinate, decision) for agency, coordinate, decision in decisions]
    return {"codes": [], "bases": sorted(caller_class.bases), "scope": [], "companies": 1, "decisions": decided}


def _decided(agency: str, coordinate: str, decision: Decision) -> Mapping[str, Any]:
    return {
        "agency": agency,
        "act": Act.READ,
        "coordinate": coordinate,
        "decision": decision.effect,
        "mask": decision.mask,
        "rule": decision.rule,
    }


def asked_about(answers: Answers) -> Mapping[str, Sequence[CreditCode]]:
    """The companies of each dataset that was asked about some of them, and not about all."""
    if len(answers.companies) <= 1:
        return {}
    asked: defaultdict[str, set[CreditCode]] = defaultdict(set)
    for part in answers.settled:
        for joined in part.joined.values():
            for envelope, codes in _by_envelope(joined.envelopes, part.place.codes):
                for source in envelope.sources:
                    if source.status in ASKED:
                        asked[source.dataset].update(codes)
    some = {dataset: codes & answers.companies for dataset, codes in sorted(asked.items())}
    return {dataset: sorted(codes) for dataset, codes in some.items() if len(codes) < len(answers.companies)}


def _by_envelope(
    envelopes: Sequence[Envelope], codes: Sequence[CreditCode]
) -> Iterable[tuple[Envelope, Sequence[CreditCode]]]:
    """The companies that have each envelope: most have the same."""
    different = set(envelopes)
    if len(different) == 1:
        return ((different.pop(), codes),)
    found: defaultdict[Envelope, list[CreditCode]] = defaultdict(list)
    for envelope, code in zip(envelopes, codes, strict=True):
        found[envelope].append(code)
    return found.items()


def outcomes(answers: Answers) -> Iterator[Mapping[str, Any]]:
    """How each dataset fared, with the number of answers and the oldest date of its data."""
    numbers: defaultdict[_Fared, int] = defaultdict(int)
    oldest: dict[_Fared, dt.datetime] = {}
    envelopes: Counter[Envelope] = Counter()
    for part in answers.settled:
        for joined in part.joined.values():
            envelopes.update(joined.envelopes)
    for envelope, number in envelopes.items():
        for source in envelope.sources:
            key = (source.dataset, source.status, source.failure or "")
            numbers[key] += number
            if source.as_of is not None:
                oldest[key] = min(source.as_of, oldest.get(key, source.as_of))
    for key, number in sorted(numbers.items()):
        dataset, status, failure = key
        yield {
            "dataset": dataset,
            "status": status,
            "failure": failure or None,
            "answers": number,
            "asOf": oldest.get(key),
        }


_Fared = tuple[str, SourceStatus, str]
"""A dataset, how it fared, and why it failed, or nothing."""
