"""Recorded requests decided again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from policies.analysis.replay import asked_cells, decide
from policies.analysis.shapes import Decided, Gathering
from policies.compile import compile_tables
from policies.decision import Basis, CallerClass
from policies.policy import Act, Policy

RULES = """\
rules:
  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}
  - {id: sums, allow: AUTHORISED, of: tax, to: bank, for: credit, given: consent, note: x}
  - {id: old, allow: [Penalty, Penalty.amount], of: any, to: bank, for: any, given: any, act: read_expired, note: x}
  - {id: facts, deny: Penalty.facts, of: any, to: bank, for: any, given: any, note: x}
"""
OFFICER = CallerClass(frozenset({"bank.officer", "unregistered"}), "first-bank", "credit.underwriting")
CONSENTED = replace(OFFICER, bases=frozenset({Basis.CONSENT}), consent_scope=frozenset({"TaxPayment.revenue"}))


@pytest.mark.parametrize("caller", [OFFICER, CONSENTED, replace(OFFICER, organisation="nobody")])
def test_a_replay_decides_as_the_tables_of_the_gateway_do_whatever_else_was_asked(
    policy_of: Callable[..., Policy], cells: Mapping[str, frozenset[str]], caller: CallerClass
) -> None:
    policy = policy_of(RULES)
    table = compile_tables(policy, cells, caller)
    for agency, coordinates in cells.items():
        for coordinate in coordinates:
            replayed = decide(policy, caller, {agency: frozenset({coordinate, coordinate.partition(".")[0]})})
            for act, at in ((Act.READ, table.at), (Act.READ_EXPIRED, table.at_expired)):
                expected = at(agency, coordinate)
                found = replayed[agency, act, coordinate]
                assert (found.effect, found.mask, found.rule) == (expected.effect, expected.mask, expected.rule)


def test_what_was_asked_is_told_by_class_with_the_rows_and_without_what_is_no_longer_supplied(
    cells: Mapping[str, frozenset[str]],
) -> None:
    gathering = Gathering()
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    for names in (["Penalty.amount"], ["Penalty.facts", "Penalty.gone"]):
        asked = frozenset(("zhejiang", Act.READ, name, None) for name in names)
        gathering.add(at, [Decided(OFFICER, asked | {("closed", Act.READ, "Penalty", None)}, 1)])
    assert asked_cells(gathering.evidence().shapes, cells) == {
        OFFICER: {"zhejiang": frozenset({"Penalty", "Penalty.amount", "Penalty.facts"}), "closed": frozenset()}
    }
