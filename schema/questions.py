"""Questions at the root of `Query` that have coordinates of their own in the policy, and what answers them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import strawberry
from strawberry.tools import create_type
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField

from schema.agency import RecordSource
from schema.answers import Answer
from schema.catalogue import QUERY, FieldSpec, RecordType, Tier
from schema.company_key import LegacyIdKind
from schema.declare import declared
from schema.tiers import Classified
from schema.values import Kind
from schema.wording import bilingual

VERIFICATION: Final = "Verification"
MATCH: Final = "EnterpriseMatch"
BY_LEGACY_ID: Final = "EnterpriseByLegacyId"
REGISTRATION: Final = "Registration"
"""The record type that verifications are made with."""


def _field(name: str, tier: Tier, english: str, chinese: str) -> FieldSpec:
    # A code, so that no mask is thought to make a lesser answer of it: it is clear or it is withheld.
    return FieldSpec(name, Kind.CODE, tier, english, chinese)


def _question(name: str, field: str, tier: Tier, texts: tuple[str, str], *fields: FieldSpec) -> RecordType:
    return RecordType(
        name=name,
        field=field,
        answer=name,
        single=True,
        tier=tier,
        fields={spec.name: spec for spec in fields},
        ordered_by=None,
        filters={},
        description=texts[0],
        description_zh=texts[1],
        parent=QUERY,
    )


QUESTIONS: Final[Mapping[str, RecordType]] = {
    question.name: question
    for question in (
        _question(
            BY_LEGACY_ID,
            "enterpriseByLegacyId",
            Tier.PUBLIC,
            (
                "Which company has an identifier of the time before credit codes; a field for each kind of identifier.",
                "依据旧有标识查找企业；每种标识对应一个字段。",
            ),
            _field("registrationNumber", Tier.PUBLIC, "By business registration number.", "依据工商注册号。"),
            _field("organisationCode", Tier.PUBLIC, "By organisation code.", "依据组织机构代码。"),
            _field("taxNumber", Tier.PUBLIC, "By tax registration number.", "依据税务登记号。"),
        ),
        _question(
            MATCH,
            "findEnterprises",
            Tier.PUBLIC,
            ("A company that an agency found by a part of its name.", "机构依据名称片段查得的企业。"),
            _field(
                "name",
                Tier.PUBLIC,
                "How near the registered name is to the one asked for.",
                "登记名称与所查名称的接近程度。",
            ),
            _field(
                "division",
                Tier.PUBLIC,
                "Whether the company is in the division asked for; null where none was.",
                "企业是否位于所查行政区划；未指定时为空。",
            ),
        ),
        _question(
            VERIFICATION,
            "verifyEnterprise",
            Tier.AUTHORISED,
            (
                "Whether what the caller says of a company is what its registration says. No value of it is shown.",
                "核验调用者所述与企业登记信息是否一致；不显示任何登记内容。",
            ),
            _field("name", Tier.AUTHORISED, "The name; null where none was given.", "企业名称；未提供时为空。"),
            _field(
                "legalRepresentative",
                Tier.AUTHORISED,
                "The name of the legal representative; null where none was given.",
                "法定代表人姓名；未提供时为空。",
            ),
        ),
    )
}
"""Every question, by the name of its coordinates."""


@strawberry.enum(
    description=bilingual("An identifier that the credit code replaced.", "被统一社会信用代码取代的旧有标识。"),
    name="LegacyIdKind",
)
class LegacyIdKinds(Enum):
    """The kinds of legacy identifiers; `schema.company_key.LegacyIdKind` in GraphQL."""

    REGISTRATION_NUMBER = strawberry.enum_value(
        LegacyIdKind.REGISTRATION_NUMBER.value,
        description=bilingual("The business registration number: 15 digits.", "工商注册号，15 位数字。"),
    )
    ORGANISATION_CODE = strawberry.enum_value(
        LegacyIdKind.ORGANISATION_CODE.value,
        description=bilingual("The organisation code (GB 11714): 9 characters.", "组织机构代码（GB 11714），9 位。"),
    )
    TAX_NUMBER = strawberry.enum_value(
        LegacyIdKind.TAX_NUMBER.value,
        description=bilingual(
            "The tax registration number of before 2015: 15 characters. Since then it is the credit code.",
            "2015 年以前的税务登记号，15 位；其后即为统一社会信用代码。",
        ),
    )


@strawberry.enum(description=bilingual("How near a match is.", "匹配程度。"))
class MatchGrade(Enum):
    """How near a match is, the nearest first."""

    EXACT = strawberry.enum_value("EXACT", description=bilingual("The same, character by character.", "逐字相同。"))
    NORMALISED = strawberry.enum_value(
        "NORMALISED",
        description=bilingual(
            "The same but for full or half width, the form of brackets and dots, spaces, and capitals.",
            "除全半角、括号及间隔号形式、空格和大小写外相同。",
        ),
    )
    PREFIX = strawberry.enum_value(
        "PREFIX", description=bilingual("What was asked for is its beginning.", "以所查内容开头。")
    )
    PARTIAL = strawberry.enum_value("PARTIAL", description=bilingual("What was asked for is in it.", "包含所查内容。"))
    OTHER = strawberry.enum_value(
        "OTHER",
        description=bilingual(
            "None of these: the agency found the company by something else, a former name perhaps.",
            "以上均不符：机构依据其他信息（如曾用名）查得。",
        ),
    )


@strawberry.enum(description=bilingual("What a verification comes to.", "核验结果。"))
class VerificationResult(Enum):
    """What the verification of one element comes to."""

    MATCH = strawberry.enum_value(
        "MATCH",
        description=bilingual(
            "The registration says the same. Full or half width, the form of brackets and dots, spaces, and capitals"
            " make no difference.",
            "与登记信息一致（不计全半角、括号及间隔号形式、空格和大小写）。",
        ),
    )
    MISMATCH = strawberry.enum_value(
        "MISMATCH", description=bilingual("The registration says something else.", "与登记信息不一致。")
    )
    UNKNOWN = strawberry.enum_value(
        "UNKNOWN",
        description=bilingual(
            "Nobody could say: see status, sources and access for the reason.",
            "无法核验；原因见 status、sources 和 access。",
        ),
    )


@strawberry.type(
    description=bilingual(QUESTIONS[VERIFICATION].description, QUESTIONS[VERIFICATION].description_zh),
    directives=[Classified(tier=Tier.AUTHORISED)],
)
class Verification(Answer):
    """The verification of one company's code, name and legal representative."""

    credit_code: VerificationResult = strawberry.field(
        description=bilingual("Whether a company with this code is registered.", "是否存在以该代码登记的企业。")
    )
    name: VerificationResult | None = strawberry.field(
        description=bilingual("The name; null where none was given.", "企业名称；未提供时为空。"),
        directives=[Classified(tier=Tier.AUTHORISED)],
    )
    legal_representative: VerificationResult | None = strawberry.field(
        description=bilingual(
            "The name of the legal representative; null where none was given.", "法定代表人姓名；未提供时为空。"
        ),
        directives=[Classified(tier=Tier.AUTHORISED)],
    )


def match_type(enterprise: type) -> type:
    """`EnterpriseMatch` over enterprises of this type."""
    match = QUESTIONS[MATCH]

    def grade(name: str) -> StrawberryField:
        spec = match.fields[name]
        description = bilingual(spec.description, spec.description_zh)
        return declared(name, StrawberryOptional(MatchGrade), description, tier=spec.tier)

    return create_type(
        MATCH,
        [
            declared("enterprise", enterprise, bilingual("The company.", "该企业。")),
            grade("name"),
            grade("division"),
            declared("source", RecordSource, bilingual("The agency that found it.", "查得该企业的机构。")),
        ],
        description=bilingual(match.description, match.description_zh),
        directives=[Classified(tier=match.tier)],
    )
