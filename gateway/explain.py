"""A plan as a document: who is asked for what, what is withheld and by which rule, and how many calls it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.arguments import Slice
from gateway.authorise import AuthorisedAnswer
from gateway.operation import AnswerSelection, EnterpriseSelection
from gateway.plan import Estimate, Plan, estimate


def explain(
    plan: Plan, companies: Mapping[EnterpriseSelection, int], slices: Mapping[AnswerSelection, Slice], limit: int
) -> dict[str, Any]:
    """The plan for so many companies at each root, in plain values, sorted; the same for the same plan."""
    estimates = estimate(plan, companies, slices, limit)
    return {
        "policy": plan.authorised.version,
        "places": [_place(plan, one) for one in estimates],
        "decisions": [
            decision for answer in plan.authorised.answers.values() for decision in _decisions(answer)
        ],
        "calls": sum(sum(one.calls) for one in estimates),
    }


def _place(plan: Plan, estimated: Estimate) -> dict[str, Any]:
    enterprise = estimated.enterprise
    withheld = {
        supplier.dataset.id
        for answer in enterprise.answers
        for supplier in plan.authorised.answers[answer].suppliers
        if supplier.withheld
    }
    return {
        "path": ".".join(enterprise.path),
        "level": enterprise.level,
        "companies": estimated.companies,
        "fetches": [
            {
                "dataset": fetch.dataset.id,
                "columns": sorted(fetch.columns),
                "control": sorted(fetch.control),
                "companiesPerCall": fetch.dataset.batch,
                "calls": calls,
            }
            for fetch, calls in zip(plan.fetches[enterprise], estimated.calls, strict=True)
        ],
        "notAsked": sorted(withheld),
    }


def _decisions(authorised: AuthorisedAnswer) -> list[dict[str, Any]]:
    return [
        {
            "agency": supplier.dataset.agency,
            "coordinate": coordinate,
            "decision": decision.effect.value,
            "mask": decision.mask,
            "rule": decision.rule,
            "reason": decision.reason.value if decision.reason else None,
        }
        for supplier in authorised.suppliers
        for coordinate, decision in supplier.coordinates()
    ]
