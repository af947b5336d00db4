from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from policies.errors import PublicityInvalid
from policies.load import read_directory
from policies.publicity import Period, Publicity, Regime, Standing, load_publicity, publicity_widens
from schema.catalogue import FieldSpec, RecordType, Tier
from schema.records import catalogue
from schema.values import Code, Kind, Value

CATALOGUE = catalogue()
RULES = load_publicity(read_directory(Path(policies.__file__).parent), CATALOGUE)
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


@given(
    row=st.fixed_dictionaries(
        {}, optional={**dict.fromkeys((*PENALTY.fields, "other"), st.none() | st.dates()), "severity": st.builds(Code)}
    ),
    unreadable=st.frozensets(st.sampled_from([*PENALTY.fields])),
    today=st.dates(),
)
def test_naming_the_columns_that_a_supplier_has_changes_no_standing(
    row: dict[str, Value], unreadable: frozenset[str], today: date
) -> None:
    judge = RULES.judge(PENALTY, today, row.keys())
    assert judge(row, unreadable) is RULES.standing(PENALTY, row, today, unreadable)


@given(
    months=st.sampled_from([0, 1, 3, 11, 12, 36, 120_000]),
    today=st.dates() | st.dates(date(2023, 1, 28), date(2024, 4, 1)),
    data=st.data(),
)
def test_the_first_day_that_is_counted_from_parts_what_is_public_from_what_is_over(
    months: int, today: date, data: st.DataObject
) -> None:
    period = Period("decidedOn", "severity", {"minor": (0, months)})
    first = period.first_day(today, "minor")
    near = st.integers(-40, 40).map(lambda days: date.fromordinal(min(max(first.toordinal() + days, 1), 3_652_059)))
    start = data.draw(near | st.dates())
    assert (start < first) is (period.last_day(start, "minor") < today)


PERIOD = {"record": "Penalty", "counted_from": "decidedOn", "by": "severity", "months": "{minor: [1, 3]}"}

AGAIN = "{record: Penalty, counted_from: decidedOn, by: severity, months: {minor: [0, 1]}}"


def written(**changes: str | None) -> bytes:
    """Publicity rules in YAML, begun on line 1, with one period on lines 5 to 8; None takes a line away."""
    top = {"from": "2026-04-01", "source": "x", "ended_by": "[repairedOn]"}
    lines = [f"{key}: {value}" for key, value in (top | changes).items() if key not in PERIOD and value is not None]
    entries = {key: changes.get(key, value) for key, value in PERIOD.items()}
    period = [f"{key}: {value}" for key, value in entries.items() if value is not None]
    periods = [] if "periods" in changes else ["periods:", "  - " + "\n    ".join(period)]
    return "\n".join([*lines, *periods, ""]).encode()


@pytest.mark.parametrize(
    ("changes", "line", "code", "hint"),
    [
        ({"from": "soon"}, 1, "BAD_DATE", "2026-04-01"),
        ({"from": None}, 1, "MISSING_KEY", ""),
        ({"ended_by": ""}, 3, "NOT_A_NAME", ""),
        ({"ended_by": "[repairedOn, repiaredOn]"}, 3, "UNKNOWN_FIELD", "`repairedOn`"),
        ({"ended_by": "amount"}, 3, "NOT_A_DATE", ""),
        ({"endedBy": "x"}, 4, "UNKNOWN_KEY", "`ended_by`"),
        ({"periods": "[{record: Penalty}]"}, 4, "MISSING_KEY", ""),
        ({"periods": "["}, 5, "NOT_YAML", ""),
        ({"record": "Penaltie"}, 5, "UNKNOWN_TYPE", "`Penalty`"),
        ({"record": ""}, 5, "NOT_A_TEXT", ""),
        ({"counted_from": "decideOn"}, 6, "UNKNOWN_FIELD", "`decidedOn`"),
        ({"counted_from": "facts"}, 6, "NOT_A_DATE", ""),
        ({"by": "severety"}, 7, "UNKNOWN_FIELD", "`severity`"),
        ({"by": "decidedOn"}, 7, "NOT_A_CODE", ""),
        ({"months": "{}"}, 8, "EMPTY", ""),
        ({"months": "{minor: [3, 1]}"}, 8, "BAD_PERIOD", ""),
        ({"months": "{minor: [3]}"}, 8, "BAD_PERIOD", "[3, 12]"),
        ({"months": "{minor: [a, b]}"}, 8, "BAD_PERIOD", ""),
        ({"months": "{minor: [-1, 3]}"}, 8, "BAD_PERIOD", ""),
        ({"months": f"{{minor: [0, 3]}}\n  - {AGAIN}"}, 9, "DUPLICATE_PERIOD", "remove"),
    ],
)
def test_a_mistake_is_refused_by_file_and_line_with_the_likely_name(
    changes: dict[str, str | None], line: int, code: str, hint: str
) -> None:
    with pytest.raises(PublicityInvalid) as caught:
        load_publicity({"publicity/2026-04-01.yaml": written(**changes)}, CATALOGUE)
    (found,) = caught.value.findings
    assert (found.file, found.line, found.code) == ("publicity/2026-04-01.yaml", line, code)
    assert hint in (found.hint or "")


