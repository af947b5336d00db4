"""What speaks for the company: intellectual property, honours and certifications."""

from __future__ import annotations

import datetime as dt

from schema.catalogue import Tier
from schema.output_values import Code
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, classified, record


@record(
    Declaration(
        field="intellectualProperty",
        tier=Tier.PUBLIC,
        ordered_by="filedOn",
        chinese="专利、商标等知识产权信息。",
    )
)
class IntellectualProperty(SourcedRecord):
    """A patent, trade mark or other registered intellectual property."""

    kind: Code | None = classified(Tier.PUBLIC, "The kind of right.", "知识产权类型。")
    number: str | None = classified(Tier.PUBLIC, "The number of the application or registration.", "申请号或注册号。")
    title: str | None = classified(Tier.PUBLIC, "The title of the work or the mark.", "名称。")
    filed_on: dt.date | None = classified(Tier.PUBLIC, "The date of filing.", "申请日期。")
    granted_on: dt.date | None = classified(Tier.PUBLIC, "The date of grant or registration.", "授权（注册）日期。")
    status: Code | None = classified(Tier.PUBLIC, "The legal status.", "法律状态。")
    pledgee: str | None = classified(Tier.PUBLIC, "To whom the right is pledged, if it is.", "质权人（如已出质）。")


@record(
    Declaration(
        field="honours",
        tier=Tier.PUBLIC,
        ordered_by="awardedOn",
        chinese="守信激励名单（红名单）及其他荣誉信息。",
    )
)
class Honour(SourcedRecord):
    """An entry in a list of trustworthy entities (red list), or another honour."""

    title: str | None = classified(Tier.PUBLIC, "The name of the list or honour.", "名单或荣誉名称。")
    authority: str | None = classified(Tier.PUBLIC, "The authority that awarded it.", "认定机关。")
    awarded_on: dt.date | None = classified(Tier.PUBLIC, "The date of the award.", "认定日期。")
    valid_until: dt.date | None = classified(Tier.PUBLIC, "The last day of its validity.", "有效期截止日。")


@record(
    Declaration(
        field="certifications",
        tier=Tier.PUBLIC,
        ordered_by="issuedOn",
        chinese="管理体系、产品或服务认证信息。",
    )
)
class Certification(SourcedRecord):
    """A certification of a management system, product or service."""

    standard: str | None = classified(Tier.PUBLIC, "The standard certified against.", "认证依据标准。")
    number: str | None = classified(Tier.PUBLIC, "The number of the certificate.", "证书编号。")
    body: str | None = classified(Tier.PUBLIC, "The certification body.", "认证机构。")
    issued_on: dt.date | None = classified(Tier.PUBLIC, "The date of issue.", "发证日期。")
    valid_until: dt.date | None = classified(Tier.PUBLIC, "The last day of its validity.", "有效期截止日。")
    status: Code | None = classified(Tier.PUBLIC, "The state of the certificate.", "证书状态。")
    scope: str | None = classified(Tier.PUBLIC, "What the certificate covers.", "认证范围。")
