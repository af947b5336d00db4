"""Stage five: one level's companies -> rows or failures, concurrently, inside the deadline."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress

import msgspec

from connectors.contract import Asker, CompanyKey, CompanyRows, Coverage, Dataset, FetchRequest, KeyKind, Supply
from connectors.lookups import IDENTIFIERS
from gateway.arguments import Slice
from gateway.caller import Caller
from gateway.crosswalk import Keys, Said, crosswalks
from gateway.operation import AnswerSelection, EnterpriseSelection
from gateway.plan import Fetch, Plan
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


async def fetch_level(
    places: Sequence[Place],
    slices: Mapping[AnswerSelection, Slice],
    supply: Supply,
    terms: Terms,
) -> Fetched:
    """Asks each dataset once for each set of columns, for all companies of the level together. Those that know
    companies by an identifier of their own are asked once the crosswalks have told it.
    """
    asking = _Asking(supply, terms, pushed(places, slices))
    wanted = level_wants(places)
    keyed = [want for want in wanted if want.dataset.key in IDENTIFIERS]
    if not keyed:
        return await asking.ask(wanted)
    async with asyncio.TaskGroup() as level:
        at_once = level.create_task(asking.ask([want for want in wanted if want.dataset.key not in IDENTIFIERS]))
        told = await asking.ask(crosswalk_wants(places))
        by_identifier = await asking.ask_by_identifier(keyed, _tellers(places), told)
    return {**at_once.result(), **by_identifier}


class Want(msgspec.Struct, frozen=True):
    """What a level wants of one dataset: these columns, of these companies; `single` where each has at most one row."""

    dataset: Dataset
    columns: frozenset[str]
    codes: tuple[CreditCode, ...]
    single: bool = False


class _Asking(msgspec.Struct, frozen=True):
    """One level's questions to the supply."""

    supply: Supply
    terms: Terms
    filters: Mapping[str, Filters]

    async def ask(self, wanted: Iterable[Want]) -> Fetched:
        """Asks for all of it at once, by credit code."""
        fetched: dict[str, Said] = {}
        answers = await self._answers([(want, want.codes) for want in wanted])
        for want, said in answers:
            others = fetched.get(want.dataset.id)
            fetched[want.dataset.id] = {**others, **said} if others else said
        return fetched

    async def ask_by_identifier(
        self, wanted: Sequence[Want], tellers: Mapping[KeyKind, Sequence[Dataset]], told: Fetched
    ) -> Fetched:
        """Asks for all of it at once, by the identifiers that the crosswalks told; the answers are by credit code."""
        codes: defaultdict[KeyKind, dict[CreditCode, None]] = defaultdict(dict)
        for want in wanted:
            codes[want.dataset.key].update(dict.fromkeys(want.codes))
        keys = {kind: Keys(kind, tellers.get(kind, ()), of_kind, told) for kind, of_kind in codes.items()}
        questions = [(want, keys[want.dataset.key].ids(want.codes)) for want in wanted]
        answers = await self._answers([(want, ids) for want, ids in questions if ids])
        unasked = [(want, dict[CompanyKey, CompanyRows]()) for want, ids in questions if not ids]
        fetched: dict[str, Said] = {}
        for want, said in (*answers, *unasked):
            by_code = keys[want.dataset.key].answers(want.codes, said, single=want.single)
            fetched[want.dataset.id] = {**fetched.get(want.dataset.id, {}), **by_code}
        return fetched

    async def _answers(self, wanted: Sequence[tuple[Want, tuple[CompanyKey, ...]]]) -> list[tuple[Want, Said]]:
        # No task group: each is under way by now, in few cases as a task, and none of them fails.
        asked = [asyncio.ensure_future(self._answer(want, keys)) for want, keys in wanted]
        try:
            return [(want, await answers) for (want, _), answers in zip(wanted, asked, strict=True)]
        except BaseException:
            for answers in asked:
                answers.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            raise

    def _answer(self, want: Want, keys: tuple[CompanyKey, ...]) -> Awaitable[Said]:
        dataset, terms = want.dataset.id, self.terms
        filters, partition = dict(self.filters.get(dataset, ())), terms.partition(dataset)
        return self.supply.fetch(
            FetchRequest(dataset, keys, want.columns, filters, partition, terms.deadline, terms.asker)
        )


def level_wants(places: Iterable[Place]) -> Sequence[Want]:
    """What the level wants. A company that is at several places is asked about once, with all the columns needed."""
    return _wants(
        (fetch, place, place.covered(fetch.dataset.coverage))
        for place in places
        for fetch in place.plan.fetches[place.enterprise]
    )


def crosswalk_wants(places: Iterable[Place]) -> Sequence[Want]:
    """What the level wants of crosswalks: of the companies that some dataset keyed by another identifier may know."""

    def known(place: Place, crosswalk: Fetch) -> Sequence[bool]:
        fetches = place.plan.fetches[place.enterprise]
        keyed = [place.covered(fetch.dataset.coverage) for fetch in fetches if fetch.dataset.key in IDENTIFIERS]
        told = place.covered(crosswalk.dataset.coverage)
        return [told[index] and any(covered[index] for covered in keyed) for index in range(len(place.codes))]

    return _wants(
        (fetch, place, known(place, fetch)) for place in places for fetch in place.plan.before[place.enterprise]
    )


def _tellers(places: Iterable[Place]) -> Mapping[KeyKind, Sequence[Dataset]]:
    """The crosswalks that tell each identifier."""
    found = {fetch.dataset.id: fetch.dataset for place in places for fetch in place.plan.before[place.enterprise]}
    return crosswalks(found.values())


def _wants(fetches: Iterable[tuple[Fetch, Place, Sequence[bool]]]) -> Sequence[Want]:
    """The wants of these fetches, each of those companies of its place that are marked; sorted by dataset."""
    datasets: dict[str, Fetch] = {}
    wanted: defaultdict[str, list[_Part]] = defaultdict(list)
    for fetch, place, marked in fetches:
        codes = place.codes if all(marked) else tuple(compress(place.codes, marked))
        if codes:
            datasets[fetch.dataset.id] = fetch
            wanted[fetch.dataset.id].append((fetch.all_columns, codes))
    return [
        Want(datasets[id_].dataset, columns, codes, any(answer.record.single for answer in datasets[id_].answers))
        for id_, parts in sorted(wanted.items())
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
