"""An agency's calls shared out: no organisation has more than its part of those that the agency bears at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from weakref import WeakValueDictionary

from msgspec.structs import replace

from connectors.contract import Answers, CompanyKey, CompanyRows, Dataset, FailureCode, FetchRequest, Outcome, Supply
from connectors.kindness.places import Places

Held = WeakValueDictionary[tuple[str, str], Places]
"""The places at an agency, by organisation and agency, of those that have some or wait for some."""


class FairSupply:
    """As `Supply`. What an organisation asks beyond its `share` of an agency's `concurrency` waits for its own earlier
    calls, inside its deadline; the calls of others go ahead.
    """

    def __init__(self, supply: Supply, concurrency: Mapping[str, int], share: float, held: Held) -> None:
        """`concurrency` is how many calls each agency bears at once from this process; one is everybody's due. What is
        `held`, in other supplies as well, counts.
        """
        self._supply = supply
        self._most = {agency: max(1, int(calls * share)) for agency, calls in concurrency.items()}
        self._held = held

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """As in `Supply`."""
        return self._supply.datasets

    def fetch(self, request: FetchRequest) -> Awaitable[Answers]:
        """As in `Supply`. What takes several calls is asked piece by piece, each of one call at most."""
        dataset = self.datasets[request.dataset]
        key = (request.asker.organisation if request.asker else "", dataset.agency)
        most = self._most[dataset.agency]
        places = self._held.get(key)
        if places is None:
            places = self._held[key] = Places(most)
        elif places.most != most:
            places.change(most)
        if len(request.codes) <= dataset.batch:
            return self._fetch(request, places)
        pieces = [
            replace(request, codes=request.codes[start : start + dataset.batch])
            for start in range(0, len(request.codes), dataset.batch)
        ]
        return self._all(pieces, places)

    async def _all(self, pieces: Sequence[FetchRequest], places: Places) -> Answers:
        asked = [asyncio.ensure_future(self._fetch(piece, places)) for piece in pieces]
        answers: dict[CompanyKey, CompanyRows] = {}
        try:
            for piece in asked:
                answers.update(await piece)
        except BaseException:
            for piece in asked:
                piece.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            raise
        return answers

    async def _fetch(self, request: FetchRequest, places: Places) -> Answers:
        if not places.take():
            try:
                async with asyncio.timeout_at(request.deadline):
                    await places.wait()
            except TimeoutError:
                late = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_OVERLOADED, retryable=True)
                return dict.fromkeys(request.codes, late)
        try:
            return await self._supply.fetch(request)
        finally:
            places.give_back()
