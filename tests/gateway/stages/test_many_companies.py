"""What companies asked about together have in common is worked out once; each gets what it would get alone."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import CompanyRows, FailureCode, FetchRequest, Outcome
from schema.credit_code import CreditCode
from schema.values import Code, Money

TODAY = dt.datetime.now(dt.UTC).date()
ENVELOPE = """status sources { agency { id } status asOf notOlderThan failure { code retryable } }
  access { coordinate decision mask reason }"""
SELECTED = f"""creditCode
  penalties {{ {ENVELOPE} hasMore endCursor records {{ recordId decidedOn severity {{ code }} amount {{ amount }}
    responsiblePerson source {{ agency {{ id }} asOf }} }} }}
  newest: penalties(first: 1) {{ {ENVELOPE} hasMore records {{ facts }} }}
  recent: penalties(decidedFrom: "{TODAY - dt.timedelta(days=20)}") {{ status records {{ recordId decidedOn }} }}
  taxArrears {{ {ENVELOPE} records {{ recordId balance {{ from to }} dueOn }} }}
  registration {{ {ENVELOPE} record {{ name legalRepresentative source {{ asOf }} }} }}"""

DAYS = st.sampled_from([None, *(TODAY - dt.timedelta(days=days) for days in (1, 10, 30, 2_000))])
TIMES = st.sampled_from([dt.datetime(2026, 11, day, 8, tzinfo=dt.UTC) for day in (1, 1, 1, 1, 2)] + [None])
"""Most often the same: companies whose suppliers fared alike are those that share."""


def rows_of(dataset: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        "recordId": st.sampled_from([None, "1", "2", "3"]),
        "publishedUntil": DAYS,
        "repairedOn": DAYS,
        "decidedOn": DAYS,
        "severity": st.sampled_from([None, Code("minor"), Code("serious")]),
        "amount": st.just(Money(Decimal("10.50"))),
        "responsiblePerson": st.sampled_from([None, "甲乙"]),
        "facts": st.sampled_from(["one", "two"]),
    }
    if dataset == "registry/Registration":
        fields = {"recordId": st.just("r"), "name": st.just("Company"), "legalRepresentative": st.just("丙丁")}
    if dataset == "tax/TaxArrears":
        money = st.integers(0, 10_000).map(lambda units: Money(Decimal(units * 100)))
        fields = {"recordId": st.sampled_from("12"), "balance": money, "dueOn": DAYS}
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def answers_of(draw, dataset: str) -> CompanyRows:
    outcome = draw(st.sampled_from([*[Outcome.ANSWERED] * 6, *Outcome]))
    if outcome is Outcome.FAILED:
        return CompanyRows(outcome, failure=draw(st.sampled_from(FailureCode)), retryable=draw(st.booleans()))
    most = 1 if dataset == "registry/Registration" else 3
    rows = tuple(draw(st.lists(rows_of(dataset), max_size=most)))
    unreadable = {0: frozenset({"repairedOn"})} if rows and draw(st.integers(0, 3)) == 0 else {}
    return CompanyRows(outcome, rows, as_of=draw(TIMES), not_older_than=draw(TIMES), unreadable=unreadable)


@dataclass(frozen=True)
class GivenSupply:
    """Datasets that answer as they are told."""

    datasets: Mapping[str, Any]
    answers: Mapping[tuple[str, str], CompanyRows]

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        given = {code: self.answers.get((request.dataset, code)) for code in request.codes}
        return {code: answer for code, answer in given.items() if answer}


def test_every_company_gets_what_it_would_get_alone(make_world, codes, datasets, principals) -> None:
    chosen = ("registry/Registration", "tax/TaxArrears", "zhejiang-penalties/Penalty", "guangdong-penalties/Penalty")
    texts = [codes.hangzhou, codes.ningbo, codes.shenzhen, codes.beijing]
    world = make_world(
        datasets={id_: datasets.all[id_] for id_ in chosen},
        more_rules="""
  - {id: looking-back, allow: [Penalty, Penalty.recordId, Penalty.facts], of: any, to: any, for: any, given: any,
     act: read_expired, note: Anybody may look back.}
""",
    )
    given_answers = st.fixed_dictionaries(
        {(id_, text): st.none() | answers_of(id_) for id_ in chosen for text in texts}
    )

    @given(given_answers, st.sampled_from(["bank", "regulator", "anybody"]))
    @settings(max_examples=60, deadline=None)
    def holds(answers: dict[tuple[str, str], CompanyRows], who: str) -> None:
        asked = world.provided(supply=GivenSupply(world.supply.datasets, answers))
        purpose = {"bank": "credit.underwriting", "regulator": "supervision.inspection"}.get(who)

        def ask(*names: str) -> list[Any]:
            query = f"query ($codes: [CreditCode!]!) {{ enterprises(codes: $codes) {{ {SELECTED} }} }}"
            answer = asyncio.run(asked.ask(query, getattr(principals, who), purpose=purpose, codes=names))
            return answer["data"]["enterprises"]

        assert ask(*texts) == [one for text in texts for one in ask(text)]

    holds()
