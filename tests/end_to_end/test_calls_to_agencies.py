"""How often agencies are asked, and for what: what the plan says before, their own counters confirm after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.end_to_end.conftest import Demonstration
from tests.end_to_end.shell import run

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


def planned(companies: int, file: Path) -> dict[str, Any]:
    """What `xinqiao plan` says of the query for so many companies, by dataset."""
    file.write_text(QUERY)
    said = run(f"xinqiao plan {file} --as anonymous --companies {companies} --json")
    return {fetch["dataset"]: fetch for place in orjson.loads(said)["places"] for fetch in place["fetches"]}


@pytest.mark.usefixtures("clean_variables")
def test_a_hundred_companies_make_the_calls_that_the_plan_says(demo: Demonstration, tmp_path: Path) -> None:
    codes = demo.said["codes"][100:200]
    before = {agency: demo.agency_requests(agency)["counts"] for agency in SERVERS}
    answer = demo.ask(QUERY, codes=codes)
    assert answer.status == 200
    made = {
        agency: sum(demo.agency_requests(agency)["counts"].values()) - sum(before[agency].values())
        for agency in SERVERS
    }
    plan = planned(len(codes), tmp_path / "query.graphql")
    assert made == {
        agency: sum(fetch["calls"] for dataset, fetch in plan.items() if dataset.startswith(f"{agency}/"))
        for agency in SERVERS
    }
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
