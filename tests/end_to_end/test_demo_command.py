"""`xinqiao demo --json` from its start to its end."""

from __future__ import annotations

import signal

import psutil
import pytest


def test_it_says_where_it_is_who_may_log_in_and_whom_to_ask_about(own_demo) -> None:
    people = {
        "bank",
        "rural_bank",
        "tax_inspector",
        "regulator",
        "policy_admin",
        "policy_approver",
        "tax_admin",
        "company",
    }
    assert set(own_demo.said["tokens"]) == people
    assert len(own_demo.said["agencies"]) == 7
    assert len(own_demo.said["codes"]) >= 200
    known = own_demo.ask("{ me { organisation roles } agencies { id records } }", "bank").data
    assert known["me"] == {"organisation": "first-bank", "roles": ["bank.officer"]}
    assert {agency["id"] for agency in known["agencies"]} == set(own_demo.said["agencies"])


def test_its_companies_are_known_to_the_registry(own_demo) -> None:
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { registration { record { name } } } }"
    answer = own_demo.ask(query, codes=own_demo.said["codes"])
    named = [enterprise["registration"]["record"] for enterprise in answer.data["enterprises"]]
    assert sum(record is not None for record in named) > 0.9 * len(named)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/graphiql"])
def test_it_is_healthy_ready_and_has_a_page(own_demo, path: str) -> None:
    address = own_demo.said["url"].removesuffix("/graphql")
    assert own_demo.client.get(address + path).status_code == 200


# The last: there is no demonstration afterwards.
def test_told_to_end_it_stops_all_that_it_started(own_demo) -> None:
    assert len(psutil.Process(own_demo.process.pid).children()) >= 7
    own_demo.end(signal.SIGTERM)  # SIGINT is what every other demonstration is told to end by
