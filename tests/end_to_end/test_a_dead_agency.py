"""Agencies that are gone: what they would have said is marked as missing, and nothing else is touched."""

from __future__ import annotations

import psutil
import pytest

from tests.end_to_end.conftest import Demonstration

KNOWN_TO_ONE = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    registration { status record { name } }
    judgmentDefaults { status records { caseNumber } sources { status failure { code retryable } } }
  }
}
"""
KNOWN_TO_TWO = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    penalties { status records { recordId source { agency { id } } } sources { agency { id } status } }
  }
}
"""


@pytest.fixture(scope="module")
def bereft(own_demo: Demonstration) -> Demonstration:
    """A demonstration whose court is dead, and one of the two agencies that fine."""
    for module in ("agencies.court", "guangdong_penalties"):
        children = psutil.Process(own_demo.process.pid).children()
        (agency,) = [child for child in children if module in " ".join(child.cmdline())]
        agency.kill()
        agency.wait(10)
    return own_demo


def test_a_killed_agency_is_unavailable_and_the_others_data_arrive(bereft: Demonstration) -> None:
    answer = bereft.ask(KNOWN_TO_ONE, codes=bereft.said["codes"][:100])
    assert answer.status == 200
    for enterprise in answer.data["enterprises"]:
        defaults = enterprise["judgmentDefaults"]
        assert (defaults["status"], defaults["records"]) == ("UNAVAILABLE", None)
        # Known at once, not by waiting for the deadline.
        assert defaults["sources"] == [
            {"status": "FAILED", "failure": {"code": "AGENCY_UNAVAILABLE", "retryable": True}}
        ]
    named = [enterprise["registration"]["record"] for enterprise in answer.data["enterprises"]]
    assert sum(record is not None for record in named) > 90
    (error,) = answer.json["errors"]
    assert error["extensions"] == {
        "code": "AGENCY_UNAVAILABLE",
        "agency": "court",
        "dataset": "court/JudgmentDefault",
        "companies": 100,
    }


def test_where_another_agency_supplies_the_same_its_records_stand_and_no_list_is_empty(bereft: Demonstration) -> None:
    answer = bereft.ask(KNOWN_TO_TWO, codes=bereft.said["codes"][:200])
    penalties = [enterprise["penalties"] for enterprise in answer.data["enterprises"]]
    assert {answer["status"] for answer in penalties} == {"PARTIAL"}
    assert any(answer["records"] for answer in penalties)
    assert [] not in [answer["records"] for answer in penalties]
    assert {record["source"]["agency"]["id"] for answer in penalties for record in answer["records"] or ()} == {
        "zhejiang-penalties"
    }
