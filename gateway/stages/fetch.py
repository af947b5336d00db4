"""Stage five: one level's companies -> rows or failures, concurrently, inside the deadline."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Final

import msgspec
from msgspec.structs import replace

from connectors.contract import Asker, Coverage, FetchRequest, KeyKind, Supply
from connectors.lookups import IDENTIFIERS
from gateway.stages.arguments import Slice
from gateway.stages.caller import Caller
from gateway.stages.crosswalk import Crosswalks, Keys, Said, crosswalks
from gateway.stages.operation import AnswerSelection, EnterpriseSelection
from gateway.stages.plan import Fetch, Plan
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
            found = self._covered[coverage] = coverage.known(self.codes)
        return found


Partition = Callable[[str], str]
"""The share of the cache that this caller may use, by dataset."""


def partition(caller: Caller, shared: frozenset[str]) -> Partition:
    """This caller's, where cached rows of the `shared` datasets may serve every organisation."""
    principal = caller.principal
    own = f"{principal.organisation}/{principal.company or ''}"
    return lambda dataset: "" if dataset in shared else own


class Terms(msgspec.Struct, frozen=True):
    """On what terms a request asks: its share of the cache, for whom, and until when, in seconds of the event loop's
    clock.
    """

    partition: Partition
    asker: Asker
    deadline: float


Fetched = Mapping[str, Said]
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


class Keyed(msgspec.Struct, frozen=True):
    """A request to a dataset that knows companies by an identifier of this kind, for now by their credit codes.

    `single` tells that each has at most one row.
    """

    kind: KeyKind
    request: FetchRequest
    codes: tuple[CreditCode, ...]
    single: bool


class LevelRequests(msgspec.Struct, frozen=True):
    """What one level asks: `at_once`, by credit code; and of crosswalks, `before` the `keyed` requests. `tellers` are
    the crosswalks that tell each identifier.
    """

    at_once: Sequence[FetchRequest]
    before: Sequence[FetchRequest] = ()
    keyed: Sequence[Keyed] = ()
    tellers: Crosswalks = msgspec.field(default_factory=dict)

    def all(self) -> Sequence[FetchRequest]:
        """Each of them, by credit code."""
        if not self.keyed:
            return self.at_once
        return [*self.at_once, *self.before, *(keyed.request for keyed in self.keyed)]


NO_REQUESTS: Final = LevelRequests(())


async def fetch_level(requests: LevelRequests, supply: Supply) -> Fetched:
    """Asks each dataset once for each set of columns, for all companies of the level together. Those that know
    companies by an identifier of their own are asked once the crosswalks have told it.
    """
    if not requests.keyed:
        return await _ask(requests.at_once, supply)
    async with asyncio.TaskGroup() as level:
        at_once = level.create_task(_ask(requests.at_once, supply))
        told = await _ask(requests.before, supply)
        by_identifier = await _ask_by_identifier(requests, told, supply)
    return {**at_once.result(), **by_identifier}


async def _ask(requests: Sequence[FetchRequest], supply: Supply) -> Fetched:
    fetched: dict[str, Said] = {}
    for request, said in zip(requests, await _answers(requests, supply), strict=True):
        others = fetched.get(request.dataset)
        fetched[request.dataset] = {**others, **said} if others else said
    return fetched


async def _ask_by_identifier(requests: LevelRequests, told: Fetched, supply: Supply) -> Fetched:
    """Asks by the identifiers that the crosswalks told; the answers are by credit code."""
    codes: defaultdict[KeyKind, dict[CreditCode, None]] = defaultdict(dict)
    for keyed in requests.keyed:
        codes[keyed.kind].update(dict.fromkeys(keyed.codes))
    keys = {kind: Keys(kind, requests.tellers.get(kind, ()), of_kind, told) for kind, of_kind in codes.items()}
    questions = [(keyed, keys[keyed.kind].ids(keyed.codes)) for keyed in requests.keyed]
    asked = [replace(keyed.request, codes=ids) for keyed, ids in questions if ids]
    answers = iter(await _answers(asked, supply))
    fetched: dict[str, Said] = {}
    for keyed, ids in questions:
        said = keys[keyed.kind].answers(keyed.codes, next(answers) if ids else {}, single=keyed.single)
        fetched[keyed.request.dataset] = {**fetched.get(keyed.request.dataset, {}), **said}
    return fetched


