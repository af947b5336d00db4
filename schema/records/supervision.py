"""What market regulators grant, find and punish: licences, penalties, lists and spot checks."""

from __future__ import annotations

import datetime as dt

from schema.catalogue import Tier
from schema.output_values import Code, Money
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="licences",
        tier=Tier.PUBLIC,
        ordered_by="grantedOn",
        chinese="行政许可信息。",
    )
)
class Licence(SourcedRecord):
    """An administrative licence."""

    number: str | None = classified(Tier.PUBLIC, "The number of the licence.", "许可证编号。")
    name: str | None = classified(Tier.PUBLIC, "The name of the licence.", "许可证名称。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that granted it.", "许可机关。")
    granted_on: dt.date | None = classified(Tier.PUBLIC, "The date of the decision to grant it.", "许可决定日期。")
    valid_until: dt.date | None = classified(Tier.PUBLIC, "The last day of its validity.", "有效期截止日。")
    status: Code | None = classified(Tier.PUBLIC, "The state of the licence.", "许可状态。")
    content: str | None = classified(Tier.PUBLIC, "What it permits.", "许可内容。")


@record(
    Declaration(
        field="penalties",
        tier=Tier.PUBLIC,
        ordered_by="decidedOn",
        filters={"decidedFrom": ("decidedOn", ">="), "decidedTo": ("decidedOn", "<=")},
        chinese="行政处罚信息。",
    )
)
class Penalty(SourcedRecord):
    """An administrative penalty."""

    document_number: str | None = classified(
        Tier.PUBLIC, "The number of the written penalty decision.", "行政处罚决定书文号。"
    )
    decided_on: dt.date | None = classified(Tier.PUBLIC, "The date of the decision.", "处罚决定日期。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that decided.", "处罚机关。")
    kind: Code | None = classified(
        Tier.PUBLIC,
        "The kind of penalty, such as a warning, a fine or a suspension.",
        "处罚种类，如警告、罚款、责令停产停业。",
    )
    severity: Code | None = classified(
        Tier.PUBLIC,
        "How grave the breach of trust is: minor, general or serious. How long it is published depends on it.",
        "失信严重程度：轻微（minor）、一般（general）、严重（serious），决定公示期限。",
    )
    facts: str | None = classified(Tier.PUBLIC, "The unlawful facts that were found.", "违法事实。")
    legal_basis: str | None = classified(Tier.PUBLIC, "The provisions on which the penalty rests.", "处罚依据。")
    amount: Money | None = classified(Tier.PUBLIC, "The fine.", "罚款金额。")
    confiscated: Money | None = classified(
        Tier.PUBLIC, "The unlawful gains and property confiscated.", "没收违法所得、没收非法财物的金额。"
    )
    responsible_person: str | None = classified(
        Tier.PUBLIC, "The name of the person held responsible.", "责任人姓名。", mask="partial"
    )
    responsible_person_id: str | None = classified(
        Tier.RESTRICTED, "The identity number of the person held responsible.", "责任人身份证件号码。", mask="last4"
    )
    repaired_on: dt.date | None = classified(
        Tier.PUBLIC, "The date on which the company's credit was repaired for this penalty.", "信用修复日期。"
    )
    informant: str | None = classified(Tier.SEALED, "Who reported the breach to the authority.", "举报人信息。")


@record(
    Declaration(
        field="abnormalListings",
        tier=Tier.PUBLIC,
        ordered_by="listedOn",
        chinese="列入经营异常名录信息。",
    )
)
class AbnormalListing(SourcedRecord):
    """An entry in the list of enterprises with abnormal operations."""

    listed_on: dt.date | None = classified(Tier.PUBLIC, "The date of the listing.", "列入日期。")
    reason: Code | None = classified(Tier.PUBLIC, "Why the company was listed.", "列入原因。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that listed it.", "作出列入决定的机关。")
    removed_on: dt.date | None = classified(Tier.PUBLIC, "The date of the removal from the list.", "移出日期。")
    removal_reason: str | None = classified(Tier.PUBLIC, "Why it was removed.", "移出原因。")


@record(
    Declaration(
        field="seriousViolations",
        tier=Tier.PUBLIC,
        ordered_by="listedOn",
        chinese="列入严重违法失信名单信息。",
    )
)
class SeriousViolation(SourcedRecord):
    """An entry in the list of seriously unlawful and dishonest entities."""

    listed_on: dt.date | None = classified(Tier.PUBLIC, "The date of the listing.", "列入日期。")
    reason: Code | None = classified(Tier.PUBLIC, "Why the company was listed.", "列入原因。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that listed it.", "作出列入决定的机关。")
    removed_on: dt.date | None = classified(Tier.PUBLIC, "The date of the removal from the list.", "移出日期。")
    repaired_on: dt.date | None = classified(
        Tier.PUBLIC, "The date on which the company's credit was repaired for this entry.", "信用修复日期。"
    )


@record(
    Declaration(
        field="spotChecks",
        tier=Tier.PUBLIC,
        ordered_by="checkedOn",
        chinese="双随机、一公开抽查检查结果信息。",
    )
)
class SpotCheck(SourcedRecord):
    """A random inspection by randomly chosen inspectors."""

    plan: str | None = classified(Tier.PUBLIC, "The plan of inspections that it belongs to.", "抽查计划名称。")
    item: str | None = classified(Tier.PUBLIC, "What was inspected.", "抽查事项。")
    checked_on: dt.date | None = classified(Tier.PUBLIC, "The date of the inspection.", "检查日期。")
    result: Code | None = classified(Tier.PUBLIC, "The result of the inspection.", "检查结果。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that inspected.", "检查机关。")
    inspectors: str | None = classified(
        Tier.RESTRICTED, "The names of the inspectors.", "执法检查人员姓名。", mask="partial"
    )
