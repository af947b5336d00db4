"""A plan as a document: who is asked for what, what is withheld and by which rule, and how many calls it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.stages.authorise import Supplier
from gateway.stages.lookup import Finder
from gateway.stages.operation import EnterpriseSelection
from gateway.stages.plan import Plan, calls
from policies.decision import Decision
from policies.policy import Act


def explain(
    plan: Plan,
    beyond: Plan,
    companies: Mapping[EnterpriseSelection, int],
    lookups: Mapping[str, tuple[Finder, ...]],
) -> dict[str, Any]:
    """The plan for so many companies at each place, in plain values; the same for the same plan.

    `beyond` is the plan for the companies that links lead to: a consent for one company never covers another. `lookups`
    are asked before there is any company, by the root's response key.
    """
    looking = [_lookup(key, finders) for key, finders in lookups.items()]
    places = [
        _place(beyond if enterprise.level else plan, enterprise, number) for enterprise, number in companies.items()
    ]
    return {
        "policy": plan.authorised.version,
        "places": looking + places,
        "calls": sum(fetch["calls"] for place in looking + places for fetch in place["fetches"]),
    }


def _lookup(key: str, finders: tuple[Finder, ...]) -> dict[str, Any]:
    asked = [finder for finder in finders if finder.withheld is None]
    return {
        "path": f"{key} (lookup)",
        "level": 0,
        "companies": 1,
        "fetches": [
            {
                "dataset": finder.dataset.id,
                "columns": [],
                "control": sorted(finder.columns),
                "companiesPerCall": finder.dataset.batch,
                "calls": 1,
            }
            for finder in asked
        ],
        "notAsked": sorted(finder.dataset.id for finder in finders if finder not in asked),
        "decisions": [
            _decision(finder.dataset.agency, Act.READ, coordinate, decision)
            for finder in finders
            for coordinate, decision in finder.decisions.items()
        ],
    }


def _place(plan: Plan, enterprise: EnterpriseSelection, companies: int) -> dict[str, Any]:
    suppliers = [supplier for answer in enterprise.answers for supplier in plan.authorised.answers[answer].suppliers]
    return {
        "path": ".".join(enterprise.path),
        "level": enterprise.level,
        "companies": companies,
        "fetches": [
            {
                "dataset": fetch.dataset.id,
                "columns": sorted(fetch.columns),
                "control": sorted(fetch.control),
                "companiesPerCall": fetch.dataset.batch,
                "calls": calls(fetch, companies),
            }
            for fetch in (*plan.before[enterprise], *plan.fetches[enterprise])
        ],
        "notAsked": sorted({supplier.dataset.id for supplier in suppliers if supplier.withheld}),
        "decisions": [decision for supplier in suppliers for decision in _decisions(supplier)],
    }


def _decisions(supplier: Supplier) -> list[dict[str, Any]]:
    return [
        _decision(supplier.dataset.agency, act, coordinate, decision)
        for act, coordinate, decision in supplier.coordinates()
    ]


def _decision(agency: str, act: Act, coordinate: str, decision: Decision) -> dict[str, Any]:
    return {
        "agency": agency,
        "act": act.value,
        "coordinate": coordinate,
        "decision": decision.effect.value,
        "mask": decision.mask,
        "rule": decision.rule,
        "reason": decision.reason.value if decision.reason else None,
    }
