"""By what else than credit codes companies are asked for."""

from __future__ import annotations

import pytest
from stdnum.iso7064 import mod_11_10

from schema.company_key import LegacyId, LegacyIdKind, SearchName, comparable_name
from schema.errors import LegacyIdError, SearchNameError

REGISTRATION_NUMBER = f"33010000000001{mod_11_10.calc_check_digit('33010000000001')}"


@pytest.mark.parametrize(
    ("kind", "text", "read"),
    [
        (LegacyIdKind.REGISTRATION_NUMBER, REGISTRATION_NUMBER, REGISTRATION_NUMBER),
        (
            LegacyIdKind.REGISTRATION_NUMBER,
            f" {REGISTRATION_NUMBER[:6]} {REGISTRATION_NUMBER[6:]}",
            REGISTRATION_NUMBER,
        ),
        (LegacyIdKind.ORGANISATION_CODE, "ma000001-5", "MA0000015"),
        (LegacyIdKind.TAX_NUMBER, "３３０１０６ｍａ000001X", "330106MA000001X"),
    ],
)
def test_an_identifier_is_read_in_any_spelling(kind: LegacyIdKind, text: str, read: str) -> None:
    assert LegacyId.parse(kind, text) == read


@pytest.mark.parametrize(
    ("kind", "text", "mistake"),
    [
        (LegacyIdKind.REGISTRATION_NUMBER, REGISTRATION_NUMBER[:-1], "LENGTH"),
        (LegacyIdKind.REGISTRATION_NUMBER, "1" * 65, "LENGTH"),
        (LegacyIdKind.REGISTRATION_NUMBER, "A" + REGISTRATION_NUMBER[1:], "CHARACTER"),
        (
            LegacyIdKind.REGISTRATION_NUMBER,
            REGISTRATION_NUMBER[:-1] + str((int(REGISTRATION_NUMBER[-1]) + 1) % 10),
            "CHECK_CHARACTER",
        ),
        (LegacyIdKind.ORGANISATION_CODE, "MA0000010", "CHECK_CHARACTER"),
        (LegacyIdKind.TAX_NUMBER, "33010AMA0000018", "CHARACTER"),
        (LegacyIdKind.TAX_NUMBER, "91330100TEXT00025M", "IS_CREDIT_CODE"),
    ],
)
def test_what_is_no_identifier_of_the_kind_is_refused_by_its_mistake_and_never_quoted(
    kind: LegacyIdKind, text: str, mistake: str
) -> None:
    with pytest.raises(LegacyIdError) as refused:
        LegacyId.parse(kind, text)
    assert (refused.value.code, refused.value.mistake) == ("ID_INVALID", mistake)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("杭州若木（集团）有限公司", "杭州若木(集团)有限公司"),
        ("杭州若木〔集团〕有限公司", " 杭州若木 (集团)有限公司 "),
        ("ＡＢＣ有限公司", "abc有限公司"),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
    ],
)
def test_names_are_compared_whatever_the_width_brackets_dots_spaces_and_case(one: str, other: str) -> None:
    assert comparable_name(one) == comparable_name(other)


def test_different_names_stay_different() -> None:
    assert comparable_name("杭州若木有限公司") != comparable_name("杭州若水有限公司")
    assert comparable_name("若木(集团)") != comparable_name("若木集团")


@pytest.mark.parametrize("text", ["", " 木 ", "%%%", "若木_", "若＊木", "若\x00木", "若" * 201])
def test_what_no_name_holds_is_not_searched_for(text: str) -> None:
    with pytest.raises(SearchNameError) as refused:
        SearchName.parse(text)
    assert refused.value.code == "NAME_INVALID"


def test_a_name_is_searched_for_as_it_was_written() -> None:
    assert SearchName.parse(" 若木（集团） ") == "若木（集团）"
