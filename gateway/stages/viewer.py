"""The values of the local roots: who one is and may see, and the subgraph's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError

from gateway.agencies.profile import GETTERS, AgencyProfile, told_of
from gateway.agencies.sight import of_agency
from gateway.editions.coordinates import OF_AN_AGENCY
from gateway.editions.tables import Tables
from gateway.stages.caller import Caller, check_purpose
from policies.decision import CallerClass, Decision, Effect
from policies.errors import PurposeRefused
from schema.catalogue import Tier


def local_roots(
    caller: Caller,
    tables: Tables,
    agencies: Mapping[str, AgencyProfile],
    openable: frozenset[str],
    subgraph_sdl: Callable[[], str],
) -> Mapping[str, Any]:
    """The root value from which graphql-core reads `me` and `_service`. `openable` are the coordinates that could be
    opened to the caller; of others `me` tells nothing, and its agencies nothing of unreleased record types.
    """
    told = told_of(agencies, caller.policy.unreleased)
    profiles = {agency.id: {name: read(agency) for name, read in GETTERS.items()} for agency in told.values()}

    async def access(_info: object, purpose: str | None = caller.purpose) -> list[Mapping[str, Any]]:
        principal = caller.principal
        if purpose is not None:
            _check(caller, purpose)
        table = await tables.table(CallerClass(principal.roles, principal.organisation, purpose))
        return [
            _access(coordinate, profiles[agency], of_agency(decision) if coordinate in OF_AN_AGENCY else decision)
            for agency, cells in sorted(table.cells.items())
            for coordinate, decision in sorted(cells.items())
            if coordinate in openable and _may_be_told(caller.policy.tiers[coordinate], decision)
        ]

    return {
        "me": {
            "subject": caller.principal.subject,
            "organisation": caller.principal.organisation,
            "roles": sorted(caller.principal.roles),
            "purpose": caller.purpose,
            "purposes": sorted(caller.policy.purposes_of(caller.principal.organisation)),
            "access": access,
        },
        "_service": lambda _info: {"sdl": subgraph_sdl()},
    }


def _may_be_told(tier: Tier, decision: Decision) -> bool:
    return tier is not Tier.SEALED or decision.effect is not Effect.WITHHELD


def _access(coordinate: str, agency: Mapping[str, Any], decision: Decision) -> Mapping[str, Any]:
    return {
        "coordinate": coordinate,
        "agency": agency,
        "decision": decision.effect,
        "mask": decision.mask,
        "reason": decision.reason,
    }


def _check(caller: Caller, purpose: str) -> None:
    try:
        check_purpose(caller.principal, caller.policy, purpose)
    except PurposeRefused as error:
        raise GraphQLError(str(error), extensions={"code": "PURPOSE_INVALID"}) from None
