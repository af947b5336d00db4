from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal

import pytest
import strawberry

from policies.masks import MASKS
from schema.catalogue import FieldSpec, Tier
from schema.derive import derive
from schema.errors import CatalogueInvalidError
from schema.output_values import Money
from schema.records import RECORDS, catalogue
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, Record, classified, record
from schema.values import Kind

COMMON = {"recordId", "recordUrl", "objection", "publishedFrom", "publishedUntil"}

# What the design says is not simply public: `/mask` is the default mask.
OF_AGENCIES = {
    "AgencyHealth": (
        *("state", "calls", "failures", "timeouts", "openings", "p50", "p95", "p99"),
        *("rows", "dropped", "unreadable", "wanted", "kept"),
    ),
    "AgencyUsage": ("day", "record", "organisation", "purpose", "requests", "answers", "failed", "companies"),
}
TIERS = {
    "Registration.legalRepresentative": "PUBLIC/partial",
    "Registration.legalRepresentativeId": "RESTRICTED/last4",
    "Registration.paidInCapital": "AUTHORISED/bucket",
    "Registration.telephone": "RESTRICTED/partial",
    "Registration.employees": "AUTHORISED/bucket",
    "Shareholder.name": "PUBLIC/partial",
    "Shareholder.identityNumber": "RESTRICTED/last4",
    "Shareholder.paidInCapital": "AUTHORISED/bucket",
    "Shareholder.heldSince": "AUTHORISED/year",
    "Penalty.responsiblePerson": "PUBLIC/partial",
    "Penalty.responsiblePersonId": "RESTRICTED/last4",
    "Penalty.informant": "SEALED",
    "SpotCheck.inspectors": "RESTRICTED/partial",
    "JudgmentDefault.legalRepresentative": "PUBLIC/partial",
    "JudgmentDefault.legalRepresentativeId": "RESTRICTED/last4",
    "TaxCredit.internalRiskScore": "SEALED",
    "TaxArrears.balance": "RESTRICTED/bucket",
    "TaxPayment": "AUTHORISED",
    "TaxPayment.year": "AUTHORISED",
    "TaxPayment.taxKind": "AUTHORISED",
    "TaxPayment.paid": "RESTRICTED/bucket",
    "TaxPayment.revenue": "AUTHORISED/bucket",
    "TaxPayment.declaredOn": "AUTHORISED",
    "CustomsStanding.declarations": "AUTHORISED/bucket",
    "CustomsStanding.contactTelephone": "RESTRICTED/partial",
    "EnvironmentCredit.score": "AUTHORISED",
    "EnvironmentCredit.complaints": "AUTHORISED/bucket",
    "SocialInsurance": "AUTHORISED",
    "SocialInsurance.reportedOn": "AUTHORISED",
    "SocialInsurance.insured": "AUTHORISED/bucket",
    "SocialInsurance.contributionBase": "RESTRICTED/bucket",
    "SocialInsurance.arrears": "RESTRICTED/bucket",
    "SocialInsurance.paidUntil": "AUTHORISED/year",
    "Lookup": "RESTRICTED",
    "Lookup.lookedOn": "RESTRICTED",
    "Lookup.organisation": "RESTRICTED",
    "Lookup.purpose": "RESTRICTED",
    "Lookup.basis": "RESTRICTED",
    "Lookup.requests": "RESTRICTED",
    "Verification": "AUTHORISED",
    "Verification.name": "AUTHORISED",
    "Verification.legalRepresentative": "AUTHORISED",
    **dict.fromkeys(("AgencyHealth", *(f"AgencyHealth.{name}" for name in OF_AGENCIES["AgencyHealth"])), "RESTRICTED"),
    **dict.fromkeys(("AgencyUsage", *(f"AgencyUsage.{name}" for name in OF_AGENCIES["AgencyUsage"])), "RESTRICTED"),
}


