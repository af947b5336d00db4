"""How the company stands with the authorities of single sectors, from customs to procurement."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from schema.catalogue import Tier
from schema.output_values import Code, Count, DateSpan, Money
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="customsStanding",
        tier=Tier.PUBLIC,
        chinese="海关备案及信用等级信息。",
        single=True,
    )
)
class CustomsStanding(SourcedRecord):
    """The company's registration with customs and its credit grade there."""

    registration_number: str | None = classified(
        Tier.PUBLIC, "The number of the registration with customs.", "海关备案编码。"
    )
    grade: Code | None = classified(
        Tier.PUBLIC,
        "The credit grade, from authorised economic operator to dishonest enterprise.",
        "海关信用等级，如高级认证企业、失信企业。",
    )
    trade_kind: Code | None = classified(Tier.PUBLIC, "The kind of customs business.", "报关业务类别。")
    registered_on: dt.date | None = classified(Tier.PUBLIC, "The date of the registration.", "备案日期。")
    valid_until: dt.date | None = classified(Tier.PUBLIC, "The last day of its validity.", "备案有效期截止日。")
    customs_office: str | None = classified(Tier.PUBLIC, "The customs office in charge.", "所属海关。")
    declarations: Count | None = classified(
        Tier.AUTHORISED, "The number of customs declarations in the last year.", "近一年报关单数量。", mask="bucket"
    )
    contact_telephone: str | None = classified(
        Tier.RESTRICTED, "The telephone number of the contact.", "业务联系人电话。", mask="partial"
    )


@record(
    Declaration(
        field="environmentCredits",
        tier=Tier.PUBLIC,
        ordered_by="ratedOn",
        chinese="企业环境信用评价信息。",
    )
)
class EnvironmentCredit(SourcedRecord):
    """The yearly rating of the company's credit in protecting the environment."""

    year: int | None = classified(Tier.PUBLIC, "The year that is rated.", "评价年度。")
    grade: Code | None = classified(
        Tier.PUBLIC, "The grade, from green (best) to black (worst).", "环境信用等级，由绿牌（最优）至黑牌（最差）。"
    )
    rated_on: dt.date | None = classified(Tier.PUBLIC, "The date of the rating.", "评价日期。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that rated.", "评价机关。")
    score: Decimal | None = classified(Tier.AUTHORISED, "The score behind the grade.", "评价得分。")
    complaints: Count | None = classified(
        Tier.AUTHORISED, "The number of complaints in the year.", "年度环境投诉数量。", mask="bucket"
    )


@record(
    Declaration(
        field="socialInsurance",
        tier=Tier.AUTHORISED,
        ordered_by="reportedOn",
        chinese="社会保险参保缴费信息。",
    )
)
class SocialInsurance(SourcedRecord):
    """What the company reported of its employees' social insurance."""

    reported_on: dt.date | None = classified(Tier.AUTHORISED, "The date of the report.", "申报日期。")
    insured: Count | None = classified(Tier.AUTHORISED, "The number of persons insured.", "参保人数。", mask="bucket")
    contribution_base: Money | None = classified(
        Tier.RESTRICTED, "The sum of wages on which contributions are reckoned.", "单位缴费基数。", mask="bucket"
    )
    arrears: Money | None = classified(Tier.RESTRICTED, "The contributions owed.", "欠缴金额。", mask="bucket")
    paid_until: DateSpan | None = classified(
        Tier.AUTHORISED, "Until when contributions are paid.", "缴费截止时间。", mask="year"
    )


@record(
    Declaration(
        field="procurementBans",
        tier=Tier.PUBLIC,
        ordered_by="decidedOn",
        chinese="政府采购严重违法失信行为记录（禁止参加政府采购活动）。",
    )
)
class ProcurementBan(SourcedRecord):
    """An exclusion from government procurement."""

    decided_on: dt.date | None = classified(Tier.PUBLIC, "The date of the decision.", "处理决定日期。")
    reason: str | None = classified(
        Tier.PUBLIC, "The conduct for which the company is excluded.", "严重违法失信行为的具体情形。"
    )
    authority: str | None = classified(Tier.PUBLIC, "The authority that decided.", "执法单位。")
    starts_on: dt.date | None = classified(Tier.PUBLIC, "The first day of the exclusion.", "禁止期限起始日。")
    ends_on: dt.date | None = classified(Tier.PUBLIC, "The last day of the exclusion.", "禁止期限截止日。")
