from __future__ import annotations

import contextlib
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc

from schema.credit_code import CATEGORIES, MAX_TEXT, CreditCode, CreditCodeError, normalise
from schema.errors import (
    CodeAuthorityError,
    CodeCategoryError,
    CodeCharacterError,
    CodeCheckCharacterError,
    CodeIsOrganisationCodeError,
    CodeIsRegistrationNumberError,
    CodeLengthError,
    CodeOrganisationError,
    CodeOutOfScopeError,
)
from schema.legacy_id import organisation_check_character

LAWFUL = "91110000600037341L"
PILOT = "91350100M0001TGQXM"
"""Lawful, although its check character should be 1."""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
KINDS = [authority + category for authority, categories in CATEGORIES.items() for category in categories]


def code_text(kind: str, division: str, body: str) -> str:
    """A credit code with right check characters: authority and category, division, organisation code without check."""
    unchecked = kind + division + body + organisation_check_character(body)
    return unchecked + str(uscc.calc_check_digit(unchecked))


lawful_codes = st.builds(
    code_text,
    st.sampled_from([kind for kind in KINDS if kind != "92"]),
    st.text("0123456789", min_size=6, max_size=6),
    st.text(ALPHABET, min_size=8, max_size=8),
)


def test_the_parts_of_a_code_can_be_read_off() -> None:
    code = CreditCode.parse(LAWFUL)
    assert (code.authority, code.category, code.division, code.organisation_code) == ("9", "1", "110000", "600037341")
    assert code.check_digit_valid
    assert str(code) == code == LAWFUL


