"""The errors of `schema`, each with a stable code."""

from __future__ import annotations

from typing import ClassVar


class SchemaError(Exception):
    """The root of this package's errors. `code` is stable and public."""

    code: ClassVar[str] = "SCHEMA_ERROR"


class CatalogueInvalidError(SchemaError):
    """A record type is declared wrongly. The message starts with its coordinate."""

    code: ClassVar[str] = "CATALOGUE_INVALID"


class CreditCodeError(SchemaError):
    """A text is not the credit code of a company in scope.

    `code` is what a caller sees; `mistake` is the finer word, stable too. Messages quote characters of the text: for a
    code out of an agency's data, log `mistake` instead.
    """

    code: ClassVar[str] = "CODE_INVALID"
    mistake: ClassVar[str]


class CodeLengthError(CreditCodeError):
    """Not 18 characters, and no other identifier that we know."""

    mistake: ClassVar[str] = "LENGTH"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"A credit code has 18 characters (spaces and hyphens apart); this text has {length}. Give all 18."
        )
        self.length = length


class CodeCharacterError(CreditCodeError):
    """A character that cannot stand where it stands. `position` counts from 1, without spaces and hyphens."""

    mistake: ClassVar[str] = "CHARACTER"

    def __init__(self, position: int, character: str, allowed: str) -> None:
        super().__init__(f"Character {position} of a credit code must be {allowed}, but is {character!r}.")
        self.position = position
        self.character = character


class CodeAuthorityError(CreditCodeError):
    """The first character names no registering authority."""

    mistake: ClassVar[str] = "AUTHORITY"

    def __init__(self, authority: str, assigned: str) -> None:
        super().__init__(
            f"Character 1 of a credit code names the registering authority: {assigned}. {authority!r} is not assigned."
        )
        self.authority = authority


class CodeCategoryError(CreditCodeError):
    """The second character names no entity category of the registering authority."""

    mistake: ClassVar[str] = "CATEGORY"

    def __init__(self, authority: str, category: str, assigned: str) -> None:
        super().__init__(
            f"Character 2 of a credit code names the entity category: {assigned} for registering authority {authority}."
            f" {category!r} is not assigned."
        )
        self.authority = authority
        self.category = category


class CodeOrganisationError(CreditCodeError):
    """The organisation code inside the credit code fails its own check (GB 11714)."""

    mistake: ClassVar[str] = "ORGANISATION_CODE"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            "Characters 9 to 17 of a credit code are the organisation code, whose check character (the 17th) must be"
            f" {expected!r} here, but is {found!r}. One of these characters is mistyped."
        )
        self.expected = expected
        self.found = found


class CodeCheckCharacterError(CreditCodeError):
    """The check character of the whole fails (GB 32100)."""

    mistake: ClassVar[str] = "CHECK_CHARACTER"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"The check character of a credit code (the 18th) must be {expected!r} here, but is {found!r}. One of the"
            " characters is mistyped."
        )
        self.expected = expected
        self.found = found


class CodeIsOrganisationCodeError(CreditCodeError):
    """The text is a 9-character organisation code."""

    mistake: ClassVar[str] = "IS_ORGANISATION_CODE"

    def __init__(self) -> None:
        super().__init__(
            "This is an organisation code (9 characters), not a credit code. Give the 18-character credit code, whose"
            " characters 9 to 17 it is."
        )


class CodeIsRegistrationNumberError(CreditCodeError):
    """The text is a 15-digit business registration number."""

    mistake: ClassVar[str] = "IS_REGISTRATION_NUMBER"

    def __init__(self) -> None:
        super().__init__(
            "This is a 15-digit business registration number, not a credit code, and no credit code can be derived from"
            " it. Give the 18-character credit code on the present licence."
        )


class CodeOutOfScopeError(CreditCodeError):
    """A sole trader: in effect a natural person."""

    code: ClassVar[str] = "CODE_OUT_OF_SCOPE"
    mistake: ClassVar[str] = "SOLE_TRADER"

    def __init__(self) -> None:
        super().__init__(
            "This is the credit code of a sole trader (category 92). Sole traders are out of scope: they are natural"
            " persons in effect."
        )


class LegacyIdError(SchemaError):
    """A text is no legacy identifier of the kind that it should be.

    `code` is what a caller sees; `mistake` is the finer word, stable too. No message quotes the text.
    """

    code: ClassVar[str] = "ID_INVALID"
    mistake: ClassVar[str]


class IdLengthError(LegacyIdError):
    """Too few or too many characters."""

    mistake: ClassVar[str] = "LENGTH"

    def __init__(self, length: int, found: int) -> None:
        super().__init__(
            f"An identifier of this kind has {length} characters (spaces and hyphens apart); this text has {found}."
        )


class IdCharacterError(LegacyIdError):
    """A character that cannot stand where it stands. `position` counts from 1, without spaces and hyphens."""

    mistake: ClassVar[str] = "CHARACTER"

    def __init__(self, position: int) -> None:
        super().__init__(f"Character {position} cannot stand there in an identifier of this kind.")
        self.position = position


class IdCheckCharacterError(LegacyIdError):
    """The check character fails."""

    mistake: ClassVar[str] = "CHECK_CHARACTER"

    def __init__(self) -> None:
        super().__init__("The last character, which checks the others, is wrong: one of the characters is mistyped.")


class IdIsCreditCodeError(LegacyIdError):
    """The text is a credit code, which since 2015 is the tax number too."""

    mistake: ClassVar[str] = "IS_CREDIT_CODE"

    def __init__(self) -> None:
        super().__init__(
            "This is a credit code, which has replaced identifiers of this kind: ask for the company by it."
        )


class SearchNameError(SchemaError):
    """A text is no name that can be searched for. No message quotes the text."""

    code: ClassVar[str] = "NAME_INVALID"


class NameLengthError(SearchNameError):
    """Too short to tell companies apart, or longer than any name."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"A name that is searched for has {least} to {most} characters, spaces apart.")


class NameCharacterError(SearchNameError):
    """A character that stands in no name, and that some system would take for any text."""

    def __init__(self) -> None:
        super().__init__("The name has a character that stands in no company's name, such as % or *: leave it out.")
