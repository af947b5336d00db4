"""What a table says, for rules written as their authors write them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping

import pytest

from policies.compile import compile_table, openable
from policies.decision import Basis, CallerClass, Decision, Effect, Reason
from policies.policy import Act, Policy

Cells = Mapping[str, frozenset[str]]
PolicyOf = Callable[..., Policy]

PUBLIC = "  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n"
CLEAR, MASKED, WITHHELD = Effect.CLEAR, Effect.MASKED, Effect.WITHHELD
CONSENT, JURISDICTION, SELF = Basis.CONSENT, Basis.JURISDICTION, Basis.SELF
EVERYTHING = frozenset({"PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED"})


def rule(id_: str, *, effect: str = "allow", **columns: str) -> str:
    """A rule in YAML; `given` and the rest are `any` unless said."""
    written = {"of": "any", "to": "any", "for": "any", "given": "any", "note": "x"} | {
        key.rstrip("_"): value for key, value in columns.items() if key != "what"
    }
    lines = [f"id: {id_}", f"{effect}: {columns['what']}", *(f"{key}: {value}" for key, value in written.items())]
    return "  - " + "\n    ".join(lines) + "\n"


@pytest.fixture
def decide(policy_of: PolicyOf, cells: Cells) -> Callable[..., Decision]:
    def decision(  # noqa: PLR0913  # all that a decision depends on
        rules: str,
        coordinate: str,
        *bases: Basis,
        roles: tuple[str, ...] = ("bank.officer",),
        organisation: str = "first-bank",
        purpose: str | None = "credit.underwriting",
        scope: frozenset[str] = EVERYTHING,
        act: Act = Act.READ,
    ) -> Decision:
        caller = CallerClass(frozenset(roles), organisation, purpose, frozenset(bases), scope)
        table = compile_table(policy_of("rules:\n" + rules), cells, caller, act=act)
        return table.at("zhejiang" if coordinate.startswith("Penalty") else "tax", coordinate)

    return decision


Decide = Callable[..., Decision]


def test_nothing_is_allowed_that_no_rule_allows(decide: Decide) -> None:
    assert decide("", "Penalty.amount") == Decision(WITHHELD, reason=Reason.NOT_AVAILABLE)


def test_a_rule_on_a_tier_shows_a_field_clear_and_names_itself(decide: Decide) -> None:
    assert decide(PUBLIC, "Penalty.amount") == Decision(CLEAR, rule="public")


@pytest.mark.parametrize("what", ["PUBLIC", "Penalty.*", "any"])
def test_a_wide_rule_shows_a_field_at_most_through_its_default_mask(decide: Decide, what: str) -> None:
    decision = decide(PUBLIC + rule("a", what=what, to="bank"), "Penalty.person")
    assert (decision.effect, decision.mask) == (MASKED, "partial")


@pytest.mark.parametrize("id_", ["a-named", "z-named"])
def test_a_rule_that_names_the_field_shows_it_beyond_its_default_mask_whatever_its_id(decide: Decide, id_: str) -> None:
    assert decide(PUBLIC + rule(id_, what="Penalty.person"), "Penalty.person") == Decision(CLEAR, rule=id_)


def test_a_wide_masked_rule_never_widens_the_default_mask(decide: Decide) -> None:
    rules = rule("rows", what="Penalty") + rule("masked", what="PUBLIC", masked="redact")
    assert decide(rules, "Penalty.person").mask == "redact"


@pytest.mark.parametrize("id_", ["a-deny", "z-deny"])
@pytest.mark.parametrize("what", ["Penalty.amount", "Penalty.*", "PUBLIC", "any"])
def test_a_deny_beats_every_allow_whatever_its_id(decide: Decide, id_: str, what: str) -> None:
    rules = rule("m-allow", what="[Penalty, Penalty.amount]") + rule(id_, effect="deny", what=what)
    decision = decide(rules, "Penalty.amount")
    assert (decision.effect, decision.rule) == (WITHHELD, id_)


@pytest.mark.parametrize("what", ["SEALED", "any", "Penalty.*"])
def test_a_deny_reaches_a_sealed_field_that_a_rule_names(decide: Decide, what: str) -> None:
    rules = PUBLIC + rule("a", what="Penalty.informant")
    assert decide(rules, "Penalty.informant") == Decision(CLEAR, rule="a")
    denied = decide(rules + rule("b", effect="deny", what=what), "Penalty.informant")
    assert denied.effect is WITHHELD


@pytest.mark.parametrize("what", ["any", "Penalty.*"])
def test_no_wide_rule_opens_a_sealed_field(decide: Decide, what: str) -> None:
    decision = decide(PUBLIC + rule("a", what=what), "Penalty.informant", CONSENT, JURISDICTION, SELF)
    assert decision == Decision(WITHHELD, reason=Reason.NOT_AVAILABLE)


def test_a_sealed_field_never_tells_what_would_open_it(decide: Decide) -> None:
    rules = PUBLIC + rule("a", what="Penalty.informant", given="consent")
    assert decide(rules, "Penalty.informant").reason is Reason.NOT_AVAILABLE


def test_withheld_rows_withhold_every_field(decide: Decide) -> None:
    rules = PUBLIC + rule("a", effect="deny", what="Penalty", to="bank")
    for coordinate in ("Penalty", "Penalty.amount", "Penalty.objection"):
        assert decide(rules, coordinate).effect is WITHHELD


def test_the_objection_mark_travels_with_its_record(decide: Decide) -> None:
    rules = rule("a", what="Penalty") + rule("b", effect="deny", what="Penalty.*")
    assert decide(rules, "Penalty.objection") == Decision(CLEAR, rule="a")
    assert decide(rules, "Penalty.amount").effect is WITHHELD


def test_a_masked_grant_does_not_show_that_records_exist(decide: Decide) -> None:
    rules = rule("a", what="AUTHORISED", masked="redact") + rule("b", what="TaxPayment", to="inspector")
    assert decide(rules, "TaxPayment").effect is WITHHELD


def test_a_rule_for_a_role_holds_for_the_roles_below_it_and_for_no_other(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", to="bank")
    assert decide(rules, "Penalty.amount").effect is CLEAR
    assert decide(rules, "Penalty.amount", roles=("clerk",)).effect is WITHHELD


def test_a_role_that_the_organisation_may_not_hold_counts_for_nothing(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", to="inspector")
    assert decide(rules, "Penalty.amount", roles=("inspector", "bank.officer")).effect is WITHHELD
    assert decide(rules, "Penalty.amount", roles=("inspector",), organisation="bureau").effect is CLEAR


def test_an_organisation_that_the_policy_does_not_know_gets_nothing(decide: Decide) -> None:
    assert decide(PUBLIC, "Penalty.amount", organisation="nobody").effect is WITHHELD


def test_a_rule_for_an_organisation_holds_for_those_below_it(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", at="banks")
    assert decide(rules, "Penalty.amount").effect is CLEAR
    assert decide(rules, "Penalty.amount", roles=("inspector",), organisation="bureau").effect is WITHHELD


def test_a_rule_for_a_purpose_holds_for_those_below_it(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", for_="credit")
    assert decide(rules, "Penalty.amount").effect is CLEAR
    assert decide(rules, "Penalty.amount", purpose=None).effect is WITHHELD
    assert decide(rules, "Penalty.amount", purpose="supervision").effect is WITHHELD


def test_a_rule_on_an_agency_holds_for_those_below_it_and_for_no_other(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", of="market")
    assert decide(rules, "Penalty.amount").effect is CLEAR
    assert decide(rule("a", what="PUBLIC", of="registry"), "Penalty.amount").effect is WITHHELD


def test_basis_none_holds_only_where_no_basis_does(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", given="none")
    assert decide(rules, "Penalty.amount").effect is CLEAR
    assert decide(rules, "Penalty.amount", SELF).effect is WITHHELD


def test_of_several_bases_the_widest_decides(decide: Decide) -> None:
    rules = (
        rule("rows", what="TaxPayment")
        + rule("a", what="TaxPayment.paid", given="consent", masked="bucket")
        + rule("b", what="TaxPayment.paid", given="jurisdiction")
    )
    assert decide(rules, "TaxPayment.paid", CONSENT).mask == "bucket"
    assert decide(rules, "TaxPayment.paid", CONSENT, JURISDICTION) == Decision(CLEAR, rule="b")


def test_of_several_roles_the_widest_decides_but_a_deny_to_one_denies_all(decide: Decide) -> None:
    rules = rule("rows", what="TaxPayment") + rule("a", what="TaxPayment.paid", to="bank")
    both = ("bank.officer", "clerk")
    assert decide(rules, "TaxPayment.paid", roles=both).effect is CLEAR
    denied = rules + rule("d", effect="deny", what="TaxPayment.paid", to="clerk")
    assert decide(denied, "TaxPayment.paid", roles=both).effect is WITHHELD


def test_two_masks_of_which_neither_is_narrower_give_redact(decide: Decide) -> None:
    rules = (
        rule("rows", what="TaxPayment")
        + rule("a", what="TaxPayment.officer", given="consent", masked="partial")
        + rule("b", what="TaxPayment.officer", given="jurisdiction", masked="last4")
        + rule("c", what="TaxPayment.officer", given="self", masked="redact")
    )
    assert decide(rules, "TaxPayment.officer", CONSENT, SELF).mask == "partial"
    assert decide(rules, "TaxPayment.officer", CONSENT, JURISDICTION).mask == "redact"
    assert decide(rules, "TaxPayment.officer", CONSENT, JURISDICTION, SELF).mask == "redact"


CONSENTED = PUBLIC + rule("a", what="[AUTHORISED, RESTRICTED, TaxPayment.paid]", to="bank", given="consent")


@pytest.mark.parametrize(
    ("scope", "coordinate", "effect"),
    [
        ({"AUTHORISED", "RESTRICTED"}, "TaxPayment.paid", CLEAR),
        ({"TaxPayment.*"}, "TaxPayment.paid", CLEAR),
        ({"TaxPayment.*"}, "TaxPayment", CLEAR),
        ({"TaxPayment.paid"}, "TaxPayment.paid", CLEAR),
        ({"TaxPayment.paid"}, "TaxPayment", CLEAR),
        ({"TaxPayment.paid"}, "TaxPayment.year", WITHHELD),
        ({"TaxPayment"}, "TaxPayment", CLEAR),
        ({"TaxPayment"}, "TaxPayment.year", WITHHELD),
        ({"AUTHORISED"}, "TaxPayment.paid", WITHHELD),
        ({"RESTRICTED"}, "TaxPayment.paid", WITHHELD),
        ({"AUTHORISED", "Penalty.*"}, "TaxPayment.paid", WITHHELD),
        ({"Penalty.*"}, "TaxPayment", WITHHELD),
        ({"Penalty.facts"}, "TaxPayment", WITHHELD),
        (set(), "TaxPayment", WITHHELD),
    ],
)
def test_a_consent_holds_only_for_what_it_names(
    decide: Decide, scope: set[str], coordinate: str, effect: Effect
) -> None:
    decision = decide(CONSENTED, coordinate, CONSENT, scope=frozenset(scope))
    assert decision.effect is effect
    if effect is WITHHELD:
        assert decision.reason is Reason.NEEDS_CONSENT


def test_outside_its_consent_a_field_is_decided_as_if_there_were_none(decide: Decide) -> None:
    rules = rule("rows", what="TaxPayment") + rule("a", what="TaxPayment.year", given="none")
    assert decide(rules, "TaxPayment.year", CONSENT, scope=frozenset({"RESTRICTED"})).effect is CLEAR


def test_the_reason_tells_what_would_show_more(decide: Decide) -> None:
    rules = (
        rule("rows", what="TaxPayment")
        + rule("a", what="TaxPayment.paid", masked="bucket")
        + rule("b", what="TaxPayment.paid", given="consent")
        + rule("c", what="TaxPayment.year", given="jurisdiction")
        + rule("d", what="TaxPayment.revenue", for_="credit")
        + rule("e", what="TaxPayment.officer", for_="supervision")
    )
    assert decide(rules, "TaxPayment.paid") == Decision(MASKED, "bucket", "a", Reason.NEEDS_CONSENT)
    assert decide(rules, "TaxPayment.paid", CONSENT) == Decision(CLEAR, rule="b")
    assert decide(rules, "TaxPayment.year").reason is Reason.NEEDS_JURISDICTION
    assert decide(rules, "TaxPayment.revenue", purpose=None).reason is Reason.NEEDS_PURPOSE
    # `supervision` is not registered for the bank: to name it would help nobody.
    assert decide(rules, "TaxPayment.officer").reason is Reason.NOT_AVAILABLE


def test_what_redact_hides_is_told_to_be_shown_by_a_consent_that_masks_less(decide: Decide) -> None:
    rules = (
        rule("rows", what="TaxPayment")
        + rule("a", what="TaxPayment.officer", given="none", masked="redact")
        + rule("b", what="TaxPayment.officer", given="consent", masked="partial")
    )
    assert decide(rules, "TaxPayment.officer") == Decision(MASKED, "redact", "a", Reason.NEEDS_CONSENT)


def test_a_field_whose_rows_need_consent_needs_consent(decide: Decide) -> None:
    rules = rule("rows", what="TaxPayment", given="consent") + rule("a", what="TaxPayment.year")
    assert decide(rules, "TaxPayment.year").reason is Reason.NEEDS_CONSENT


def test_a_purpose_that_helps_only_with_consent_is_told_too(decide: Decide) -> None:
    rules = rule("rows", what="TaxPayment", for_="credit", given="consent")
    assert decide(rules, "TaxPayment", purpose=None).reason is Reason.NEEDS_PURPOSE


def test_a_rule_on_records_past_their_publicity_says_nothing_of_others(decide: Decide) -> None:
    rules = rule("a", what="PUBLIC", act="read_expired")
    assert decide(rules, "Penalty.amount").effect is WITHHELD
    assert decide(rules, "Penalty.amount", act=Act.READ_EXPIRED).effect is CLEAR
    assert decide(rule("a", what="PUBLIC", act="any"), "Penalty.amount").effect is CLEAR


def test_a_coordinate_that_the_catalogue_does_not_know_is_withheld(policy_of: PolicyOf) -> None:
    caller = CallerClass(frozenset({"bank.officer"}), "first-bank", None)
    cells = {"tax": frozenset({"Nothing", "Nothing.field", "Penalty.nothing"})}
    table = compile_table(policy_of("rules:\n" + rule("a", what="any")), cells, caller)
    assert {decision.effect for decision in table.cells["tax"].values()} == {WITHHELD}


def test_a_table_holds_the_cells_asked_for_and_its_policys_version(policy_of: PolicyOf, cells: Cells) -> None:
    policy = policy_of("rules:\n" + PUBLIC)
    table = compile_table(policy, cells, CallerClass(frozenset({"clerk"}), "first-bank", None))
    assert table.version == policy.version
    assert {agency: frozenset(row) for agency, row in table.cells.items()} == cells
    assert table.at("zhejiang", "Penalty.unknown").effect is WITHHELD
    assert table.at("nobody", "Penalty").effect is WITHHELD


def test_policies_and_tables_cross_processes(policy_of: PolicyOf, cells: Cells) -> None:
    policy = policy_of("rules:\n" + PUBLIC)
    caller = CallerClass(frozenset({"clerk"}), "first-bank", None)
    copy: Policy = pickle.loads(pickle.dumps(policy))  # noqa: S301  # made here
    table = compile_table(copy, cells, caller)
    assert copy == policy
    assert pickle.loads(pickle.dumps(table)) == compile_table(policy, cells, caller)  # noqa: S301


def test_openable_is_what_some_purpose_and_some_bases_could_open(policy_of: PolicyOf, cells: Cells) -> None:
    rules = (
        PUBLIC
        + rule("rows", what="TaxPayment", for_="credit", given="jurisdiction")
        + rule("year", what="TaxPayment.year", given="consent")
        + rule("paid", what="TaxPayment.paid", for_="supervision")
        + rule("informant", what="Penalty.informant", for_="credit", given="consent")
    )
    opened = openable(policy_of("rules:\n" + rules), cells, frozenset({"bank.officer"}), "first-bank")
    assert opened >= {"Penalty", "Penalty.person", "Penalty.informant", "TaxPayment", "TaxPayment.year"}
    assert not opened & {"TaxPayment.paid", "Penalty.personId"}


def test_a_sealed_field_opens_to_none_but_those_it_is_opened_to(policy_of: PolicyOf, cells: Cells) -> None:
    rules = PUBLIC + rule("everything", what="any") + rule("informant", what="Penalty.informant", to="inspector")
    policy = policy_of("rules:\n" + rules)
    assert "Penalty.informant" not in openable(policy, cells, frozenset({"bank.officer"}), "first-bank")
    assert "Penalty.informant" in openable(policy, cells, frozenset({"inspector"}), "bureau")
