"""The same question by five callers: five answers, each cut to its caller, no error for what policy withheld."""

from __future__ import annotations

import pytest

QUESTION = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    creditCode
    registration { status record { name legalRepresentative legalRepresentativeId telephone paidInCapital { amount } } }
    penalties { status records { recordId responsiblePerson responsiblePersonId source { agency { id } } } }
    taxArrears { status records { balance { amount from to } } access { coordinate decision reason } }
    taxPayments { status records { year paid { amount from to } } access { coordinate decision reason } }
  }
}
"""
PURPOSES = {
    "bank": "credit.underwriting",
    "tax_inspector": "supervision.tax",
    "regulator": "supervision.inspection",
    "policy_admin": "policy.administration",
    "company": "self.review",
}


@pytest.fixture(scope="module")
def answers(demo):
    return {who: demo.ask(QUESTION, who, purpose=purpose, codes=[demo.showcase]) for who, purpose in PURPOSES.items()}


@pytest.fixture(scope="module")
def true(answers):
    """The company's own view of itself: every value as it is."""
    return answers["company"].data["enterprises"][0]


def test_each_gets_valid_graphql_without_an_error_for_what_policy_withheld(answers) -> None:
    for answer in answers.values():
        assert answer.status == 200
        assert "errors" not in answer.json


def test_each_gets_an_answer_of_its_own(answers) -> None:
    cut = {who: answer.json["data"]["enterprises"][0] for who, answer in answers.items()}
    assert len({str(answer) for answer in cut.values()}) == len(PURPOSES)


def test_the_company_sees_itself(true) -> None:
    assert true["registration"]["record"]["legalRepresentativeId"].startswith("999999")
    assert all(arrears["balance"]["amount"] for arrears in true["taxArrears"]["records"])
    assert all(payment["paid"]["amount"] for payment in true["taxPayments"]["records"])


@pytest.mark.parametrize("who", ["bank", "tax_inspector", "policy_admin"])
def test_identity_numbers_are_in_no_byte_of_the_answers_of_those_who_may_not_see_them(answers, true, who: str) -> None:
    numbers = [
        true["registration"]["record"]["legalRepresentativeId"],
        *(penalty["responsiblePersonId"] for penalty in true["penalties"]["records"]),
    ]
    assert all(numbers)
    assert not any(number in answers[who].text for number in numbers)


@pytest.mark.parametrize("who", ["bank", "regulator", "policy_admin"])
def test_exact_tax_figures_are_in_no_byte_of_the_answers_of_those_who_may_not_see_them(answers, true, who: str) -> None:
    figures = [arrears["balance"]["amount"] for arrears in true["taxArrears"]["records"]]
    figures += [payment["paid"]["amount"] for payment in true["taxPayments"]["records"]]
    assert not any(f'"{figure}"' in answers[who].text for figure in figures)


def test_the_bank_sees_arrears_in_buckets_and_with_consent_exactly(demo, answers, true) -> None:
    bucketed = answers["bank"].data["enterprises"][0]["taxArrears"]
    exact = true["taxArrears"]["records"][0]["balance"]["amount"]
    balance = bucketed["records"][0]["balance"]
    assert balance["amount"] is None
    assert float(balance["from"]) <= float(exact) < float(balance["to"])
    assert bucketed["access"] == [{"coordinate": "TaxArrears.balance", "decision": "MASKED", "reason": "NEEDS_CONSENT"}]
    consented = demo.ask(
        QUESTION, "bank", purpose="credit.underwriting", consents=(demo.said["consent"],), codes=[demo.showcase]
    )
    assert consented.data["enterprises"][0]["taxArrears"]["records"][0]["balance"]["amount"] == exact


def test_the_bank_s_consent_for_one_company_opens_nothing_of_another(demo) -> None:
    others = demo.said["codes"][1:60]
    answer = demo.ask(QUESTION, "bank", purpose="credit.underwriting", consents=(demo.said["consent"],), codes=others)
    balances = [
        record["balance"]
        for enterprise in answer.data["enterprises"]
        for record in enterprise["taxArrears"]["records"] or ()
    ]
    assert balances
    assert all(balance is None or balance["amount"] is None for balance in balances)


def test_the_tax_inspector_sees_exact_figures_of_its_own_province(answers, true) -> None:
    seen = answers["tax_inspector"].data["enterprises"][0]
    assert seen["taxArrears"]["records"] == true["taxArrears"]["records"]


def test_the_regulator_sees_names_clear_in_its_own_province_only(demo, answers, true) -> None:
    own = answers["regulator"].data["enterprises"][0]
    assert [p["responsiblePerson"] for p in own["penalties"]["records"]] == [
        p["responsiblePerson"] for p in true["penalties"]["records"]
    ]
    elsewhere = [code for code in demo.said["codes"] if code[2:4] != "33"]
    answer = demo.ask(QUESTION, "regulator", purpose="supervision.inspection", codes=elsewhere[:100])
    names = [
        record["responsiblePerson"]
        for enterprise in answer.data["enterprises"]
        for record in enterprise["penalties"]["records"] or ()
        if record["responsiblePerson"]
    ]
    assert names
    assert all(name.endswith("**") for name in names)


def test_sealed_fields_do_not_exist_for_anybody(demo) -> None:
    for who in [*PURPOSES, None]:
        answer = demo.ask('{ __type(name: "Penalty") { fields { name } } }', who)
        assert "informant" not in answer.text
        refused = demo.ask(
            "query ($c: CreditCode!) { enterprise(code: $c) { penalties { records { informant } } } }",
            who,
            c=demo.showcase,
        )
        assert refused.status == 400
        assert refused.json["errors"][0]["message"] == "Cannot query field 'informant' on type 'Penalty'."


def test_whoever_sends_no_credentials_sees_what_is_public(demo, true) -> None:
    answer = demo.ask(QUESTION, codes=[demo.showcase])
    record = answer.data["enterprises"][0]["registration"]["record"]
    assert record["name"] == true["registration"]["record"]["name"]
    assert record["legalRepresentative"].endswith("**")
    assert record["telephone"] is None
