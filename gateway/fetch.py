"""Stage five: one level's companies -> rows or failures, concurrently, inside the deadline."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.contract import CompanyRows, FetchRequest, Supply
from gateway.arguments import Slice
from gateway.operation import AnswerSelection, EnterpriseSelection
from gateway.plan import Fetch, Plan
from schema.credit_code import CreditCode

Filters = tuple[tuple[str, dt.date], ...]
"""The filters that an agency applies itself, sorted by argument."""


@dataclass(frozen=True, slots=True)
class Place:
    """The companies of one class at one place of the operation, under that class's plan; no company twice."""

    enterprise: EnterpriseSelection
    plan: Plan
    codes: tuple[CreditCode, ...]


Partition = Callable[[str], str]
"""The share of the cache that this caller may use, by dataset."""

Fetched = Mapping[tuple[str, Filters, CreditCode], CompanyRows]
"""What each dataset said of each company under the filters that it was given."""


def pushed(fetch: Fetch, slices: Mapping[AnswerSelection, Slice]) -> Filters:
    """The filters that the agency can apply for this fetch: those that all its answers have in common. Every filter is
    applied to what comes back too, so that leaving one out only costs rows.
    """
    common = set.intersection(*(set(slices[answer].filters.items()) for answer in fetch.answers))
    return tuple(sorted((name, bound) for name, bound in common if name in fetch.dataset.filters))


async def fetch_level(
    places: Iterable[Place],
    slices: Mapping[AnswerSelection, Slice],
    supply: Supply,
    partition: Partition,
    deadline: float,
) -> Fetched:
    """Asks each dataset once for each set of columns, for all companies of the level together.

    `deadline` is in seconds of the event loop's clock.
    """
    requests = level_requests(places, slices, partition, deadline)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supply.fetch(request)) for request in requests]
    return {
        (request.dataset, tuple(sorted(request.filters.items())), code): rows
        for request, task in zip(requests, tasks, strict=True)
        for code, rows in task.result().items()
    }


def level_requests(
    places: Iterable[Place],
    slices: Mapping[AnswerSelection, Slice],
    partition: Partition,
    deadline: float,
) -> Sequence[FetchRequest]:
    """The level's requests. A company that is at several places is asked about once, with all the columns needed."""
    wanted: defaultdict[tuple[str, Filters], dict[CreditCode, frozenset[str]]] = defaultdict(dict)
    for place in places:
        for fetch in place.plan.fetches[place.enterprise]:
            columns = wanted[fetch.dataset.id, pushed(fetch, slices)]
            for code in filter(fetch.dataset.coverage.may_know, place.codes):
                columns[code] = columns.get(code, frozenset()) | fetch.all_columns
    return [
        FetchRequest(dataset, tuple(codes), columns, dict(filters), partition(dataset), deadline)
        for (dataset, filters), by_code in sorted(wanted.items())
        for columns, codes in _by_columns(by_code).items()
    ]


def _by_columns(by_code: Mapping[CreditCode, frozenset[str]]) -> Mapping[frozenset[str], list[CreditCode]]:
    grouped: defaultdict[frozenset[str], list[CreditCode]] = defaultdict(list)
    for code, columns in by_code.items():
        grouped[columns].append(code)
    return grouped
