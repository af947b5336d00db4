"""Narrower rules, suggested from recorded requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.analysis.shapes import Decided, Evidence, Gathering
from policies.analysis.simulate import simulate
from policies.analysis.suggest import Finding, Standing, Suggestion, suggest
from policies.decision import Basis, CallerClass
from policies.load import load_policy, load_rules, read_directory
from policies.policy import Act
from policies.rule import publish
from schema.catalogue import Catalogue

Cells = Mapping[str, frozenset[str]]
Asking = tuple[CallerClass, str]
"""A class of caller, and the coordinates that it asks for, with spaces between."""

NOW = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
AGENCIES = ("tax", "registry", "zhejiang")
OFFICER = CallerClass(frozenset({"bank.officer"}), "first-bank", "credit.underwriting")
CONSENTED = replace(OFFICER, bases=frozenset({Basis.CONSENT}), consent_scope=frozenset({"AUTHORISED"}))
NO_PURPOSE = replace(OFFICER, purpose=None)
INSPECTOR = CallerClass(frozenset({"inspector"}), "bureau", "supervision", frozenset({Basis.JURISDICTION}))
EVERYBODY = "  - {id: all, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n"


def evidence_of(*asked: Asking, days: int = 100, ago: int = 1, rule: str | None = None) -> Evidence:
    """What is gathered of one request each, made so many days ago; the record reaches back `days`."""
    gathering = Gathering()
    gathering.cover(NOW - dt.timedelta(days=days))
    for caller, names in asked:
        cells = frozenset(
            ("zhejiang" if name.startswith("Penalty") else "tax", Act.READ, name, rule) for name in names.split()
        )
        gathering.add(NOW - dt.timedelta(days=ago), [Decided(caller, cells, 1)])
    return gathering.evidence()


@pytest.fixture
def standing_of(write_policy: Callable[..., Path], catalogue: Catalogue, cells: Cells) -> Callable[..., Standing]:
    def make(rules: str, **files: str) -> Standing:
        contents = read_directory(write_policy("rules:\n" + rules, **files))
        placed = load_rules(contents, catalogue, AGENCIES)
        return Standing(placed, load_policy(contents, catalogue, AGENCIES, now=NOW), catalogue, cells)

    return make


@pytest.fixture
def suggested(standing_of: Callable[..., Standing]) -> Callable[..., dict[str, Suggestion]]:
    def make(rules: str, evidence: Evidence, days: int = 90) -> dict[str, Suggestion]:
        return {one.placed.rule.id: one for one in suggest(standing_of(rules), evidence, NOW, days)}

    return make


Suggested = Callable[..., dict[str, Suggestion]]


def rule(id_: str, **columns: str) -> str:
    """A rule in YAML; `any` is said of what is not given, and `_` stands after a word of Python."""
    written = {"of": "any", "to": "any", "for": "any", "given": "any", "note": "x"}
    written |= {key.rstrip("_"): value for key, value in columns.items()}
    return "  - " + "\n    ".join([f"id: {id_}", *(f"{key}: {value}" for key, value in written.items())]) + "\n"


def test_a_grant_that_decided_nothing_could_go(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("sums", allow="AUTHORISED", to="bank")
    one = suggested(rules, evidence_of((OFFICER, "Penalty Penalty.amount")))["sums"]
    assert (one.finding, one.rules, one.days, one.requests, one.last) == (Finding.UNUSED, (), 90, 0, None)


def test_where_the_record_is_shorter_than_the_days_nothing_is_called_unused(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("sums", allow="AUTHORISED", to="bank")
    one = suggested(rules, evidence_of((OFFICER, "Penalty"), days=12))["sums"]
    assert (one.finding, one.days) == (Finding.NOT_SEEN, 12)


def test_a_grant_younger_than_the_days_is_not_called_unused(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("sums", allow="AUTHORISED", to="bank", from_="2026-11-10")
    one = suggested(rules, evidence_of((OFFICER, "Penalty")))["sums"]
    assert (one.finding, one.days) == (Finding.NOT_SEEN, 10)


def test_without_a_record_nothing_is_suggested(suggested: Suggested) -> None:
    assert suggested(EVERYBODY, Gathering().evidence()) == {}


def test_a_grant_that_was_used_before_the_days_tells_when(suggested: Suggested) -> None:
    one = suggested(EVERYBODY, evidence_of((OFFICER, "Penalty"), ago=40, rule="all"), days=30)["all"]
    assert (one.finding, one.requests, one.last) == (Finding.UNUSED, 0, NOW - dt.timedelta(days=40))


def test_a_grant_that_decided_under_an_older_version_is_not_called_unused(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("old", allow="AUTHORISED", to="bank")
    assert "old" not in suggested(rules, evidence_of((OFFICER, "Penalty"), rule="old"))


def test_denies_and_rules_out_of_force_are_left_alone(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("deny", deny="AUTHORISED") + rule("over", allow="any", until="2026-01-01")
    assert set(suggested(rules, evidence_of((OFFICER, "Penalty")))) == {"all"}


def test_a_grant_is_cut_to_its_use_in_every_column(suggested: Suggested) -> None:
    rules = rule("all", allow="PUBLIC", note='"Public data, “for all”: open."')
    one = suggested(rules, evidence_of((OFFICER, "Penalty Penalty.amount Penalty.objection")))["all"]
    assert (one.finding, one.requests) == (Finding.WIDER_THAN_USE, 1)
    assert one.text == (
        "  - id: all\n"
        "    allow: [Penalty, Penalty.amount]\n"
        "    of: zhejiang\n"
        "    to: bank.officer\n"
        "    at: first-bank\n"
        "    for: credit.underwriting\n"
        "    given: none\n"
        '    note: "Public data, “for all”: open."\n'
    )


def test_a_field_is_named_with_the_mask_through_which_it_was_shown(suggested: Suggested) -> None:
    one = suggested(EVERYBODY, evidence_of((OFFICER, "Penalty Penalty.amount Penalty.person")))["all"]
    assert [(new.id, new.objects, new.mask) for new in one.rules] == [
        ("all", ("Penalty", "Penalty.amount"), None),
        ("all-partial", ("Penalty.person",), "partial"),
    ]


def test_where_the_id_for_a_mask_is_taken_the_things_stay_as_they_are(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("all-partial", deny="TaxPayment")
    one = suggested(rules, evidence_of((OFFICER, "Penalty Penalty.person")))["all"]
    assert [(new.id, new.objects, new.agencies) for new in one.rules] == [("all", ("PUBLIC",), ("zhejiang",))]


def test_a_thing_that_was_used_whole_stays_as_wide_as_it_is(suggested: Suggested) -> None:
    rules = rule("rows", allow="TaxPayment") + rule("sums", allow="[AUTHORISED, RESTRICTED]", masked="redact")
    asked = "TaxPayment TaxPayment.year TaxPayment.revenue TaxPayment.paid"
    one = suggested(rules, evidence_of((OFFICER, asked)))["sums"]
    assert [new.objects for new in one.rules] == [("AUTHORISED", "TaxPayment.paid")]


def test_a_caller_without_a_purpose_keeps_the_rule_open_for_any(suggested: Suggested) -> None:
    one = suggested(EVERYBODY, evidence_of((OFFICER, "Penalty"), (NO_PURPOSE, "Penalty")))["all"]
    assert one.rules[0].purposes == ("any",)


def test_a_consent_that_does_not_name_the_field_is_no_basis_of_its_use(suggested: Suggested) -> None:
    rules = rule("all", allow="[PUBLIC, AUTHORISED]", given="[none, consent, self]")
    found = suggested(rules, evidence_of((CONSENTED, "Penalty"), (CONSENTED, "TaxPayment")))["all"]
    assert found.rules[0].bases == ("none", "consent")
    found = suggested(rules, evidence_of((CONSENTED, "TaxPayment")))["all"]
    assert found.rules[0].bases == ("consent",)


def test_requests_that_would_be_refused_today_keep_no_rule_wide(suggested: Suggested) -> None:
    elsewhere = replace(OFFICER, purpose="supervision")
    one = suggested(EVERYBODY, evidence_of((OFFICER, "Penalty"), (elsewhere, "Penalty Penalty.amount")))["all"]
    assert one.rules[0].objects == ("Penalty",)


def test_a_rule_that_is_used_whole_has_no_narrower_one(suggested: Suggested) -> None:
    columns = {"of": "zhejiang", "to": "bank.officer", "at": "first-bank", "for_": "credit.underwriting"}
    assert suggested(rule("rows", allow="Penalty", given="none", **columns), evidence_of((OFFICER, "Penalty"))) == {}


def test_a_grant_without_which_another_would_show_more_is_kept(suggested: Suggested) -> None:
    rules = EVERYBODY + rule("person", allow="Penalty.person", masked="hmac")
    found = suggested(rules, evidence_of((OFFICER, "Penalty Penalty.person")))
    assert set(found) == {"all"}


PARTS = {
    "what": ["PUBLIC", "AUTHORISED", "RESTRICTED", "Penalty.*", "any", "Penalty.person", "TaxPayment.revenue"],
    "to": ["any", "bank", "inspector"],
    "for": ["any", "credit", "supervision"],
    "given": ["any", "consent", "none", "[none, jurisdiction]"],
    "masked": ["", "", "redact"],
}
RULES = st.lists(
    st.fixed_dictionaries({key: st.sampled_from(options) for key, options in PARTS.items()}),
    max_size=5,
    unique_by=lambda parts: tuple(sorted(parts.items())),
)
NAMES = ["Penalty.amount", "Penalty.person", "Penalty.personId", "TaxPayment.revenue", "TaxPayment.paid"]
ASKED = st.lists(
    st.tuples(
        st.sampled_from([OFFICER, CONSENTED, NO_PURPOSE, INSPECTOR]),
        st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: " ".join(["Penalty", "TaxPayment", *names])),
    ),
    min_size=1,
    max_size=4,
)


def written(rules: Sequence[Mapping[str, str]]) -> str:
    return rule("rows", allow="[Penalty, TaxPayment]") + "".join(
        rule(f"r{number}", allow=parts["what"], to=parts["to"], for_=parts["for"], given=parts["given"])
        + (f"    masked: {parts['masked']}\n" if parts["masked"] else "")
        for number, parts in enumerate(rules)
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RULES, ASKED)
def test_suggestions_pasted_into_the_file_load_and_change_no_recorded_decision(
    standing_of: Any, write_policy: Any, catalogue: Catalogue, rules: list[dict[str, str]], asked: list[Asking]
) -> None:
    standing = standing_of(written(rules))
    evidence = evidence_of(*asked)
    suggestions = suggest(standing, evidence, NOW, 90)
    texts = {one.placed.rule.id: one.text for one in suggestions}
    kept = "".join(
        texts.get(id_, written_rule)
        for id_, written_rule in zip(
            ["rows", *(f"r{number}" for number in range(len(rules)))], _split(written(rules)), strict=True
        )
    )
    files = read_directory(write_policy("rules:\n" + kept))
    after = load_policy(files, catalogue, AGENCIES, now=NOW)
    wanted = [new for one in standing.placed for new in _now(one.rule, suggestions)]
    assert [one.rule for one in load_rules(files, catalogue, AGENCIES)] == wanted
    assert after.rows == publish(wanted)
    assert simulate(standing.policy, after, standing.cells, evidence.shapes).changes == ()


def _split(text: str) -> list[str]:
    return [f"  - id: {part}" for part in text.split("  - id: ")[1:]]


def _now(rule: Any, suggestions: Sequence[Suggestion]) -> tuple[Any, ...]:
    return next((one.rules for one in suggestions if one.placed.rule.id == rule.id), (rule,))
