from __future__ import annotations

from benchmarks.large_policy import demonstration_policy
from policies.compile import compile_tables
from policies.decision import Basis, CallerClass
from policies.load import load_policy, placed_rules
from schema.records import catalogue

AGENCIES = ("registry", "court", "tax", "customs", "environment", "zhejiang-penalties", "guangdong-penalties", "new")
CONSENTED = frozenset({"AUTHORISED", "RESTRICTED"})
OFFICER = frozenset({"bank.officer"})


def test_the_grown_policy_has_as_many_rules_as_asked_and_gives_the_bank_what_the_demonstrations_gives_it() -> None:
    made = catalogue()
    coordinates = frozenset(dict(made.tiers()))
    cells = dict.fromkeys(AGENCIES, coordinates)
    plain, grown = (load_policy(demonstration_policy(made, AGENCIES, rules), made, AGENCIES) for rules in (0, 300))
    assert len(placed_rules(demonstration_policy(made, AGENCIES, 300), grown, made)) == 300
    for caller in (
        CallerClass(OFFICER, "first-bank", "credit.underwriting", frozenset()),
        CallerClass(OFFICER, "first-bank", "credit.underwriting", frozenset({Basis.CONSENT}), CONSENTED),
    ):
        first, second = compile_tables(plain, cells, caller), compile_tables(grown, cells, caller)
        for agency in AGENCIES:
            for coordinate in coordinates:
                assert first.at(agency, coordinate) == second.at(agency, coordinate)