def test_codes_are_values() -> None:
    assert CreditCode.parse(LAWFUL) == CreditCode.parse(LAWFUL.lower())
    assert {CreditCode.parse(LAWFUL): 1}[CreditCode.parse(LAWFUL)] == 1
    assert pickle.loads(pickle.dumps(CreditCode.parse(LAWFUL))) == CreditCode.parse(LAWFUL)  # noqa: S301 - our own bytes


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=8, max_size=8))
def test_an_organisation_codes_check_character_is_the_standards(body: str) -> None:
    # GB 11714-1997, 5: the sum of values and weights, and the check, as the standard writes them.
    total = sum(int(character, 36) * weight for character, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    check = 11 - total % 11
    assert organisation_check_character(body) == {10: "X", 11: "0"}.get(check, str(check))


@pytest.mark.parametrize(
    "written",
    [
        "91110000600037341l",
        " 9111 0000 6000 3734 1L ",
        "911100-00-600037341-L",
        "９１１１００００６０００３７３４１Ｌ",
        "91110000\u3000600037341－ｌ",
    ],
)
def test_full_width_lower_case_spaces_and_hyphens_are_normalised(written: str) -> None:
    assert CreditCode.parse(written) == LAWFUL


@pytest.mark.parametrize("stranger", ["\t", "\n", "\u00a0", "\u200b", "–", "_", "."])
def test_nothing_else_is_normalised(stranger: str) -> None:
    with pytest.raises(CreditCodeError):
        CreditCode.parse(LAWFUL + stranger)


def test_letters_that_only_look_like_latin_ones_stay_what_they_are() -> None:
    assert normalise("ıſß\u0391") == "ıſß\u0391"


@pytest.mark.parametrize("text", ["", "9", LAWFUL[:-1], LAWFUL + "0", "9" * MAX_TEXT])
def test_a_wrong_length_is_told_as_it_was_counted(text: str) -> None:
    with pytest.raises(CodeLengthError) as caught:
        CreditCode.parse(text)
    assert str(caught.value) == (
        f"A credit code has 18 characters (spaces and hyphens apart); this text has {len(text)}. Give all 18."
    )


def test_a_text_of_more_than_64_characters_is_refused_unread() -> None:
    with pytest.raises(CodeLengthError):
        CreditCode.parse(LAWFUL + " " * 47)
    assert CreditCode.parse(LAWFUL + " " * 46) == LAWFUL


@pytest.mark.parametrize("letter", list("IOSVZ"))
def test_a_letter_that_codes_do_not_use_is_named_with_its_position(letter: str) -> None:
    with pytest.raises(CodeCharacterError) as caught:
        CreditCode.parse(LAWFUL[:12] + letter + LAWFUL[13:])
    assert (caught.value.position, caught.value.character) == (13, letter)
    assert str(caught.value) == (
        "Character 13 of a credit code must be a digit or a capital letter other than I, O, S, V and Z,"
        f" but is {letter!r}."
    )


def test_a_letter_in_the_division_is_named_with_its_position_without_separators() -> None:
    with pytest.raises(CodeCharacterError, match=r"Character 4 of a credit code must be a digit, but is 'A'\."):
        CreditCode.parse("91-1A" + LAWFUL[4:])


def test_a_digit_of_another_script_is_a_wrong_character() -> None:
    with pytest.raises(CodeCharacterError) as caught:
        CreditCode.parse(LAWFUL.replace("6", "٦"))
    assert caught.value.position == 9


def test_a_character_that_cannot_be_printed_is_escaped_in_the_message() -> None:
    with pytest.raises(CodeCharacterError, match=r"but is '\\u202e'"):
        CreditCode.parse(LAWFUL[:17] + "\u202e")


def test_a_wrong_check_character_names_both_characters() -> None:
    with pytest.raises(CodeCheckCharacterError) as caught:
        CreditCode.parse(LAWFUL[:17] + "K")
    assert (caught.value.expected, caught.value.found) == ("L", "K")
    assert str(caught.value) == (
        "The check character of a credit code (the 18th) must be 'L' here, but is 'K'."
        " One of the characters is mistyped."
    )


def test_an_unassigned_registering_authority_is_named() -> None:
    with pytest.raises(CodeAuthorityError, match=r"1, 2, 3, 4, 5, 6, 7, 8, 9, A, N, Y\. 'B' is not assigned\."):
        CreditCode.parse(code_text("B1", "110000", "60003734"))


@pytest.mark.parametrize("kind", ["94", "14", "Y2", "A2", "63", "AA"])
def test_an_entity_category_that_the_authority_does_not_assign_is_named(kind: str) -> None:
    with pytest.raises(CodeCategoryError) as caught:
        CreditCode.parse(code_text(kind, "110000", "60003734"))
    assert str(caught.value) == (
        f"Character 2 of a credit code names the entity category: {', '.join(CATEGORIES[kind[0]])} for registering"
        f" authority {kind[0]}. {kind[1]!r} is not assigned."
    )


def test_a_wrong_check_of_the_organisation_code_names_both_characters() -> None:
    unchecked = LAWFUL[:16] + "2"
    with pytest.raises(CodeOrganisationError) as caught:
        CreditCode.parse(unchecked + str(uscc.calc_check_digit(unchecked)))
    assert (caught.value.expected, caught.value.found) == ("1", "2")
    assert "the 17th" in str(caught.value)


@pytest.mark.parametrize("text", ["600037341", "60003734-1", "ma1g4l1w0", "M0001TGQX"])
def test_an_organisation_code_is_recognised(text: str) -> None:
    with pytest.raises(CodeIsOrganisationCodeError, match=r"^This is an organisation code \(9 characters\)"):
        CreditCode.parse(text)


def test_nine_characters_that_are_no_organisation_code_are_a_wrong_length() -> None:
    with pytest.raises(CodeLengthError):
        CreditCode.parse("600037342")


@pytest.mark.parametrize("text", ["110108000000016", "１１０１０８０００００００１６"])
def test_a_business_registration_number_is_recognised(text: str) -> None:
    with pytest.raises(CodeIsRegistrationNumberError, match=r"^This is a 15-digit business registration number"):
        CreditCode.parse(text)


@pytest.mark.parametrize("text", ["110108000000017", "11010800000001٦"])
def test_fifteen_characters_that_are_no_registration_number_are_a_wrong_length(text: str) -> None:
    with pytest.raises(CodeLengthError):
        CreditCode.parse(text)


def test_sole_traders_are_out_of_scope() -> None:
    with pytest.raises(CodeOutOfScopeError, match="Sole traders are out of scope") as caught:
        CreditCode.parse("92141127MA0KD1Y64A")
    assert caught.value.code == "CODE_OUT_OF_SCOPE"


def test_a_mistyped_code_of_a_sole_trader_is_called_mistyped() -> None:
    with pytest.raises(CodeCheckCharacterError):
        CreditCode.parse("92141127MA0KD1Y64B")


@pytest.mark.parametrize("text", [PILOT, "91350211M0000XUF46", "91350203M0001FUE2P", "91350203M0001QKT19"])
def test_pilot_codes_with_another_check_character_are_flagged_and_kept(text: str) -> None:
    code = CreditCode.parse(text)
    assert code == text
    assert not code.check_digit_valid


def test_a_pilot_code_whose_organisation_code_is_mistyped_is_refused() -> None:
    with pytest.raises(CodeOrganisationError):
        CreditCode.parse(PILOT.replace("TG", "GT"))


@pytest.mark.parametrize("letter", ["A", "N", "Y"])
def test_authorities_that_are_letters_are_lawful(letter: str) -> None:
    assert CreditCode.parse(code_text(f"{letter}1", "110000", "60003734")).authority == letter


@pytest.mark.parametrize(
    ("division", "known"), [("330106", True), ("100000", True), ("110103", True), ("330191", False), ("990000", False)]
)
def test_an_unknown_division_is_flagged_and_never_refused(division: str, *, known: bool) -> None:
    assert CreditCode.parse(code_text("91", division, "60003734")).division_known is known


def test_every_mistake_has_a_word_of_its_own_and_one_of_two_public_codes() -> None:
    kinds = CreditCodeError.__subclasses__()
    assert len({kind.mistake for kind in kinds}) == len(kinds) == 9
    assert {kind.code for kind in kinds if kind is not CodeOutOfScopeError} == {"CODE_INVALID"}


@given(lawful_codes)
def test_every_lawful_code_is_read_as_it_is_written(text: str) -> None:
    code = CreditCode.parse(text)
    assert code == text
    assert code.check_digit_valid


@given(lawful_codes, st.integers(0, 17), st.sampled_from(ALPHABET + "IOSVZ"))
def test_one_wrong_character_is_refused_or_flagged(text: str, position: int, character: str) -> None:
    corrupt = text[:position] + character + text[position + 1 :]
    assume(corrupt != text)
    with contextlib.suppress(CreditCodeError):
        assert not CreditCode.parse(corrupt).check_digit_valid


@given(st.text(max_size=80))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.one_of(st.text(), st.text(ALPHABET + "- ａＺ０", min_size=8, max_size=20)))
def test_any_text_gives_a_code_or_a_mistake(text: str) -> None:
    with contextlib.suppress(CreditCodeError):
        assert len(CreditCode.parse(text)) == 18