def test_mistakes_of_all_files_are_told_at_once() -> None:
    files = {"publicity/a.yaml": b"\xff", "publicity/b.yaml": b"\xef\xbb\xbf" + written(record="Penaltie")}
    with pytest.raises(PublicityInvalid) as caught:
        load_publicity(files, CATALOGUE)
    assert [(found.file, found.code) for found in caught.value.findings] == [
        ("publicity/a.yaml", "UNREADABLE"),
        ("publicity/b.yaml", "BYTE_ORDER_MARK"),
        ("publicity/b.yaml", "UNKNOWN_TYPE"),
    ]


def test_two_files_for_one_day_are_refused() -> None:
    with pytest.raises(PublicityInvalid, match="DUPLICATE_DAY"):
        load_publicity({"publicity/a.yaml": written(), "publicity/b.yaml": written()}, CATALOGUE)


def test_no_rules_at_all_are_refused() -> None:
    with pytest.raises(PublicityInvalid, match="no publicity rules"):
        load_publicity({}, CATALOGUE)


CELLS = {"registry": {"Registration"}, "court": {"AbnormalListing", "Penalty.facts"}, "zhejiang": {"Penalty"}}


def rules(starts: date = date(2026, 4, 1), *ended_by: str, by: str = "severity", **months: int) -> Publicity:
    """One regime, with one period, of penalties, unless no months are given."""
    period = Period("decidedOn", by, {code: (0, most) for code, most in months.items()})
    return Publicity((Regime(starts, "x", ended_by, {"Penalty": period} if months else {}),))


BEGUN = date(2026, 4, 1)
LATER = date(2027, 1, 1)


@pytest.mark.parametrize(
    ("before", "after", "agencies"),
    [
        (rules(BEGUN, minor=3), rules(BEGUN, minor=3), set()),
        (rules(BEGUN, minor=3), rules(BEGUN, minor=2), set()),
        (rules(BEGUN, minor=3), rules(BEGUN, minor=4), {"zhejiang"}),
        (rules(BEGUN, minor=3), rules(BEGUN), {"zhejiang"}),
        (rules(BEGUN), rules(BEGUN, minor=3), set()),
        (rules(BEGUN, minor=3, serious=36), rules(BEGUN, serious=36), {"zhejiang"}),
        (rules(BEGUN, minor=3), rules(BEGUN, minor=3, serious=36), {"zhejiang"}),
        (rules(BEGUN, minor=3), rules(BEGUN, by="kind", minor=3), set()),
        (rules(BEGUN, minor=3, serious=36), rules(BEGUN, by="kind", minor=3, serious=36), {"zhejiang"}),
        (rules(BEGUN, "removedOn"), rules(BEGUN), {"court"}),
        (rules(BEGUN), rules(BEGUN, "removedOn"), set()),
        (rules(BEGUN, "repairedOn"), rules(BEGUN, "removedOn"), {"zhejiang"}),
    ],
)
def test_what_shows_more_names_those_who_supply_it(before: Publicity, after: Publicity, agencies: set[str]) -> None:
    assert publicity_widens(before, after, CATALOGUE, CELLS, TODAY) == agencies


def test_what_shows_more_only_later_counts_and_what_is_past_does_not() -> None:
    now, later = rules(BEGUN, minor=3), rules(LATER, minor=4)
    both = Publicity((*now.regimes, *later.regimes))
    assert publicity_widens(now, both, CATALOGUE, CELLS, TODAY) == {"zhejiang"}
    past = Publicity((*rules(date(1900, 1, 1), minor=36).regimes, *now.regimes))
    assert publicity_widens(now, past, CATALOGUE, CELLS, TODAY) == set()


@given(
    months=st.tuples(*(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 5), max_size=2) for _ in range(2))),
    ended_by=st.tuples(*(st.sets(st.sampled_from(["repairedOn", "removedOn"])) for _ in range(2))),
    row=st.fixed_dictionaries(
        {},
        optional={
            "decidedOn": st.dates(date(2026, 6, 1), TODAY),
            "repairedOn": st.dates(date(2026, 6, 1), date(2027, 1, 1)),
            "severity": st.sampled_from(["a", "b", "c"]).map(Code),
        },
    ),
)
def test_what_does_not_widen_shows_nothing_that_was_over(
    months: tuple[dict[str, int], ...], ended_by: tuple[set[str], ...], row: dict[str, Value]
) -> None:
    before, after = (rules(BEGUN, *ends, **most) for ends, most in zip(ended_by, months, strict=True))
    if not publicity_widens(before, after, CATALOGUE, {"zhejiang": {"Penalty"}}, TODAY):
        shown = after.standing(CATALOGUE.records["Penalty"], row, TODAY) is PUBLISHED
        assert not shown or before.standing(CATALOGUE.records["Penalty"], row, TODAY) is PUBLISHED


def test_the_rules_name_their_source() -> None:
    assert isinstance(RULES, Publicity)
    assert [regime.starts for regime in RULES.regimes] == [date(1900, 1, 1), date(2026, 4, 1)]
    assert all("NDRC" in regime.source for regime in RULES.regimes)
