from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from policies.errors import PublicityInvalid
from policies.load import read_directory
from policies.publicity import Publicity, Standing, load_publicity
from schema.catalogue import FieldSpec, RecordType, Tier
from schema.values import Code, Kind, Value

RULES = load_publicity(read_directory(Path(policies.__file__).parent))
PUBLISHED, OVER, UNREADABLE = Standing.PUBLISHED, Standing.OVER, Standing.UNREADABLE
TODAY = date(2026, 11, 24)


def record(name: str, *fields: str) -> RecordType:
    specs = {field: FieldSpec(field, Kind.DATE, Tier.PUBLIC, field, field) for field in fields}
    return RecordType(
        name,
        name.lower(),
        f"{name}Answer",
        single=False,
        tier=Tier.PUBLIC,
        fields=specs,
        ordered_by=None,
        filters={},
        description=name,
        description_zh=name,
    )


WINDOW = ("publishedFrom", "publishedUntil")
PENALTY = record("Penalty", "decidedOn", "severity", "repairedOn", "facts", *WINDOW)
LISTING = record("AbnormalListing", "listedOn", "removedOn", *WINDOW)
HONOUR = record("Honour", "title", *WINDOW)


def test_control_columns_are_the_fields_that_decide() -> None:
    assert RULES.control_columns(PENALTY) == {"decidedOn", "severity", "repairedOn", *WINDOW}
    assert RULES.control_columns(LISTING) == {"removedOn", *WINDOW}
    assert RULES.control_columns(HONOUR) == set(WINDOW)


@pytest.mark.parametrize(
    ("today", "severity", "decided", "standing"),
    [
        # Under the rules before 2026-04-01.
        (date(2026, 3, 31), "minor", date(2025, 12, 31), PUBLISHED),
        (date(2026, 3, 31), "minor", date(2025, 12, 30), OVER),
        (date(2026, 3, 31), "general", date(2023, 3, 31), PUBLISHED),
        (date(2026, 3, 31), "general", date(2023, 3, 30), OVER),
        (date(2026, 3, 31), "serious", date(2023, 3, 31), PUBLISHED),
        # From that day on a general case is public for a year at most, whenever it was decided.
        (date(2026, 4, 1), "general", date(2025, 3, 31), OVER),
        (date(2026, 4, 1), "general", date(2025, 4, 1), PUBLISHED),
        (date(2026, 4, 1), "serious", date(2023, 4, 1), PUBLISHED),
        (date(2026, 4, 1), "serious", date(2023, 3, 31), OVER),
        (date(2026, 4, 1), "minor", date(2026, 1, 1), PUBLISHED),
        (date(2026, 4, 2), "minor", date(2026, 1, 1), OVER),
        # A month too short ends the period on its last day.
        (date(2027, 2, 28), "minor", date(2026, 11, 30), PUBLISHED),
        (date(2027, 3, 1), "minor", date(2026, 11, 30), OVER),
    ],
)
def test_the_rules_in_force_today_end_a_penaltys_publicity(
    today: date, severity: str, decided: date, standing: Standing
) -> None:
    assert RULES.standing(PENALTY, {"decidedOn": decided, "severity": Code(severity)}, today) is standing


@pytest.mark.parametrize("row", [{}, {"severity": None}, {"severity": Code("X9")}])
def test_an_unknown_severity_counts_as_the_one_that_is_public_longest(row: dict[str, Value]) -> None:
    assert RULES.standing(PENALTY, {"decidedOn": date(2023, 11, 24), **row}, TODAY) is PUBLISHED
    assert RULES.standing(PENALTY, {"decidedOn": date(2023, 11, 23), **row}, TODAY) is OVER


@pytest.mark.parametrize("row", [{}, {"decidedOn": None, "publishedUntil": None}, {"severity": Code("minor")}])
def test_a_penalty_of_which_nobody_can_tell_how_long_it_is_public_is_unreadable(row: dict[str, Value]) -> None:
    assert RULES.standing(PENALTY, row, TODAY) is UNREADABLE


