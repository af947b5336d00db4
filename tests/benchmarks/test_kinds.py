"""The agencies that kinds are measured with: each gives the same rows, by its own kind of system."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from benchmarks.kind_agencies import AGENCY, KINDS, Place
from benchmarks.kinds import fetch, opened
from benchmarks.load import companies
from benchmarks.upstream import compiled
from connectors.contract import CompanyRows, Outcome
from connectors.kinds import SHIPPED
from schema.credit_code import CreditCode

CODES = [CreditCode(code) for code in companies(first=1, count=3)]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("agency", KINDS, ids=lambda agency: agency.name)
def test_an_agency_of_each_kind_gives_every_company_its_own_rows(agency, tmp_path: Path) -> None:
    async def asked(place: Place, address: str) -> dict[CreditCode, CompanyRows]:
        async with opened(agency, place, address) as supply:
            return dict(await fetch(supply, CODES))

    with compiled() as program:
        place = Place(tmp_path, program, CODES)
        with agency.serve(place) as address:
            answers = asyncio.run(asked(place, address))
    for code in CODES:
        assert answers[code].outcome is Outcome.ANSWERED
        expected = AGENCY.company(code)
        assert [row["documentNumber"] for row in answers[code].rows] == [row["documentNumber"] for row in expected]
        assert [str(row["amount"].amount) for row in answers[code].rows] == [row["amount"] for row in expected]


def test_every_shipped_kind_is_measured() -> None:
    assert {agency.kind for agency in KINDS} == SHIPPED.keys()