def test_the_catalogue_holds_every_record_type_of_the_design() -> None:
    assert [(record.name, record.field) for record in catalogue().of_companies()] == [
        ("Registration", "registration"),
        ("RegistrationChange", "registrationChanges"),
        ("Shareholder", "shareholders"),
        ("Licence", "licences"),
        ("Penalty", "penalties"),
        ("AbnormalListing", "abnormalListings"),
        ("SeriousViolation", "seriousViolations"),
        ("SpotCheck", "spotChecks"),
        ("JudgmentDefault", "judgmentDefaults"),
        ("TaxCredit", "taxCredits"),
        ("TaxArrears", "taxArrears"),
        ("TaxPayment", "taxPayments"),
        ("CustomsStanding", "customsStanding"),
        ("EnvironmentCredit", "environmentCredits"),
        ("SocialInsurance", "socialInsurance"),
        ("IntellectualProperty", "intellectualProperty"),
        ("ProcurementBan", "procurementBans"),
        ("Honour", "honours"),
        ("Certification", "certifications"),
        ("Lookup", "lookups"),
    ]


def test_the_catalogue_holds_the_questions_that_have_coordinates_of_their_own() -> None:
    questions = {record.name: list(record.fields) for record in catalogue().records.values() if record.root}
    assert questions == {
        "EnterpriseByLegacyId": ["registrationNumber", "organisationCode", "taxNumber"],
        "EnterpriseMatch": ["name", "division"],
        "Verification": ["name", "legalRepresentative"],
    }


def test_the_catalogue_holds_what_is_told_of_agencies() -> None:
    told = {record.name: record for record in catalogue().records.values() if record.parent == "Agency"}
    assert {name: tuple(record.fields) for name, record in told.items()} == OF_AGENCIES
    assert [record.place for record in told.values()] == ["Agency.health", "Agency.usage"]


def test_whatever_is_not_simply_public_is_so_on_purpose() -> None:
    found: dict[str, str] = {}
    for coordinate, tier in catalogue().tiers():
        spec = catalogue().field(coordinate)
        written = f"{tier}/{spec.mask}" if spec and spec.mask else str(tier)
        if written != "PUBLIC":
            found[coordinate] = written
    assert found == TIERS


def test_every_type_and_field_is_described_in_english_and_chinese() -> None:
    for entry in catalogue().records.values():
        _described(entry.name, entry.description, entry.description_zh)
        for name, spec in entry.fields.items():
            _described(f"{entry.name}.{name}", spec.description, spec.description_zh)


def test_every_record_has_what_all_records_have() -> None:
    for entry in catalogue().of_companies():
        assert entry.fields.keys() > COMMON
        assert all(entry.fields[name].tier is Tier.PUBLIC for name in COMMON)
        assert "source" not in entry.fields


def test_a_company_has_at_most_one_registration_and_customs_standing() -> None:
    assert {entry.name for entry in catalogue().of_companies() if entry.single} == {"Registration", "CustomsStanding"}


def test_penalties_can_be_filtered_by_their_date_and_come_newest_first() -> None:
    penalty = catalogue().records["Penalty"]
    assert penalty.filters == {"decidedFrom": ("decidedOn", ">="), "decidedTo": ("decidedOn", "<=")}
    assert penalty.ordered_by == "decidedOn"
    assert penalty.answer == "PenaltyAnswer"


def test_a_shareholder_that_is_a_company_is_a_link() -> None:
    holder = catalogue().field("Shareholder.holder")
    assert holder is not None
    assert (holder.kind, holder.link) == (Kind.CREDIT_CODE, True)
    assert [name for name, spec in _fields() if spec.link] == ["Shareholder.holder"]


def test_every_default_mask_is_a_mask_of_the_policies_that_fits_its_field() -> None:
    for coordinate, spec in _fields():
        if spec.mask:
            assert spec.kind in MASKS[spec.mask].kinds, coordinate


def test_the_catalogue_can_go_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(catalogue())) == catalogue()  # noqa: S301 - our own bytes


def test_a_coordinate_that_does_not_exist_has_no_field() -> None:
    assert catalogue().field("Penalty.amuont") is None
    assert catalogue().field("Penalty") is None
    assert catalogue().field("Penality.amount") is None


def test_every_type_that_is_listed_is_in_the_catalogue_once() -> None:
    assert len(set(RECORDS)) == len(RECORDS) == len(list(catalogue().of_companies()))


