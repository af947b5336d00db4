"""Who the company is: its registration, the changes of it, and its shareholders."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from schema.catalogue import Tier
from schema.output_values import Code, Count, DateSpan, Money
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, linked, record


@record(
    Declaration(
        field="registration",
        tier=Tier.PUBLIC,
        chinese="企业登记（经营主体登记）信息。",
        single=True,
    )
)
class Registration(SourcedRecord):
    """The company's registration as a business entity."""

    name: str | None = classified(Tier.PUBLIC, "The registered name of the company.", "企业名称。")
    legal_representative: str | None = classified(
        Tier.PUBLIC,
        "The name of the legal representative or person in charge.",
        "法定代表人（负责人）姓名。",
        mask="partial",
    )
    legal_representative_id: str | None = classified(
        Tier.RESTRICTED, "The identity number of the legal representative.", "法定代表人身份证件号码。", mask="last4"
    )
    status: Code | None = classified(
        Tier.PUBLIC,
        "The state of the registration, such as in operation, revoked or deregistered.",
        "登记状态，如存续、吊销、注销。",
    )
    kind: Code | None = classified(Tier.PUBLIC, "The legal form of the company.", "企业类型。")
    established_on: dt.date | None = classified(Tier.PUBLIC, "The date of establishment.", "成立日期。")
    registered_capital: Money | None = classified(
        Tier.PUBLIC, "The registered capital: what the shareholders have subscribed.", "注册资本（认缴）。"
    )
    paid_in_capital: Money | None = classified(
        Tier.AUTHORISED, "The part of the registered capital that has been paid in.", "实缴资本。", mask="bucket"
    )
    address: str | None = classified(Tier.PUBLIC, "The registered domicile.", "住所（经营场所）。")
    telephone: str | None = classified(
        Tier.RESTRICTED, "The contact telephone number given at registration.", "登记联系电话。", mask="partial"
    )
    industry: Code | None = classified(
        Tier.PUBLIC, "The industry (national classification GB/T 4754).", "所属行业（国民经济行业分类 GB/T 4754）。"
    )
    business_scope: str | None = classified(Tier.PUBLIC, "What the company may do as a business.", "经营范围。")
    authority: str | None = classified(Tier.PUBLIC, "The registering authority.", "登记机关。")
    valid_until: dt.date | None = classified(
        Tier.PUBLIC,
        "The last day of the term of business; null where the term is open.",
        "营业期限截止日；长期的为空。",
    )
    employees: Count | None = classified(
        Tier.AUTHORISED,
        "The number of persons employed, as last reported.",
        "从业人数（最近一次报送）。",
        mask="bucket",
    )
    registration_number: str | None = classified(
        Tier.PUBLIC, "The 15-digit registration number used before the credit code.", "原工商注册号（15 位）。"
    )


@record(
    Declaration(
        field="registrationChanges",
        tier=Tier.PUBLIC,
        ordered_by="changedOn",
        chinese="变更登记信息。",
    )
)
class RegistrationChange(SourcedRecord):
    """A change of the registration."""

    changed_on: dt.date | None = classified(
        Tier.PUBLIC, "The date on which the change was registered.", "变更登记日期。"
    )
    item: Code | None = classified(Tier.PUBLIC, "What was changed.", "变更事项。")
    before: str | None = classified(Tier.PUBLIC, "The content before the change.", "变更前内容。")
    after: str | None = classified(Tier.PUBLIC, "The content after the change.", "变更后内容。")


@record(
    Declaration(
        field="shareholders",
        tier=Tier.PUBLIC,
        chinese="股东及出资信息。",
    )
)
class Shareholder(SourcedRecord):
    """A shareholder and its contribution to the capital."""

    name: str | None = classified(
        Tier.PUBLIC,
        "The name of the shareholder, a person or an organisation.",
        "股东（发起人）姓名或名称。",
        mask="partial",
    )
    holder: str | None = linked(
        Tier.PUBLIC,
        "The shareholder itself, where it is a company with a credit code.",
        "持有统一社会信用代码的企业股东。",
    )
    identity_number: str | None = classified(
        Tier.RESTRICTED,
        "The identity number of a shareholder who is a person.",
        "自然人股东的身份证件号码。",
        mask="last4",
    )
    subscribed_capital: Money | None = classified(Tier.PUBLIC, "The contribution subscribed.", "认缴出资额。")
    paid_in_capital: Money | None = classified(
        Tier.AUTHORISED, "The contribution paid in.", "实缴出资额。", mask="bucket"
    )
    share: Decimal | None = classified(
        Tier.PUBLIC, "The share of the subscribed capital, in percent.", "认缴出资比例（百分比）。"
    )
    held_since: DateSpan | None = classified(
        Tier.AUTHORISED, "Since when the shareholder has held the share.", "取得股权的时间。", mask="year"
    )
