"""How often agencies are asked, and for what: what the plan says before, their own counters confirm after."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

QUERY = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    registration { record { name } }
    judgmentDefaults { records { caseNumber } }
    taxCredits { records { year } }
    taxArrears { records { dueOn } }
    customsStanding { record { tradeKind { code } } }
    environmentCredits { records { year grade { code } } }
    penalties { records { decidedOn responsiblePersonId } }
    again: penalties { records { facts } }
  }
}
"""
SERVERS = ("court", "tax", "environment", "zhejiang-penalties", "guangdong-penalties")


@pytest.fixture
def plan(command, tmp_path: Path):
    """What `xinqiao plan` says of the query for so many companies, by dataset."""

    def read(companies: int) -> dict[str, Any]:
        file = tmp_path / "query.graphql"
        file.write_text(QUERY)
        arguments = [str(file), "--as", "anonymous", "--companies", str(companies), "--json"]
        said = subprocess.run([*command, "plan", *arguments], capture_output=True, check=True, timeout=60)
        return {fetch["dataset"]: fetch for place in orjson.loads(said.stdout)["places"] for fetch in place["fetches"]}

    return read


def test_a_hundred_companies_make_the_calls_that_the_plan_says(demo, plan) -> None:
    codes = demo.said["codes"][100:200]
    before = {agency: demo.agency_requests(agency)["counts"] for agency in SERVERS}
    answer = demo.ask(QUERY, codes=codes)
    assert answer.status == 200
    made = {
        agency: sum(demo.agency_requests(agency)["counts"].values()) - sum(before[agency].values())
        for agency in SERVERS
    }
    planned = {
        agency: sum(fetch["calls"] for dataset, fetch in plan(len(codes)).items() if dataset.startswith(f"{agency}/"))
        for agency in SERVERS
    }
    assert made == planned
    assert made["court"] == 1
    assert made["tax"] == 2 * len(codes)


def test_a_field_that_the_caller_may_not_see_is_in_no_request_to_the_agency(demo) -> None:
    query = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
                 environmentCredits { records { year score complaints { value } } } } }"""
    demo.ask(query, codes=demo.said["codes"][200:210])
    public = set(demo.agency_requests("environment")["last"][-1]["fields"])
    demo.ask(query, "company", purpose="self.review", codes=[demo.showcase])
    own = set(demo.agency_requests("environment")["last"][-1]["fields"])
    assert public < own
    assert len(own - public) == 2