def test_the_agencys_own_last_day_ends_publicity_too() -> None:
    assert RULES.standing(PENALTY, {"publishedUntil": TODAY}, TODAY) is PUBLISHED
    assert RULES.standing(PENALTY, {"publishedUntil": date(2026, 11, 23)}, TODAY) is OVER
    assert RULES.standing(HONOUR, {"publishedUntil": date(2026, 11, 23)}, TODAY) is OVER


def test_the_nations_longest_period_ends_what_an_agency_would_show_longer() -> None:
    row = {"publishedUntil": date(2030, 1, 1), "decidedOn": date(2020, 1, 1), "severity": Code("serious")}
    assert RULES.standing(PENALTY, row, TODAY) is OVER


def test_a_record_is_not_shown_before_its_publicity_begins() -> None:
    assert RULES.standing(HONOUR, {"publishedFrom": date(2026, 11, 25)}, TODAY) is Standing.NOT_YET
    assert RULES.standing(HONOUR, {"publishedFrom": TODAY}, TODAY) is PUBLISHED


@pytest.mark.parametrize(("kind", "field"), [(PENALTY, "repairedOn"), (LISTING, "removedOn")])
def test_a_repaired_or_removed_record_is_over_from_that_day(kind: RecordType, field: str) -> None:
    row = {"decidedOn": date(2026, 10, 1), field: TODAY}
    assert RULES.standing(kind, row, TODAY) is OVER
    assert RULES.standing(kind, row, date(2026, 11, 23)) is PUBLISHED


@pytest.mark.parametrize("row", [{}, {"publishedUntil": None, "removedOn": None}])
def test_a_record_whose_type_has_no_period_is_public_until_an_agency_ends_it(row: dict[str, Value]) -> None:
    assert RULES.standing(LISTING, row, TODAY) is PUBLISHED


def test_a_day_before_every_regime_falls_under_the_first() -> None:
    assert RULES.regime(date.min) is RULES.regimes[0]


@given(
    row=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (*PENALTY.fields, "other"), st.none() | st.dates() | st.text() | st.builds(Code, st.text())
        ),
    ),
    today=st.dates(),
)
def test_every_row_has_a_standing_and_what_is_over_stays_over(row: dict[str, Value], today: date) -> None:
    if RULES.standing(PENALTY, row, today) is OVER and "publishedFrom" not in row:
        assert RULES.standing(PENALTY, row, date.max) is OVER


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("from: soon", "soon"),
        ("ended_by:", "ended_by"),
        ("periods: [{record: Penalty}]", "months"),
        ("periods: [{record: Penalty, counted_from: x, by: y, months: {minor: [3, 1]}}]", "BAD_PERIOD"),
        ("periods: [{record: Penalty, counted_from: x, by: y, months: {minor: [3]}}]", "expected 2"),
        ("periods: [", "NOT_YAML"),
    ],
)
def test_rules_that_cannot_be_read_are_refused_by_file(change: str, message: str) -> None:
    lines = {"from": "2026-04-01", "source": "x", "ended_by": "[repairedOn]", "periods": "[]"}
    key, _, value = change.partition(": ")
    content = "".join(f"{name}: {text}\n" for name, text in (lines | {key.rstrip(":"): value}).items())
    with pytest.raises(PublicityInvalid, match=message) as caught:
        load_publicity({"publicity/2026-04-01.yaml": content.encode()})
    assert "2026-04-01.yaml" in str(caught.value)


def test_no_rules_at_all_are_refused() -> None:
    with pytest.raises(PublicityInvalid, match="no publicity rules"):
        load_publicity({})


def test_the_rules_name_their_source() -> None:
    assert isinstance(RULES, Publicity)
    assert [regime.starts for regime in RULES.regimes] == [date(1900, 1, 1), date(2026, 4, 1)]
    assert all("NDRC" in regime.source for regime in RULES.regimes)
