"""The federated roots, level by level: decide, plan, fetch, join, and follow the links that are shown.

A level's companies are split by class before anything of that level is fetched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from connectors.contract import Asker, CompanyRows, FailureCode, Outcome, Supply
from connectors.turns import Turn
from gateway.activity import Activity, Stage
from gateway.editions.tables import Tables
from gateway.quotas.quotas import Quotas
from gateway.stages.arguments import Slice
from gateway.stages.authorise import Supplier
from gateway.stages.caller import Caller
from gateway.stages.collect import Said
from gateway.stages.cost import Bill
from gateway.stages.fetch import NO_REQUESTS, Fetched, Place, Terms, fetch_level, level_requests, partition
from gateway.stages.join import AnswerJoiner, Joined, Joiner
from gateway.stages.lookup import Looked
from gateway.stages.operation import AnswerSelection, EnterpriseSelection, Operation
from gateway.stages.origin import linked
from gateway.stages.prepare import Prepared, Preparer
from gateway.stages.roots import RootCompanies
from gateway.stages.shape import AnswerWriter
from policies.decision import CallerClass
from schema.credit_code import CreditCode

Level = Mapping[EnterpriseSelection, Iterable[CreditCode]]
"""The companies of one level by where they appear; no company twice at one place."""


class Settled(msgspec.Struct, frozen=True):
    """One place, for the class of caller that it was planned for: how its answers are written, and what was joined for
    each of its companies, in their order.
    """

    caller_class: CallerClass
    place: Place
    writers: Mapping[AnswerSelection, AnswerWriter]
    joined: Mapping[AnswerSelection, Joined]


class Answers(msgspec.Struct, frozen=True):
    """What federating brought: every place, and the companies asked about. `looked` are the lookups that these were
    found by.
    """

    settled: list[Settled]
    companies: set[CreditCode]
    looked: tuple[Looked, ...] = ()


class Federation(msgspec.Struct, frozen=True):
    """One request's way through the levels.

    `shared` names the datasets whose cached rows may serve every organisation; `limit` bounds the request's distinct
    companies, `bill` its cost, `quotas` what its caller may ask about on a day; `deadline` is in seconds of the event
    loop's clock. `activity` times the stages.
    """

    supply: Supply
    tables: Tables
    preparer: Preparer
    joiner: Joiner
    caller: Caller
    asker: Asker
    shared: frozenset[str]
    bill: Bill
    quotas: Quotas
    limit: int
    deadline: float
    activity: Activity

    async def run(
        self,
        operation: Operation,
        roots: RootCompanies,
        slices: Mapping[AnswerSelection, Slice],
        turn: Turn,
        asked: set[CreditCode],
    ) -> Answers:
        """Asks for everything that the operation selects of its roots' companies, and of those they lead to. Each
        level's companies are in `asked` before anybody is asked about them: it outlives a run that is cut short.

        Raises `CostExceeded` and `CompaniesExceededError` before anything is asked. A further level that the bill or
        the quotas do not cover is not asked for.
        """
        answers = Answers([], asked)
        level: Level = {
            enterprise: dict.fromkeys(filter(None, asked.codes))
            for asked in roots.asked
            for enterprise in asked.root.enterprises
        }
        terms = Terms(partition(self.caller, self.shared), self.asker, self.deadline)
        while level:
            companies = set(answers.companies)
            admitted, over = self._admit(level, companies)
            with self.activity.stage(Stage.PLAN):
                planned = await self._plan(operation, admitted, slices, turn)
                places = [one.place for one in planned]
                requests = level_requests(places, slices, terms)
            if not answers.settled:
                self.bill.begin(requests.all(), places, slices, self.limit)
                await self.quotas.check(self.caller.principal, companies)
            elif not self.bill.covers(requests.all()) or not await self._admits(companies - answers.companies):
                requests, planned, over, companies = NO_REQUESTS, [], level, answers.companies
            answers.companies.update(companies)
            with self.activity.stage(Stage.FETCH):
                fetched = await fetch_level(requests, self.supply)
            turn.begin()
            with self.activity.stage(Stage.JOIN):
                found = [await self._join(one, slices, _said(fetched), turn) for one in planned]
                beyond = await self._plan(operation, over, slices, turn)
                answers.settled.extend(found)
                answers.settled.extend([await self._join(one, slices, _over_limit, turn) for one in beyond])
                level = await _next_level(found, turn)
        return answers

    async def _admits(self, companies: set[CreditCode]) -> bool:
        """Whether its quota lets the caller ask about these companies too, which links lead to."""
        return await self.quotas.admits(self.caller.principal, companies)

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

    async def _plan(
        self, operation: Operation, level: Level, slices: Mapping[AnswerSelection, Slice], turn: Turn
    ) -> list[_Planned]:
        """The level split by class, each part with its plan."""
        planned = []
        bases = self.caller.bases()
        for enterprise, codes in level.items():
            by_bases = defaultdict(list)
            for code in codes:
                by_bases[bases(code)].append(code)
                if turn.is_over():
                    await turn.pass_on()
            for held, of_class in by_bases.items():
                caller_class = self.caller.class_with(held)
                with self.activity.stage(Stage.DECIDE):
                    table = await self.tables.table(caller_class)
                prepared = self.preparer.prepare(operation, slices, table)
                self.activity.decided(prepared.decisions)
                place = Place(enterprise, prepared.plan, tuple(of_class))
                planned.append(_Planned(caller_class, place, prepared))
                if turn.is_over():
                    await turn.pass_on()
        return planned

    async def _join(
        self, planned: _Planned, slices: Mapping[AnswerSelection, Slice], said: Said, turn: Turn
    ) -> Settled:
        place = planned.place
        joined: dict[AnswerSelection, Joined] = {}
        for answer in place.enterprise.answers:
            joining = AnswerJoiner(planned.prepared.joinings[answer], self.joiner, place, slices[answer], said)
            joined[answer] = joining.joined
            for _ in joining.join():
                if turn.is_over():
                    await turn.pass_on()
        return Settled(planned.caller_class, place, planned.prepared.writers, joined)


class _Planned(msgspec.Struct, frozen=True):
    """One place before it is fetched."""

    caller_class: CallerClass
    place: Place
    prepared: Prepared


def _said(fetched: Fetched) -> Said:
    return lambda supplier: fetched.get(supplier.dataset.id, {}).get


def _over_limit(_supplier: Supplier) -> Callable[[CreditCode], CompanyRows]:
    """What stands for the answers about companies beyond the request's limit."""
    failed = CompanyRows(Outcome.FAILED, failure=FailureCode.LIMIT)
    return lambda _code: failed


async def _next_level(settled: Iterable[Settled], turn: Turn) -> Level:
    """The companies that the shown records lead to."""
    found: defaultdict[EnterpriseSelection, dict[CreditCode, None]] = defaultdict(dict)
    for part in settled:
        for answer in part.place.enterprise.answers:
            for link in answer.links:
                for records in part.joined[answer].records:
                    for record in records or ():
                        holder = linked(record, link.field)
                        if holder:
                            found[link.enterprise][CreditCode.parse(holder)] = None
                    if turn.is_over():
                        await turn.pass_on()
    return found