async def _answers(requests: Sequence[FetchRequest], supply: Supply) -> Sequence[Said]:
    # No task group: each is under way by now, in few cases as a task, and none of them fails.
    asked = [asyncio.ensure_future(supply.fetch(request)) for request in requests]
    try:
        return [await answers for answers in asked]
    except BaseException:
        for answers in asked:
            answers.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        raise


def level_requests(
    places: Sequence[Place],
    slices: Mapping[AnswerSelection, Slice],
    terms: Terms,
) -> LevelRequests:
    """The level's requests. A company that is at several places is asked about once, with all the columns needed."""
    filters = pushed(places, slices)
    at_once: list[FetchRequest] = []
    keyed: list[Keyed] = []
    for fetch, request, codes in _requests(_fetches(places), filters, terms):
        if fetch.dataset.key in IDENTIFIERS:
            single = any(answer.record.single for answer in fetch.answers)
            keyed.append(Keyed(fetch.dataset.key, request, codes, single))
        else:
            at_once.append(request)
    if not keyed:
        return LevelRequests(at_once)
    before = [request for _, request, _ in _requests(_crosswalk_fetches(places), {}, terms)]
    crosswalk = {fetch.dataset.id: fetch.dataset for place in places for fetch in place.plan.before[place.enterprise]}
    return LevelRequests(at_once, before, keyed, crosswalks(crosswalk.values()))


_Marked = tuple[Fetch, Place, Sequence[bool]]
"""A fetch, and which of its place's companies it is for."""


def _fetches(places: Iterable[Place]) -> Iterator[_Marked]:
    return (
        (fetch, place, place.covered(fetch.dataset.coverage))
        for place in places
        for fetch in place.plan.fetches[place.enterprise]
    )


def _crosswalk_fetches(places: Iterable[Place]) -> Iterator[_Marked]:
    """Those from crosswalks: for companies that some dataset keyed by another identifier may know."""
    for place in places:
        fetches = place.plan.fetches[place.enterprise]
        keyed = [place.covered(fetch.dataset.coverage) for fetch in fetches if fetch.dataset.key in IDENTIFIERS]
        for crosswalk in place.plan.before[place.enterprise]:
            told = place.covered(crosswalk.dataset.coverage)
            marked = [told[index] and any(covered[index] for covered in keyed) for index in range(len(place.codes))]
            yield crosswalk, place, marked


def _requests(
    fetches: Iterable[_Marked], filters: Mapping[str, Filters], terms: Terms
) -> Iterator[tuple[Fetch, FetchRequest, tuple[CreditCode, ...]]]:
    """The requests of these fetches, sorted by dataset, each with its companies."""
    datasets: dict[str, Fetch] = {}
    wanted: defaultdict[str, list[_Part]] = defaultdict(list)
    for fetch, place, marked in fetches:
        codes = place.codes if all(marked) else tuple(compress(place.codes, marked))
        if codes:
            datasets[fetch.dataset.id] = fetch
            wanted[fetch.dataset.id].append((fetch.all_columns, codes))
    for dataset, parts in sorted(wanted.items()):
        given, partition = dict(filters.get(dataset, ())), terms.partition(dataset)
        for columns, codes in parts if len(parts) == 1 else _by_columns(parts):
            request = FetchRequest(dataset, codes, columns, given, partition, terms.deadline, terms.asker)
            yield datasets[dataset], request, codes


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
