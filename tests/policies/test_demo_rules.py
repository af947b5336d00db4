"""The demonstration nation's rules show what they are there to show, for each kind of caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import policies
from policies.analysis.rule_tests import run_tests
from policies.compile import compile_table, openable
from policies.decision import Basis, CallerClass, Decision, DecisionTable, Effect, Reason
from policies.load import load_policy, read_directory
from policies.policy import Policy
from schema.catalogue import Catalogue, Tier
from schema.records import catalogue

SUPPLIES = {
    "registry": (
        *("Registration", "RegistrationChange", "Shareholder", "AbnormalListing", "SpotCheck"),
        *("EnterpriseByLegacyId", "EnterpriseMatch", "Verification"),
    ),
    "court": ("JudgmentDefault",),
    "tax": ("TaxCredit", "TaxArrears", "TaxPayment"),
    "customs": ("CustomsStanding",),
    "environment": ("EnvironmentCredit",),
    "zhejiang-penalties": ("Penalty",),
    "guangdong-penalties": ("Penalty",),
}
CATALOGUE: Catalogue = catalogue()
CELLS: Mapping[str, frozenset[str]] = {
    agency: frozenset(
        name for name, _ in CATALOGUE.tiers() if name.split(".")[0] in {*records, "AgencyHealth", "AgencyUsage"}
    )
    for agency, records in SUPPLIES.items()
}
SEALED = {name for name, tier in CATALOGUE.tiers() if tier is Tier.SEALED}
EVERYTHING = frozenset(map(str, Tier))

Asked = Callable[..., DecisionTable]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(read_directory(Path(policies.__file__).parent), CATALOGUE, SUPPLIES)


@pytest.fixture(scope="module")
def table(policy: Policy) -> Asked:
    def asked(role: str, organisation: str, purpose: str | None, *bases: Basis) -> DecisionTable:
        caller = CallerClass(frozenset({role}), organisation, purpose, frozenset(bases), EVERYTHING)
        return compile_table(policy, CELLS, caller)

    return asked


def decisions(table: DecisionTable) -> Mapping[tuple[str, str], Decision]:
    return {(agency, name): decision for agency, row in table.cells.items() for name, decision in row.items()}


def test_public_data_is_clear_to_a_bank_and_names_of_people_are_masked(table: Asked) -> None:
    bank = table("bank.officer", "first-bank", "credit.underwriting")
    tiers = dict(CATALOGUE.tiers())
    for name, tier in tiers.items():
        if tier is Tier.PUBLIC and tiers[name.split(".")[0]] is Tier.PUBLIC:
            for agency in (agency for agency, names in CELLS.items() if name in names):
                field = CATALOGUE.field(name)
                mask = field.mask if field else None
                assert bank.at(agency, name) == Decision(
                    Effect.MASKED if mask else Effect.CLEAR,
                    mask,
                    "public-data",
                    Reason.NOT_AVAILABLE if mask else None,
                )
    assert bank.at("registry", "Registration.legalRepresentative").mask == "partial"


def test_tax_arrears_are_bucketed_to_a_bank_and_exact_with_consent(table: Asked) -> None:
    without = table("bank.officer", "first-bank", "credit.underwriting").at("tax", "TaxArrears.balance")
    assert without == Decision(Effect.MASKED, "bucket", "bank-arrears-in-buckets", Reason.NEEDS_CONSENT)
    consented = table("bank.officer", "first-bank", "credit.underwriting", Basis.CONSENT)
    assert consented.at("tax", "TaxArrears.balance").effect is Effect.CLEAR
    monitoring = table("bank.officer", "first-bank", "credit.monitoring", Basis.CONSENT)
    assert monitoring.at("tax", "TaxArrears.balance").reason is Reason.NEEDS_PURPOSE


def test_the_tax_inspector_sees_exact_tax_data_but_not_what_only_banks_get(table: Asked) -> None:
    inspector = table("tax.inspector", "tax-bureau-zhejiang", "supervision.tax", Basis.JURISDICTION)
    for name in ("TaxArrears.balance", "TaxPayment", "TaxPayment.paid", "TaxPayment.revenue"):
        assert inspector.at("tax", name).effect is Effect.CLEAR
    bank = table("bank.officer", "first-bank", "credit.underwriting", Basis.CONSENT)
    assert bank.at("registry", "Registration.paidInCapital").effect is Effect.CLEAR
    assert inspector.at("registry", "Registration.paidInCapital").effect is Effect.WITHHELD


def test_the_tax_inspector_needs_the_jurisdiction_and_the_purpose(table: Asked) -> None:
    elsewhere = table("tax.inspector", "tax-bureau-zhejiang", "supervision.tax")
    assert elsewhere.at("tax", "TaxPayment").reason is Reason.NEEDS_JURISDICTION
    otherwise = table("tax.inspector", "tax-bureau-zhejiang", "supervision.inspection", Basis.JURISDICTION)
    assert otherwise.at("tax", "TaxPayment").reason is Reason.NEEDS_PURPOSE


@pytest.mark.parametrize("agency", ["zhejiang-penalties", "guangdong-penalties"])
def test_a_provincial_regulator_sees_people_clear_in_its_own_division_only(table: Asked, agency: str) -> None:
    caller = ("regulator.provincial", "zhejiang-regulator", "supervision.inspection")
    own, elsewhere = table(*caller, Basis.JURISDICTION), table(*caller)
    for where, name in (
        (agency, "Penalty.responsiblePerson"),
        (agency, "Penalty.responsiblePersonId"),
        ("registry", "Registration.legalRepresentative"),
    ):
        assert own.at(where, name).effect is Effect.CLEAR
        assert elsewhere.at(where, name).effect is not Effect.CLEAR
        assert elsewhere.at(where, name).reason is Reason.NEEDS_JURISDICTION


def test_the_company_sees_itself_fully_sealed_data_apart(table: Asked) -> None:
    itself = decisions(table("company", "company", "self.review", Basis.SELF))
    for (_, name), decision in itself.items():
        assert decision.effect is (Effect.WITHHELD if name in SEALED else Effect.CLEAR), name


def test_the_company_sees_of_others_what_anybody_sees(table: Asked) -> None:
    def shown(found: DecisionTable) -> Mapping[tuple[str, str], tuple[Effect, str | None]]:
        return {key: (decision.effect, decision.mask) for key, decision in decisions(found).items()}

    anonymous = shown(table("anonymous", "public", None))
    assert shown(table("company", "company", "self.review")) == anonymous
    assert shown(table("policy.admin", "policy-office", "policy.administration")) == anonymous


def test_anonymous_callers_see_public_data_through_its_masks_and_nothing_else(table: Asked) -> None:
    tiers = dict(CATALOGUE.tiers())
    for (_, name), decision in decisions(table("anonymous", "public", None)).items():
        public = tiers[name] is Tier.PUBLIC and tiers[name.split(".")[0]] is Tier.PUBLIC
        assert (decision.effect is not Effect.WITHHELD) is public, name


def test_sealed_data_is_invisible_to_all(policy: Policy) -> None:
    for organisation in policy.organisations.values():
        assert not openable(policy, CELLS, organisation.roles, organisation.id) & SEALED


def test_the_tests_beside_the_rules_pass_and_reach_every_rule(policy: Policy) -> None:
    report = run_tests(policy, read_directory(Path(policies.__file__).parent), CELLS, CATALOGUE)
    assert report.passed, [*report.findings, *(one for one in report.outcomes if not one.passed)]
    assert report.coverage.findings() == ()
    assert all(role.asked for role in report.coverage.roles)


def test_every_rule_says_why(policy: Policy) -> None:
    assert policy.version.startswith("1-")
    assert policy.next_change is None
