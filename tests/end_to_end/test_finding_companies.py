"""Companies found by their numbers and names, records known by registration number, and verification, over the wire."""

from __future__ import annotations

PURPOSE = "credit.underwriting"


def test_a_company_is_found_by_its_number_and_its_name_and_verified(demo) -> None:
    known = demo.ask(
        """query ($code: CreditCode!) { enterprise(code: $code) {
            registration { record { name registrationNumber } }
            spotChecks { status records { result { code } source { agency { id } } } } } }""",
        "bank",
        purpose=PURPOSE,
        code=demo.showcase,
    ).data["enterprise"]
    record = known["registration"]["record"]
    # The spot checks are known by registration number, which a crosswalk tells.
    assert known["spotChecks"] == {
        "status": "COMPLETE",
        "records": [{"result": {"code": "passed"}, "source": {"agency": {"id": "registry"}}}],
    }
    answer = demo.ask(
        """query ($id: String!, $name: String!, $part: String!, $code: CreditCode!) {
            enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $id) { creditCode taxCredits { status } }
            findEnterprises(name: $part, first: 100) { name enterprise { creditCode } }
            verifyEnterprise(code: $code, name: $name, legalRepresentative: "某某") {
              status creditCode name legalRepresentative } }""",
        "bank",
        purpose=PURPOSE,
        id=record["registrationNumber"],
        name=record["name"],
        part=record["name"][2:8],
        code=demo.showcase,
    )
    assert "errors" not in answer.json
    assert answer.data["enterpriseByLegacyId"] == {"creditCode": demo.showcase, "taxCredits": {"status": "COMPLETE"}}
    assert {"name": "PARTIAL", "enterprise": {"creditCode": demo.showcase}} in answer.data["findEnterprises"]
    assert answer.data["verifyEnterprise"] == {
        "status": "COMPLETE",
        "creditCode": "MATCH",
        "name": "MATCH",
        "legalRepresentative": "MISMATCH",
    }


def test_whoever_has_no_purpose_for_it_may_find_companies_and_not_verify_them(demo) -> None:
    answer = demo.ask(
        """query ($code: CreditCode!) {
            findEnterprises(name: "有限公司", first: 3) { enterprise { creditCode } }
            verifyEnterprise(code: $code, legalRepresentative: "某某") { status legalRepresentative } }""",
        code=demo.showcase,
    )
    assert len(answer.data["findEnterprises"]) == 3
    # There are more than the agency gives: that is said.
    assert [error["extensions"]["code"] for error in answer.json["errors"]] == ["LIMIT"]
    assert answer.data["verifyEnterprise"] == {"status": "WITHHELD", "legalRepresentative": "UNKNOWN"}
