"""What the tax authorities record: ratings, arrears and payments."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from schema.catalogue import Tier
from schema.output_values import Code, Money
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="taxCredits",
        tier=Tier.PUBLIC,
        ordered_by="ratedOn",
        chinese="纳税信用评价信息。",
    )
)
class TaxCredit(SourcedRecord):
    """The yearly rating of a taxpayer's credit."""

    year: int | None = classified(Tier.PUBLIC, "The year that is rated.", "评价年度。")
    grade: Code | None = classified(Tier.PUBLIC, "The grade: A, B, M, C or D.", "纳税信用级别：A、B、M、C、D。")
    authority: str | None = classified(Tier.PUBLIC, "The tax authority that rated.", "评价税务机关。")
    rated_on: dt.date | None = classified(Tier.PUBLIC, "The date of the rating.", "评价日期。")
    internal_risk_score: Decimal | None = classified(
        Tier.SEALED, "The tax authority's own risk score.", "税务机关内部风险评分。"
    )


@record(
    Declaration(
        field="taxArrears",
        tier=Tier.PUBLIC,
        ordered_by="dueOn",
        chinese="欠税公告信息。",
    )
)
class TaxArrears(SourcedRecord):
    """Tax that was due and has not been paid, as announced by the tax authority."""

    tax_kind: Code | None = classified(Tier.PUBLIC, "The kind of tax.", "欠税税种。")
    balance: Money | None = classified(Tier.RESTRICTED, "The sum still owed.", "欠税余额。", mask="bucket")
    due_on: dt.date | None = classified(Tier.PUBLIC, "The date by which it was due.", "应缴期限。")
    authority: str | None = classified(Tier.PUBLIC, "The tax authority in charge.", "主管税务机关。")


@record(
    Declaration(
        field="taxPayments",
        tier=Tier.AUTHORISED,
        ordered_by="declaredOn",
        chinese="年度分税种申报缴税信息。",
    )
)
class TaxPayment(SourcedRecord):
    """What the company declared and paid of one kind of tax in one year."""

    year: int | None = classified(Tier.AUTHORISED, "The tax year.", "所属年度。")
    tax_kind: Code | None = classified(Tier.AUTHORISED, "The kind of tax.", "税种。")
    paid: Money | None = classified(Tier.RESTRICTED, "The tax paid.", "实缴税额。", mask="bucket")
    revenue: Money | None = classified(Tier.AUTHORISED, "The revenue declared.", "申报营业收入。", mask="bucket")
    declared_on: dt.date | None = classified(Tier.AUTHORISED, "The date of the declaration.", "申报日期。")
