"""Rows kept for the seconds that a manifest allows, and asked for by one request at a time: at a first level in memory,
and behind it at a second, where there is one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from connectors.contract import Answers, CompanyKey, CompanyRows, FetchRequest, Outcome
from connectors.first_level import Entry, FirstLevel
from connectors.lifetimes import Lifetimes
from connectors.second_level import DatasetEntries, SecondLevel
from connectors.shelf import shelf_of

Ask = Callable[[Sequence[CompanyKey]], Awaitable[Answers]]


@dataclass(eq=False, slots=True)
class _Flight:
    """What one request looks for at the second level, and asks an agency, at the moment."""

    columns: frozenset[str]
    landed: asyncio.Future[None]


class RowCache:
    """At most `largest` rows (a company without rows counts as one), by dataset, company, filters and partition.

    Times are in seconds of the event loop's clock. `second` is looked into for what memory does not hold, and closed
    with the cache. Both keep rows of a dataset under its name (`FetchRequest.dataset`), or under another that `name`
    gave.
    """

    def __init__(self, largest: int, second: SecondLevel | None = None) -> None:
        self._second = second
        self._first = FirstLevel(largest)
        self._flights: dict[str, _Flight] = {}
        self._digests: dict[str, bytes] = {}

    @property
    def rows(self) -> int:
        """How many rows are kept in memory."""
        return self._first.rows

    @property
    def second(self) -> SecondLevel | None:
        """The second level, where there is one."""
        return self._second

    def name(self, dataset: str, entries: DatasetEntries) -> str:
        """The name under which these entries of a dataset are kept: rows that its manifest made before it changed are
        others.
        """
        first = self._digests.setdefault(dataset, entries.digest)
        name = dataset if first == entries.digest else f"{dataset}@{entries.digest.hex()}"
        if self._second is not None:
            self._second.know(name, entries)
        return name

    async def through(self, request: FetchRequest, lifetimes: Lifetimes, ask: Ask) -> dict[CompanyKey, CompanyRows]:
        """What is kept of the asked companies, and what `ask` brings of the others.

        What another request of the same partition is asking is waited for, and asked only if that brought nothing to
        keep: its failure may be of its own making.
        """
        shelf = shelf_of(request)
        answers, missing = self._look(request, shelf, request.codes)
        if not missing:
            return answers
        flights = {code: flight for code in missing if (flight := self._flight(request, shelf + code))}
        own = [code for code in missing if code not in flights]
        if own:
            answers.update(await self._fly(request, own, lifetimes, ask))
        if flights:
            await _landed(flights.values(), request.deadline)
            landed, rest = self._look(request, shelf, flights)
            answers |= landed
            if rest:
                answers.update(await self._fly(request, rest, lifetimes, ask))
        return answers

    def or_stale(self, request: FetchRequest, answers: Answers) -> Answers:
        """The answers, and in place of failures rows that are fresh no more, for as long as they may stand in."""
        shelf = shelf_of(request)
        return {code: self._or_stale(request, shelf + code, rows) for code, rows in answers.items()}

    async def close(self) -> None:
        """Forgets everything that is in memory, and closes the second level."""
        if self._second is not None:
            await self._second.close()
        self._first.close()

    def _look(
        self, request: FetchRequest, shelf: str, codes: Iterable[CompanyKey]
    ) -> tuple[dict[CompanyKey, CompanyRows], list[CompanyKey]]:
        """What is kept fresh and with all asked columns, the rows holding just these; and the other companies."""
        now = asyncio.get_running_loop().time()
        found: dict[CompanyKey, CompanyRows] = {}
        missing: list[CompanyKey] = []
        for code in codes:
            key = shelf + code
            entry = self._first.look(key)
            if entry is None or entry.fresh_until <= now or not request.columns <= entry.columns:
                missing.append(code)
            else:
                self._first.use(key)
                found[code] = _cut(entry, request.columns)
        return found, missing

    def _flight(self, request: FetchRequest, key: str) -> _Flight | None:
        flight = self._flights.get(key)
        return flight if flight is not None and request.columns <= flight.columns else None

    async def _fly(self, request: FetchRequest, codes: Sequence[CompanyKey], lifetimes: Lifetimes, ask: Ask) -> Answers:
        """Gets the companies' rows from behind memory, and keeps them there before those who wait for them go on."""
        flight = _Flight(request.columns, asyncio.get_running_loop().create_future())
        shelf = shelf_of(request)
        keys = [shelf + code for code in codes]
        self._flights.update(dict.fromkeys(keys, flight))
        try:
            found = await self._find(request, codes, lifetimes)
            missing = [code for code in codes if code not in found] if found else codes
            return {**found, **await self._ask(request, missing, lifetimes, ask)} if missing else found
        finally:
            for key in keys:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            flight.landed.set_result(None)

    async def _find(
        self, request: FetchRequest, codes: Sequence[CompanyKey], lifetimes: Lifetimes
    ) -> dict[CompanyKey, CompanyRows]:
        """What the second level holds of the companies."""
        if self._second is None:
            return {}
        shelf, now = shelf_of(request), asyncio.get_running_loop().time()
        entries = {
            code: Entry(kept.columns, kept.rows, now + kept.left, now + kept.left + lifetimes.stale)
            for code, kept in (await self._second.look(request, codes, lifetimes)).items()
        }
        await self._first.keep([(shelf + code, entry) for code, entry in entries.items()])
        return {code: _cut(entry, request.columns) for code, entry in entries.items() if entry.fresh_until > now}

    async def _ask(self, request: FetchRequest, codes: Sequence[CompanyKey], lifetimes: Lifetimes, ask: Ask) -> Answers:
        """What the agency says of the companies; what may be kept of it is, at both levels."""
        # From before the call: rows are as old as the agency's look at them, which may be any time after.
        asked_at, began = time.time(), asyncio.get_running_loop().time()
        answers = await ask(codes)
        shelf = shelf_of(request)
        kept = [(code, answers[code]) for code in codes if lifetimes.keep(answers[code])]
        entries: list[tuple[str, Entry]] = []
        for code, rows in kept:
            fresh_until = began + lifetimes.of(rows)
            entries.append((shelf + code, Entry(request.columns, rows, fresh_until, fresh_until + lifetimes.stale)))
        await self._first.keep(entries)
        if self._second is not None:
            self._second.put(request, kept, asked_at, began + lifetimes.longest)
        return answers

    def _or_stale(self, request: FetchRequest, key: str, rows: CompanyRows) -> CompanyRows:
        """The rows, or what stands in for them: not for a failure that tells that the agency gives them no more."""
        if rows.outcome is not Outcome.FAILED or not rows.retryable:
            return rows
        kept = self._first.look(key)
        now = asyncio.get_running_loop().time()
        if kept is None or kept.kept_until <= now or not request.columns <= kept.columns:
            return rows
        return replace(_cut(kept, request.columns), outcome=Outcome.STALE, failure=rows.failure, retryable=True)


async def _landed(flights: Iterable[_Flight], deadline: float) -> None:
    """Waits until the flights have landed, or the deadline."""
    left = deadline - asyncio.get_running_loop().time()
    await asyncio.wait({flight.landed for flight in flights}, timeout=max(left, 0))


def _cut(entry: Entry, columns: frozenset[str]) -> CompanyRows:
    if columns == entry.columns:
        return entry.rows
    rows = tuple({name: row[name] for name in columns} for row in entry.rows.rows)
    return replace(entry.rows, rows=rows)
