"""A purpose must be one that the organisation is registered for, by whatever way it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gateway.identity.identity import load_authenticator

ME = "{ me { purpose purposes } }"
ROLES = {
    "first-bank": "bank.officer",
    "tax-bureau-zhejiang": "tax.inspector",
    "zhejiang-regulator": "regulator.provincial",
}


@dataclass(frozen=True)
class Callers:
    """Organisations that ask over HTTP, and what the gateway kept of it."""

    client: httpx.AsyncClient
    signer: Any
    world: Any

    async def ask(self, organisation: str, purpose: str | None = None, query: str = ME, **parts: Any) -> httpx.Response:
        token = self.signer.token(org=organisation, roles=[ROLES[organisation]])
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/graphql-response+json"}
        if purpose:
            headers["X-Purpose"] = purpose
        return await self.client.post("/graphql", json={"query": query, **parts}, headers=headers)


@pytest.fixture
async def callers(application: Callable[..., Any], settings, signer, make_world) -> AsyncIterator[Callers]:
    world = make_world()
    registered = load_authenticator(settings, lambda: world.gateway.editions.current.policy.organisations)
    transport = httpx.ASGITransport(application(world.gateway, authenticator=registered))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Callers(client, signer, world)


@pytest.mark.parametrize(
    ("organisation", "purpose"),
    [
        ("first-bank", "credit"),
        ("first-bank", "credit.underwriting"),
        ("first-bank", "credit.monitoring"),
        ("tax-bureau-zhejiang", "supervision.tax"),
        ("tax-bureau-zhejiang", "supervision.inspection"),
    ],
)
async def test_a_purpose_that_one_is_registered_for_and_those_below_it_hold(callers, organisation, purpose) -> None:
    answer = await callers.ask(organisation, purpose)
    assert answer.status_code == 200
    assert answer.json()["data"]["me"]["purpose"] == purpose


@pytest.mark.parametrize(
    ("organisation", "purpose"),
    [
        ("tax-bureau-zhejiang", "supervision"),  # the parent of both that it has
        ("zhejiang-regulator", "supervision.tax"),  # a sibling
        ("first-bank", "supervision.inspection"),
        ("first-bank", "any"),
        ("first-bank", "credit.underwriting.sme"),  # below one that it has, and unknown
        ("first-bank", "CREDIT"),
    ],
)
@pytest.mark.parametrize("way", ["header", "extension"])
async def test_no_other_purpose_is_answered_and_no_agency_asked(
    callers, codes, organisation: str, purpose: str, way: str
) -> None:
    query = f'{{ enterprise(code: "{codes.hangzhou}") {{ penalties {{ status }} }} }}'
    if way == "header":
        answer = await callers.ask(organisation, purpose, query)
    else:
        answer = await callers.ask(organisation, None, query, extensions={"purpose": purpose})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"
    assert callers.world.supply.requests == []
    (line,) = callers.world.audit.lines
    assert (line["outcome"], line["code"], line["organisation"]) == ("REFUSED", "PURPOSE_INVALID", organisation)


async def test_me_lists_the_purposes_one_may_give_with_those_below_them(callers) -> None:
    purposes = {who: (await callers.ask(who)).json()["data"]["me"]["purposes"] for who in ROLES}
    assert purposes == {
        "first-bank": ["credit", "credit.monitoring", "credit.underwriting"],
        "tax-bureau-zhejiang": ["supervision.inspection", "supervision.tax"],
        "zhejiang-regulator": ["supervision.inspection"],
    }


@pytest.mark.parametrize("purpose", ["supervision", "supervision.tax", "credit"])
async def test_me_tells_nothing_of_access_for_a_purpose_that_one_is_not_registered_for(callers, purpose) -> None:
    query = f'{{ me {{ subject access(purpose: "{purpose}") {{ coordinate }} }} }}'
    answer = (await callers.ask("zhejiang-regulator", query=query)).json()
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"
    assert "coordinate" not in str(answer.get("data"))
    allowed = await callers.ask("zhejiang-regulator", query=query.replace(purpose, "supervision.inspection"))
    assert allowed.json()["data"]["me"]["access"]


@pytest.mark.parametrize(
    ("good_for", "purpose", "holds"),
    [
        ({"credit"}, "credit.underwriting", True),
        ({"credit.underwriting"}, "credit.underwriting", True),
        ({"credit.monitoring"}, "credit.underwriting", False),
        ({"credit.monitoring", "credit.underwriting"}, "credit.underwriting", True),
        ({"credit.underwriting"}, "credit", False),
        ({"supervision"}, "supervision.inspection", False),  # the key is, its organisation is not
        ({"credit.monitoring"}, None, True),
    ],
)
async def test_a_key_is_good_for_its_own_purposes_alone(
    make_world, principals, good_for: set[str], purpose: str | None, *, holds: bool
) -> None:
    caller = replace(principals.bank, purposes=frozenset(good_for))
    answer = await make_world().ask(ME, caller, purpose=purpose)
    if holds:
        assert answer["data"]["me"]["purpose"] == purpose
    else:
        assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"


async def test_nor_does_it_show_what_other_purposes_would_open(make_world, principals) -> None:
    caller = replace(principals.bank, purposes=frozenset({"credit.monitoring"}))
    answer = await make_world().ask('{ me { access(purpose: "credit.underwriting") { coordinate } } }', caller)
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"
