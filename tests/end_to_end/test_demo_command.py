from __future__ import annotations

import signal

import psutil
import pytest


def test_it_says_where_it_is_who_may_log_in_and_whom_to_ask_about(demo) -> None:
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
    assert set(demo.said["tokens"]) == people
    assert len(demo.said["agencies"]) == 7
    assert len(demo.said["codes"]) >= 200
    known = demo.ask("{ me { organisation roles } agencies { id records } }", "bank").data
    assert known["me"] == {"organisation": "first-bank", "roles": ["bank.officer"]}
    assert {agency["id"] for agency in known["agencies"]} == set(demo.said["agencies"])


def test_its_companies_are_known_to_the_registry(demo) -> None:
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { registration { record { name } } } }"
    answer = demo.ask(query, codes=demo.said["codes"])
    named = [enterprise["registration"]["record"] for enterprise in answer.data["enterprises"]]
    assert sum(record is not None for record in named) > 0.9 * len(named)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/graphiql"])
def test_it_is_healthy_ready_and_has_a_page(demo, path: str) -> None:
    address = demo.said["url"].removesuffix("/graphql")
    assert demo.client.get(address + path).status_code == 200


def test_told_to_end_it_stops_all_that_it_started(own_demo) -> None:
    assert len(psutil.Process(own_demo.process.pid).children()) >= 7
    own_demo.end(signal.SIGTERM)  # SIGINT is what every other demonstration is told to end by
