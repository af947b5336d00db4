"""Who looked at a company is told to the company, and to nobody else."""

from __future__ import annotations

import datetime as dt
from typing import Any

QUERY = """query ($code: CreditCode!) { enterprise(code: $code) {
    lookups { status records { lookedOn organisation purpose basis requests } } } }"""
LOOK = {
    "lookedOn": "2026-11-20",
    "organisation": "first-bank",
    "purpose": "credit.underwriting",
    "basis": None,
    "requests": 2,
}


async def test_a_company_sees_who_looked_at_it_and_others_see_nothing_of_that(
    make_world, codes, principals, datasets
) -> None:
    row = {**LOOK, "lookedOn": dt.date(2026, 11, 20)}
    supplied = {**datasets.all, "court/Lookup": datasets.one("court/Lookup")}
    world = make_world({("court/Lookup", codes.hangzhou): (row,), ("court/Lookup", codes.ningbo): (row,)}, supplied)

    async def lookups(principal: Any, purpose: str | None, code: str = codes.hangzhou) -> Any:
        answer = await world.ask(QUERY, principal, purpose=purpose, code=code)
        return answer["data"]["enterprise"]["lookups"]

    assert await lookups(principals.company, "self.review") == {"status": "COMPLETE", "records": [LOOK]}
    asked = len(world.supply.requests)
    withheld = {"status": "WITHHELD", "records": None}
    assert await lookups(principals.company, "self.review", codes.ningbo) == withheld
    assert await lookups(principals.bank, "credit.underwriting") == withheld
    assert await lookups(principals.inspector, "supervision.tax") == withheld
    assert await lookups(principals.regulator, "supervision.inspection") == withheld
    assert await lookups(principals.anybody, None) == withheld
    assert len(world.supply.requests) == asked
