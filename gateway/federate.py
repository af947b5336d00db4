"""The federated roots, level by level: decide, plan, fetch, join, and follow the links that are shown.

A level's companies are split by class before anything of that level is fetched.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.contract import CompanyRows, FailureCode, Outcome, Supply
from gateway.arguments import Slice
from gateway.authorise import Supplier
from gateway.caller import Caller
from gateway.fetch import Fetched, Place, fetch_level
from gateway.join import Joined, Joiner, Said, linked
from gateway.operation import AnswerSelection, EnterpriseSelection, Operation
from gateway.prepare import Prepared, Preparer
from gateway.roots import RootCompanies
from gateway.tables import Tables
from policies.decision import CallerClass
from schema.credit_code import CreditCode

Level = Mapping[EnterpriseSelection, Iterable[CreditCode]]
"""The companies of one level by where they appear; no company twice at one place."""


COMPANIES_AT_ONCE: Final = 50
"""How many companies are joined before other requests get their turn."""


@dataclass(slots=True)
class Answers:
    """What federating brought: each answer of each company, what its place was prepared by, the places with the class
    of caller that each was planned for, and the companies asked about.
    """

    joined: dict[tuple[AnswerSelection, CreditCode], Joined]
    prepared: dict[tuple[EnterpriseSelection, CreditCode], Prepared]
    places: list[tuple[CallerClass, Place]]
    companies: set[CreditCode]


@dataclass(frozen=True, slots=True)
class Federation:
    """One request's way through the levels.

    `shared` names the datasets whose cached rows may serve every organisation; `limit` bounds the request's distinct
    companies; `deadline` is in seconds of the event loop's clock.
    """

    supply: Supply
    tables: Tables
    preparer: Preparer
    joiner: Joiner
    caller: Caller
    shared: frozenset[str]
    limit: int
    deadline: float

    async def run(self, operation: Operation, roots: RootCompanies, slices: Mapping[AnswerSelection, Slice]) -> Answers:
        """Asks for everything that the operation selects of its roots' companies, and of those they lead to."""
        answers = Answers({}, {}, [], set())
        level: Level = {asked.root.enterprise: dict.fromkeys(filter(None, asked.codes)) for asked in roots.asked}
        while level:
            admitted, over = self._admit(level, answers.companies)
            places = await self._places(operation, admitted, slices, answers)
            fetched = await fetch_level(places, slices, self.supply, self._partition, self.deadline)
            for place in places:
                await self._join(place, slices, _said(fetched), answers)
            for place in await self._places(operation, over, slices, answers):
                await self._join(place, slices, _over_limit, answers)
            level = _next_level(places, answers)
        return answers

    def _partition(self, dataset: str) -> str:
        principal = self.caller.principal
        return "" if dataset in self.shared else f"{principal.organisation}/{principal.company or ''}"

    def _admit(self, level: Level, companies: set[CreditCode]) -> tuple[Level, Level]:
        """The level's companies that are within the limit, and those that are not."""
        admitted: dict[EnterpriseSelection, list[CreditCode]] = {}
        over: dict[EnterpriseSelection, list[CreditCode]] = {}
        for enterprise, codes in level.items():
            for code in codes:
                if code in companies or len(companies) < self.limit:
                    companies.add(code)
                    admitted.setdefault(enterprise, []).append(code)
                else:
                    over.setdefault(enterprise, []).append(code)
        return admitted, over

    async def _places(
        self, operation: Operation, level: Level, slices: Mapping[AnswerSelection, Slice], answers: Answers
    ) -> list[Place]:
        """The level split by class, each part with its plan."""
        places = []
        for enterprise, codes in level.items():
            by_class = defaultdict(list)
            for code in codes:
                by_class[self.caller.class_for(code)].append(code)
            tables = await asyncio.gather(*(self.tables.table(caller_class) for caller_class in by_class))
            for table, (caller_class, of_class) in zip(tables, by_class.items(), strict=True):
                prepared = self.preparer.prepare(operation, slices, table)
                place = Place(enterprise, prepared.plan, tuple(of_class))
                places.append(place)
                answers.places.append((caller_class, place))
                answers.prepared.update(((enterprise, code), prepared) for code in of_class)
        return places

    async def _join(self, place: Place, slices: Mapping[AnswerSelection, Slice], said: Said, answers: Answers) -> None:
        for answer in place.enterprise.answers:
            authorised = place.plan.authorised.answers[answer]
            for number, code in enumerate(place.codes, 1):
                answers.joined[answer, code] = self.joiner.join(authorised, slices[answer], code, said)
                if number % COMPANIES_AT_ONCE == 0:
                    await asyncio.sleep(0)


def _said(fetched: Fetched) -> Said:
    return lambda supplier, code: fetched.get((supplier.dataset.id, code))


def _over_limit(_supplier: Supplier, _code: CreditCode) -> CompanyRows:
    """What stands for the answer about a company beyond the request's limit."""
    return CompanyRows(Outcome.FAILED, failure=FailureCode.LIMIT)


def _next_level(places: Iterable[Place], answers: Answers) -> Level:
    """The companies that the shown records lead to."""
    found: defaultdict[EnterpriseSelection, dict[CreditCode, None]] = defaultdict(dict)
    for place in places:
        for answer in place.enterprise.answers:
            for link in answer.links:
                for code in place.codes:
                    for record in answers.joined[answer, code].records or ():
                        holder = linked(record, link.field)
                        if holder:
                            found[link.enterprise][holder] = None
    return found
