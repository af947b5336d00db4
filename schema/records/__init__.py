"""The record types that agencies may supply, and the catalogue that is derived from them."""

from __future__ import annotations

from functools import cache
from typing import Final

from schema.agency import ABOUT_AGENCIES
from schema.catalogue import Catalogue
from schema.derive import derive
from schema.questions import QUESTIONS
from schema.records.access import Lookup
from schema.records.courts import JudgmentDefault
from schema.records.merits import Certification, Honour, IntellectualProperty
from schema.records.registration import Registration, RegistrationChange, Shareholder
from schema.records.sectors import CustomsStanding, EnvironmentCredit, ProcurementBan, SocialInsurance
from schema.records.supervision import AbnormalListing, Licence, Penalty, SeriousViolation, SpotCheck
from schema.records.tax import TaxArrears, TaxCredit, TaxPayment
from schema.tiers import Record

RECORDS: Final[tuple[type[Record], ...]] = (
    Registration,
    RegistrationChange,
    Shareholder,
    Licence,
    Penalty,
    AbnormalListing,
    SeriousViolation,
    SpotCheck,
    JudgmentDefault,
    TaxCredit,
    TaxArrears,
    TaxPayment,
    CustomsStanding,
    EnvironmentCredit,
    SocialInsurance,
    IntellectualProperty,
    ProcurementBan,
    Honour,
    Certification,
    Lookup,
)
"""Every record type, in the order in which `Enterprise` shows them."""


@cache
def catalogue() -> Catalogue:
    """The catalogue of all record types, of the questions at the root, and of what is told of agencies.

    Raises `CatalogueInvalidError` where one is declared wrongly.
    """
    return Catalogue({**derive(RECORDS).records, **QUESTIONS, **ABOUT_AGENCIES})
