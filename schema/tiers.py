"""How record types are written: each with its tier, each field with its tier, its default mask and two languages.

What is written here is the one source of both the SDL (descriptions and the directive `@classified`) and the catalogue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import strawberry
from strawberry.schema_directive import Location
from strawberry.types.lazy_type import LazyType

from schema.catalogue import Tier
from schema.wording import bilingual

CLASSIFICATION: Final = "classification"
"""The key of a field's metadata under which its `Classification` stands."""

_ENTERPRISE: Final = LazyType("Enterprise", "schema.query") | None
"""By name: `schema.query` imports the record types."""

strawberry.enum(
    Tier,
    description=bilingual(
        "How closely a field is kept. PUBLIC: published by law. AUTHORISED: needs a purpose and a legal basis."
        " RESTRICTED: for few, and masked for most. SEALED: only for a rule that names the field.",
        "字段的保密等级。PUBLIC：依法公示；AUTHORISED：须有用途和法定依据；RESTRICTED：仅限少数，多为脱敏；"
        "SEALED：仅在规则点名该字段时可见。",
    ),
)


@strawberry.schema_directive(
    locations=[Location.OBJECT, Location.FIELD_DEFINITION],
    name="classified",
    description=bilingual(
        "The tier of a field, or of the rows of a record type, and the mask that a field has unless a rule names it.",
        "字段（或记录类型的行）的保密等级，以及在没有规则点名该字段时所用的默认脱敏方式。",
    ),
)
class Classified:
    """The directive by which the SDL shows a tier and a default mask."""

    tier: Tier
    mask: str | None = strawberry.UNSET


@dataclasses.dataclass(frozen=True, slots=True)
class Classification:
    """What a field is declared with. `link`: a credit code that the schema shows as an `Enterprise`."""

    tier: Tier
    english: str
    chinese: str
    mask: str | None
    link: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """What a record type is declared with, beside its docstring; see `schema.catalogue.RecordType`."""

    field: str
    tier: Tier
    chinese: str
    single: bool = False
    ordered_by: str | None = None
    filters: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)


class Record:
    """The base of every record type. What a subclass is, `record` sets: its docstring is the English description."""

    declaration: ClassVar[Declaration]
    english: ClassVar[str]


RecordClass = TypeVar("RecordClass", bound=type[Record])


def record(declaration: Declaration) -> Callable[[RecordClass], RecordClass]:
    """Makes a class a record type: an object type of the schema and an entry of the catalogue."""

    def declare(cls: RecordClass) -> RecordClass:
        cls.declaration = declaration
        cls.english = cls.__doc__ or ""
        return strawberry.type(
            cls,
            description=bilingual(cls.english, declaration.chinese),
            directives=[Classified(tier=declaration.tier)],
        )

    return declare


# What they give is typed Any, as `strawberry.field` is: it is assigned to attributes annotated with the GraphQL type.


def classified(  # what a field is declared with
    tier: Tier,
    english: str,
    chinese: str,
    *,
    mask: str | None = None,
    name: str | None = None,
) -> Any:  # noqa: ANN401
    """A field of a record type, with its tier, what it means in both languages, its default mask, and its name in the
    schema, where that is not the attribute's.
    """
    return _field(Classification(tier, english, chinese, mask), name=name)


def linked(tier: Tier, english: str, chinese: str, *, name: str | None = None) -> Any:  # noqa: ANN401
    """A field that holds another company's credit code, and that the schema shows as that `Enterprise`."""
    return _field(Classification(tier, english, chinese, mask=None, link=True), _ENTERPRISE, name)


def _field(classification: Classification, graphql_type: object = None, name: str | None = None) -> Any:  # noqa: ANN401
    return strawberry.field(
        name=name,
        description=bilingual(classification.english, classification.chinese),
        directives=[Classified(tier=classification.tier, mask=classification.mask or strawberry.UNSET)],
        metadata={CLASSIFICATION: classification},
        graphql_type=graphql_type,
    )
