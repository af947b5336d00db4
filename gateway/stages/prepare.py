"""Authorised, planned, given writers: all of an operation that depends on the caller's class, not on the company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from cachetools import LRUCache

from connectors.contract import Dataset
from gateway.stages.arguments import Slice
from gateway.stages.authorise import Authorised, Filtered, authorise
from gateway.stages.crosswalk import crosswalks
from gateway.stages.join import Joining, joinings
from gateway.stages.operation import AnswerSelection, Operation
from gateway.stages.plan import Plan, make_plan
from gateway.stages.shape import Agencies, AnswerWriter, answer_writers
from policies.decision import DecisionTable, Effect
from policies.publicity import Publicity


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An operation for one class of caller: its plan, and how its answers are joined and written. `decisions` are how
    many there are of each effect on the coordinates that it selects.
    """

    plan: Plan
    joinings: Mapping[AnswerSelection, Joining]
    writers: Mapping[AnswerSelection, AnswerWriter]
    decisions: Mapping[Effect, int]


class Preparer:
    """Prepares operations, and keeps the `size` most recently used, by operation, decision table and filters."""

    def __init__(
        self, datasets: Mapping[str, Dataset], agencies: Agencies, publicity: Publicity, size: int = 1_000
    ) -> None:
        self._datasets = tuple(sorted(datasets.values(), key=lambda one: (one.precedence, one.id)))
        self._crosswalks = crosswalks(self._datasets)
        self._agencies = agencies
        self._publicity = publicity
        self._kept: LRUCache[Hashable, tuple[DecisionTable, Prepared]] = LRUCache(size)

    def prepare(self, operation: Operation, slices: Mapping[AnswerSelection, Slice], table: DecisionTable) -> Prepared:
        """The operation as callers of the table's class may have it."""
        filtered: Filtered = {answer: frozenset(slice_.filters) for answer, slice_ in slices.items() if slice_.filters}
        key = (operation, id(table), frozenset(filtered.items()))
        kept = self._kept.get(key)
        # The table is kept beside what was made of it, so that its identity cannot be another's while the entry lives.
        if kept is None or kept[0] is not table:
            authorised = authorise(operation, filtered, table, self._datasets, self._publicity)
            prepared = Prepared(
                make_plan(operation, authorised, self._crosswalks),
                joinings(authorised, self._publicity),
                answer_writers(authorised, self._agencies),
                _decisions(authorised),
            )
            kept = self._kept[key] = (table, prepared)
        return kept[1]


def _decisions(authorised: Authorised) -> Mapping[Effect, int]:
    return Counter(
        decision.effect
        for answer in authorised.answers.values()
        for supplier in answer.suppliers
        for _, _, decision in supplier.coordinates()
    )
