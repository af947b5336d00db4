"""A supply whose every question is a span: what a request waited for, though another one's call may have brought it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from opentelemetry.trace import Span

from connectors.contract import Answers, Dataset, FetchRequest, Outcome, Supply
from gateway.tracing.spans import COMPANIES, DATASET, FAILED, Attributes, Below, fail

Begin = Callable[[str, Attributes], Below | None]
"""Begins a span of this name, with these attributes; None where the request is not traced."""


class TracedSupply:
    """As `Supply`."""

    def __init__(self, supply: Supply, begin: Begin) -> None:
        self._supply = supply
        self._begin = begin

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """As in `Supply`."""
        return self._supply.datasets

    def fetch(self, request: FetchRequest) -> Awaitable[Answers]:
        """As in `Supply`."""
        attributes: Attributes = {DATASET: request.dataset, COMPANIES: len(request.codes)}
        below = self._begin(f"ask {request.dataset}", attributes)
        return self._supply.fetch(request) if below is None else self._fetch(request, below)

    async def _fetch(self, request: FetchRequest, below: Below) -> Answers:
        with below:
            answers = await self._supply.fetch(request)
            _tell(below.span, answers)
        return answers


def _tell(span: Span, answers: Answers) -> None:
    failures = [rows.failure for rows in answers.values() if rows.outcome is Outcome.FAILED and rows.failure]
    if failures:
        span.set_attribute(FAILED, len(failures))
        fail(span, min(failures))
