"""Stage five: one level's companies -> rows or failures, concurrently, inside the deadline."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress

import msgspec

from connectors.contract import Asker, CompanyRows, Coverage, FetchRequest, Supply
from gateway.arguments import Slice
from gateway.operation import AnswerSelection, EnterpriseSelection
from gateway.plan import Plan
from schema.credit_code import CreditCode

Filters = tuple[tuple[str, dt.date], ...]
"""The filters that an agency applies itself, sorted by argument."""


class Place(msgspec.Struct, frozen=True):
    """The companies of one class at one place of the operation, under that class's plan; no company twice."""

    enterprise: EnterpriseSelection
    plan: Plan
    codes: tuple[CreditCode, ...]
    _covered: dict[Coverage, Sequence[bool]] = msgspec.field(default_factory=dict)

    def covered(self, coverage: Coverage) -> Sequence[bool]:
        """Whether each of the companies can be known where this is covered: found out once for all datasets that cover
        the same.
        """
        found = self._covered.get(coverage)
        if found is None:
            found = self._covered[coverage] = coverage.known(*self.codes)
        return found


Partition = Callable[[str], str]
"""The share of the cache that this caller may use, by dataset."""


class Terms(msgspec.Struct, frozen=True):
    """On what terms a request asks: its share of the cache, for whom, and until when, in seconds of the event loop's
    clock.
    """

    partition: Partition
    asker: Asker
    deadline: float


Fetched = Mapping[str, Mapping[CreditCode, CompanyRows]]
"""What each dataset said of each company."""


def pushed(places: Iterable[Place], slices: Mapping[AnswerSelection, Slice]) -> Mapping[str, Filters]:
    """The filters that each dataset can apply itself at this level: those that all its answers have in common. Every
    filter is applied to what comes back too, so that leaving one out only costs rows, and splitting calls by filter
    would cost the agency.
    """
    common: dict[str, set[tuple[str, dt.date]]] = {}
    for place in places:
        for fetch in place.plan.fetches[place.enterprise]:
            for answer in fetch.answers:
                given = slices[answer].filters
                filters = {item for item in given.items() if item[0] in fetch.dataset.filters} if given else set()
                common.setdefault(fetch.dataset.id, filters).intersection_update(filters)
    return {dataset: tuple(sorted(filters)) for dataset, filters in common.items()}


async def fetch_level(requests: Sequence[FetchRequest], supply: Supply) -> Fetched:
    """Asks each dataset once for each set of columns, for all companies of the level together."""
    # No task group: each is under way by now, in few cases as a task, and none of them fails.
    asked = [asyncio.ensure_future(supply.fetch(request)) for request in requests]
    fetched: dict[str, Mapping[CreditCode, CompanyRows]] = {}
    try:
        for request, answers in zip(requests, asked, strict=True):
            others = fetched.get(request.dataset)
            fetched[request.dataset] = {**others, **await answers} if others else await answers
    except BaseException:
        for answers in asked:
            answers.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        raise
    return fetched


def level_requests(
    places: Sequence[Place],
    slices: Mapping[AnswerSelection, Slice],
    terms: Terms,
) -> Sequence[FetchRequest]:
    """The level's requests. A company that is at several places is asked about once, with all the columns needed."""
    filters = pushed(places, slices)
    wanted: defaultdict[str, list[_Part]] = defaultdict(list)
    for place in places:
        for fetch in place.plan.fetches[place.enterprise]:
            covered = place.covered(fetch.dataset.coverage)
            codes = place.codes if all(covered) else tuple(compress(place.codes, covered))
            if codes:
                wanted[fetch.dataset.id].append((fetch.all_columns, codes))
    return [
        FetchRequest(
            dataset, codes, columns, dict(filters[dataset]), terms.partition(dataset), terms.deadline, terms.asker
        )
        for dataset, parts in sorted(wanted.items())
        for columns, codes in (parts if len(parts) == 1 else _by_columns(parts))
    ]


_Part = tuple[frozenset[str], tuple[CreditCode, ...]]
"""Columns, and the companies of which they are wanted."""


def _by_columns(parts: Iterable[_Part]) -> Iterator[_Part]:
    """The parts, each company in one of them alone, which has all its columns."""
    by_code: dict[CreditCode, frozenset[str]] = {}
    for columns, codes in parts:
        for code in codes:
            others = by_code.get(code)
            by_code[code] = others | columns if others else columns
    grouped: defaultdict[frozenset[str], list[CreditCode]] = defaultdict(list)
    for code, columns in by_code.items():
        grouped[columns].append(code)
    return ((columns, tuple(codes)) for columns, codes in grouped.items())
