"""An agency that is gone: what it would have said is marked as missing, and nothing else is touched."""

from __future__ import annotations

import psutil

QUERY = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    registration { status record { name } }
    judgmentDefaults { status records { caseNumber } sources { status failure { code retryable } } }
    penalties { status records { recordId source { agency { id } } } sources { agency { id } status } }
  }
}
"""


def kill(process, module: str) -> None:
    (agency,) = [child for child in psutil.Process(process.pid).children() if module in " ".join(child.cmdline())]
    agency.kill()
    agency.wait(10)


def test_a_killed_agency_is_unavailable_and_the_others_data_arrive_within_the_deadline(own_demo) -> None:
    codes = own_demo.said["codes"]
    kill(own_demo.process, "agencies.court")
    answer = own_demo.ask(QUERY, codes=codes[:100])
    assert answer.status == 200
    assert answer.seconds < 6
    for enterprise in answer.data["enterprises"]:
        defaults = enterprise["judgmentDefaults"]
        assert (defaults["status"], defaults["records"]) == ("UNAVAILABLE", None)
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


def test_where_another_agency_supplies_the_same_its_records_stand_and_no_list_is_empty(own_demo) -> None:
    kill(own_demo.process, "guangdong_penalties")
    answer = own_demo.ask(QUERY, codes=own_demo.said["codes"][:200])
    penalties = [enterprise["penalties"] for enterprise in answer.data["enterprises"]]
    assert {answer["status"] for answer in penalties} == {"PARTIAL"}
    assert any(answer["records"] for answer in penalties)
    assert [] not in [answer["records"] for answer in penalties]
    assert {record["source"]["agency"]["id"] for answer in penalties for record in answer["records"] or ()} == {
        "zhejiang-penalties"
    }
