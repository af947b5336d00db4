"""The values of the local roots: who one is, which agencies there are, and the subgraph's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.agencies import AgencyProfile
from gateway.caller import Caller
from schema.sdl import subgraph_sdl


def local_roots(caller: Caller, agencies: Mapping[str, AgencyProfile]) -> Mapping[str, Any]:
    """The root value from which graphql-core reads `me`, `agencies` and `_service`."""
    return {
        "me": {
            "subject": caller.principal.subject,
            "organisation": caller.principal.organisation,
            "roles": sorted(caller.principal.roles),
            "purpose": caller.purpose,
            "purposes": sorted(caller.policy.purposes_of(caller.principal.organisation)),
        },
        "agencies": [
            {"id": agency.id, "name": agency.name, "nameZh": agency.name_zh, "records": list(agency.records)}
            for agency in agencies.values()
        ],
        "_service": lambda _info: {"sdl": subgraph_sdl()},
    }