# What is declared wrongly.


DECLARATION = Declaration(field="fines", tier=Tier.PUBLIC, chinese="罚款。")


def test_a_field_without_a_tier_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        number: str | None

    _refused(Fine, "Fine.number: it has no tier")


def test_a_mask_that_does_not_fit_its_field_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        decided_on: dt.date | None = classified(Tier.PUBLIC, "The date.", "日期。", mask="bucket")

    _refused(Fine, "Fine.decidedOn: the mask 'bucket' does not fit a field of kind date; use one of redact")


def test_a_mask_that_does_not_exist_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        amount: Money | None = classified(Tier.PUBLIC, "The sum.", "金额。", mask="blur")

    _refused(Fine, "Fine.amount: the mask 'blur' does not fit")


def test_two_fields_of_one_name_are_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        paid_on: dt.date | None = classified(Tier.PUBLIC, "The date.", "日期。")
        paidOn: dt.date | None = classified(Tier.PUBLIC, "The date.", "日期。")  # noqa: N815 - the mistake under test

    _refused(Fine, "Fine.paidOn: two fields have this name")


def test_a_record_type_without_a_docstring_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        pass

    _refused(Fine, "Fine: it needs an English and a Chinese description")


def test_two_record_types_on_one_field_of_the_enterprise_are_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

    @record(DECLARATION)
    class Charge(SourcedRecord):
        """A fine."""

    _refused(Fine, "Charge: its field fines on Enterprise is that of Fine", Charge)
    _refused(Fine, "Fine: two record types have this name", Fine)


def test_a_field_that_could_not_be_withheld_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        amount: Decimal = classified(Tier.PUBLIC, "The sum.", "金额。")

    _refused(Fine, "Fine.amount: a withheld field is null, so its type must be nullable")


def test_a_type_without_a_kind_of_value_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        share: float | None = classified(Tier.PUBLIC, "The share.", "比例。")

    _refused(Fine, "Fine.share: no kind of value has this type")


def test_a_missing_description_is_named() -> None:
    @record(DECLARATION)
    class Fine(SourcedRecord):
        """A fine."""

        number: str | None = classified(Tier.PUBLIC, "The number.", "")

    _refused(Fine, "Fine.number: it needs an English and a Chinese description")


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            Declaration("fines", Tier.PUBLIC, "罚款。", ordered_by="paidOn"),
            "Fine.paidOn: order and filters need",
        ),
        (
            Declaration("fines", Tier.PUBLIC, "罚款。", ordered_by="number"),
            "Fine.number: order and filters need",
        ),
        (
            Declaration("fines", Tier.PUBLIC, "罚款。", filters={"from": ("publishedFrom", ">")}),
            "Fine: the filter from has the operator '>'",
        ),
        (
            Declaration("fines", Tier.PUBLIC, "罚款。", filters={"from": ("paidOn", ">=")}),
            "Fine.paidOn: order and filters need",
        ),
    ],
)
def test_an_order_or_filter_by_what_is_no_date_is_named(declaration: Declaration, message: str) -> None:
    @record(declaration)
    class Fine(SourcedRecord):
        """A fine."""

        number: str | None = classified(Tier.PUBLIC, "The number.", "编号。")

    _refused(Fine, message)


def test_a_class_that_was_not_declared_is_named() -> None:
    @strawberry.type
    class Fine(SourcedRecord):
        """A fine."""

    _refused(Fine, "Fine: not a record type; declare it with @record")


def _described(coordinate: str, english: str, chinese: str) -> None:
    assert english.isascii(), coordinate
    assert english.endswith("."), coordinate
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese), coordinate
    assert chinese.endswith("。"), coordinate


def _refused(cls: type[Record], message: str, *others: type[Record]) -> None:
    with pytest.raises(CatalogueInvalidError) as caught:
        derive([cls, *others])
    assert str(caught.value).startswith(message)


def _fields() -> list[tuple[str, FieldSpec]]:
    return [
        (f"{entry.name}.{name}", spec) for entry in catalogue().records.values() for name, spec in entry.fields.items()
    ]
