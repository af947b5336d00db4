"""Questions that lead to companies: who has this identifier, who has this in its name. Decided, planned, then asked.

No company is known yet, so that no legal basis holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from connectors.contract import Asker, CompanyKey, CompanyRows, Dataset, FetchRequest, KeyKind, Supply
from connectors.lookups import BY_IDENTIFIER, CREDIT_CODE, SEARCH
from gateway.editions.coordinates import LEGACY_ID_FIELDS
from gateway.stages.cost import Bill
from gateway.stages.fetch import Partition
from policies.decision import Decision, DecisionTable, Effect
from schema.company_key import LegacyId, SearchName
from schema.questions import BY_LEGACY_ID, MATCH, QUESTIONS


class Lookup(msgspec.Struct, frozen=True):
    """What a root asks for: a company by an identifier of a kind, or companies by a name, of which `first` are wanted.
    `division` is the one that was asked for, None without.
    """

    kind: KeyKind
    key: LegacyId | SearchName
    first: int = 1
    division: str | None = None


class Finder(msgspec.Struct, frozen=True, eq=False):
    """One dataset's part in a lookup, as callers of one class may have it.

    `decisions` are those on the question's rows and fields, by coordinate; those of `gates` must be clear for it to be
    asked. All of its `columns` are control.
    """

    dataset: Dataset
    decisions: Mapping[str, Decision]
    gates: tuple[str, ...]
    columns: frozenset[str]

    @property
    def withheld(self) -> Decision | None:
        """The decision for which it may not be asked; None where it may."""
        return next((self.decisions[gate] for gate in self.gates if not _is_clear(self.decisions[gate])), None)

    def shows(self, field: str) -> bool:
        """Whether the caller may have the grade of this field of a match."""
        decision = self.decisions.get(f"{MATCH}.{field}")
        return decision is not None and _is_clear(decision)


def finders(lookup: Lookup, datasets: Iterable[Dataset], table: DecisionTable) -> tuple[Finder, ...]:
    """Those that could answer, sorted by dataset."""
    search = lookup.kind is KeyKind.NAME
    record, make = (SEARCH, _search) if search else (BY_IDENTIFIER[lookup.kind], _by_identifier)
    found = sorted((one for one in datasets if one.record == record), key=lambda one: one.id)
    return tuple(make(lookup, one, table) for one in found)


def _by_identifier(lookup: Lookup, dataset: Dataset, table: DecisionTable) -> Finder:
    gates = (BY_LEGACY_ID, f"{BY_LEGACY_ID}.{LEGACY_ID_FIELDS[lookup.kind]}")
    decisions = {gate: table.at(dataset.agency, gate) for gate in gates}
    return Finder(dataset, decisions, gates, frozenset({CREDIT_CODE}))


def _search(lookup: Lookup, dataset: Dataset, table: DecisionTable) -> Finder:
    fields = [field for field in QUESTIONS[MATCH].fields if field != "division" or lookup.division is not None]
    decisions = {name: table.at(dataset.agency, name) for name in (MATCH, *(f"{MATCH}.{field}" for field in fields))}
    shown = {field for field in fields if _is_clear(decisions[f"{MATCH}.{field}"])}
    return Finder(dataset, decisions, (MATCH,), frozenset({CREDIT_CODE, *(shown & dataset.fields)}))


def _is_clear(decision: Decision) -> bool:
    return decision.effect is Effect.CLEAR


class Looked(msgspec.Struct, frozen=True):
    """A lookup, who could answer it, and what those that were asked said."""

    lookup: Lookup
    finders: tuple[Finder, ...]
    said: Mapping[str, CompanyRows]


_Call = tuple[str, CompanyKey | None]
"""What identifiers may share a call: the dataset; and of a search, the name."""


class Asking(msgspec.Struct, frozen=True):
    """How one request asks: its share of the cache, for whom, until when by the event loop's clock, on what bill."""

    supply: Supply
    table: DecisionTable
    partition: Partition
    asker: Asker
    deadline: float
    bill: Bill

    async def look(self, lookups: Sequence[Lookup]) -> list[Looked]:
        """Asks each dataset once for all identifiers, and once for each name, all at once. Raises `CostExceeded`."""
        planned = [(lookup, finders(lookup, self.supply.datasets.values(), self.table)) for lookup in lookups]
        requests = list(self._requests(planned))
        self.bill.look(requests)
        answers = await asyncio.gather(*(self.supply.fetch(request) for request in requests))
        said: dict[str, dict[CompanyKey, CompanyRows]] = {}
        for request, answer in zip(requests, answers, strict=True):
            said.setdefault(request.dataset, {}).update(answer)
        return [
            Looked(
                lookup,
                able,
                {
                    finder.dataset.id: said[finder.dataset.id][lookup.key]
                    for finder in able
                    if lookup.key in said.get(finder.dataset.id, {})
                },
            )
            for lookup, able in planned
        ]

    def _requests(self, planned: Iterable[tuple[Lookup, tuple[Finder, ...]]]) -> Iterator[FetchRequest]:
        columns: dict[_Call, frozenset[str]] = {}
        keys: dict[_Call, dict[CompanyKey, None]] = {}
        for lookup, able in planned:
            for finder in able:
                if finder.withheld is None:
                    # Names are asked for one by one: what a search brings does not tell for which it came.
                    call: _Call = (finder.dataset.id, lookup.key if lookup.kind is KeyKind.NAME else None)
                    columns[call] = columns.get(call, frozenset()) | finder.columns
                    keys.setdefault(call, {})[lookup.key] = None
        for call, wanted in keys.items():
            dataset, _ = call
            yield FetchRequest(
                dataset, tuple(wanted), columns[call], {}, self.partition(dataset), self.deadline, self.asker
            )
