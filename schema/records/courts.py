"""What courts record."""

from __future__ import annotations

import datetime as dt

from schema.catalogue import Tier
from schema.output_values import Code, Money
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="judgmentDefaults",
        tier=Tier.PUBLIC,
        ordered_by="filedOn",
        chinese="失信被执行人信息：有履行能力而拒不履行生效法律文书确定的义务。",
    )
)
class JudgmentDefault(SourcedRecord):
    """An entry in the courts' list of judgment defaulters: the company could obey a judgment and did not."""

    case_number: str | None = classified(Tier.PUBLIC, "The number of the enforcement case.", "执行案号。")
    court: str | None = classified(Tier.PUBLIC, "The court that enforces.", "执行法院。")
    filed_on: dt.date | None = classified(
        Tier.PUBLIC, "The date on which the enforcement case was filed.", "执行案件立案日期。"
    )
    basis_document: str | None = classified(
        Tier.PUBLIC, "The number of the legal document that is enforced.", "执行依据文号。"
    )
    amount_due: Money | None = classified(Tier.PUBLIC, "The sum to be enforced.", "执行标的金额。")
    obligations: str | None = classified(
        Tier.PUBLIC, "The obligations that the legal document lays down.", "生效法律文书确定的义务。"
    )
    performance: Code | None = classified(
        Tier.PUBLIC, "How far the company has performed: wholly, in part or not at all.", "被执行人的履行情况。"
    )
    conduct: str | None = classified(
        Tier.PUBLIC, "The conduct for which the company was listed.", "失信被执行人行为具体情形。"
    )
    legal_representative: str | None = classified(
        Tier.PUBLIC,
        "The name of the legal representative or person in charge.",
        "法定代表人或者负责人姓名。",
        mask="partial",
    )
    legal_representative_id: str | None = classified(
        Tier.RESTRICTED, "The identity number of the legal representative.", "法定代表人身份证件号码。", mask="last4"
    )
