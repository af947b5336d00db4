"""What a request costs the agencies, reckoned on its plan before anything is asked.

Each call costs one, and each company in it one more, times the weight of its dataset: a batch of a hundred companies
costs 101, a hundred calls for one company each cost 200. At the companies that were asked for, the calls are those that
will be made. Behind a link they are those that there could be, where each company leads to `first` others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import msgspec
from graphql import GraphQLError

from connectors.contract import Dataset, FetchRequest
from gateway.settings import CostSettings
from gateway.stages.arguments import Slice
from gateway.stages.fetch import Place
from gateway.stages.operation import AnswerSelection, EnterpriseSelection
from gateway.stages.plan import companies_at
from gateway.stages.refusals import CostExceeded


class Price(msgspec.Struct, frozen=True):
    """What one dataset costs: `weight` for each call of at most `batch` companies, and for each of them."""

    weight: float
    batch: int

    def of(self, companies: int) -> float:
        """What it costs to ask about so many companies."""
        return self.weight * (ceil(companies / self.batch) + companies)


class Tariff(msgspec.Struct, frozen=True):
    """What each dataset costs, and how much a request may cost: `budgets` by organisation, or else `budget`. Cost is
    told with each answer where it is `told`.
    """

    prices: Mapping[str, Price]
    budget: float
    budgets: Mapping[str, float]
    told: bool = False

    def bill(self, organisation: str) -> Bill:
        """The bill of a new request of this organisation."""
        return Bill(self, self.budgets.get(organisation, self.budget))


def tariff(settings: CostSettings, datasets: Mapping[str, Dataset]) -> Tariff:
    """The tariff for these datasets: a weight is that of the dataset, or else of its agency, or else 1."""
    weights = settings.weights
    prices = {
        id_: Price(weights.get(id_, weights.get(dataset.agency, 1.0)), dataset.batch)
        for id_, dataset in datasets.items()
    }
    return Tariff(prices, settings.budget, settings.budgets, settings.told == "always")


class Bill:
    """What one request was reckoned to cost, and what it has cost so far."""

    def __init__(self, tariff: Tariff, budget: float) -> None:
        self._prices = tariff.prices
        self._budget = budget
        self.estimate = 0.0
        self.actual = 0.0

    def begin(
        self,
        requests: Iterable[FetchRequest],
        places: Sequence[Place],
        slices: Mapping[AnswerSelection, Slice],
        limit: int,
    ) -> None:
        """Reckons the whole request, and counts its first level. Raises `CostExceeded`."""
        first = self.actual + self._of(requests)
        self.estimate = first + sum(self._beyond(place, slices, limit) for place in places)
        self._check()
        self.actual = first

    def look(self, requests: Iterable[FetchRequest]) -> None:
        """Counts the requests that find the companies, before all others. Raises `CostExceeded`."""
        self.estimate = self._of(requests)
        self._check()
        self.actual = self.estimate

    def covers(self, requests: Iterable[FetchRequest]) -> bool:
        """Whether the budget has enough left for a further level, which is counted if so. There can be more to ask than
        was reckoned: a basis that holds for a company behind a link may open more datasets.
        """
        cost = self._of(requests)
        if self.actual + cost > self._budget:
            return False
        self.actual += cost
        return True

    def told(self) -> Mapping[str, Any]:
        """The bill as the response's extensions tell it."""
        return {"estimate": self.estimate, "actual": self.actual, "budget": self._budget}

    def _check(self) -> None:
        if self.estimate > self._budget:
            message = (
                f"The request would cost {self.estimate:.0f}, and may cost {self._budget:.0f}: ask for fewer companies,"
                " answers or linked records at once."
            )
            told = {"estimate": self.estimate, "budget": self._budget}
            raise CostExceeded(GraphQLError(message, extensions={"cost": told}))

    def _of(self, requests: Iterable[FetchRequest]) -> float:
        return sum(self._prices[request.dataset].of(len(request.codes)) for request in requests)

    def _beyond(self, place: Place, slices: Mapping[AnswerSelection, Slice], limit: int) -> float:
        """What the links of one place may cost."""
        if not any(answer.links for answer in place.enterprise.answers):
            return 0.0
        numbers = companies_at({place.enterprise: len(place.codes)}, slices, limit)
        return sum(
            self._prices[dataset].of(numbers[enterprise])
            for enterprise in numbers
            if enterprise is not place.enterprise
            for dataset in _datasets(place, enterprise)
        )


def _datasets(place: Place, enterprise: EnterpriseSelection) -> Iterator[str]:
    return (fetch.dataset.id for fetch in (*place.plan.before[enterprise], *place.plan.fetches[enterprise]))
