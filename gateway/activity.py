"""What a process does for its callers, counted; and traced, where requests are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from time import perf_counter
from types import TracebackType
from typing import Final, Protocol

from connectors.histogram import Histogram
from policies.decision import Effect


class Stage(StrEnum):
    """The parts of a request's way that are timed. `DECIDE` is within `PLAN`; those from there to `JOIN` come once for
    each level.
    """

    RECEIVE = "receive"
    DOCUMENT = "document"
    RESOLVE = "resolve"
    DECIDE = "decide"
    PLAN = "plan"
    FETCH = "fetch"
    JOIN = "join"
    SHAPE = "shape"
    ENCODE = "encode"
    RECORD = "record"


BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Upper bounds of the classes by which times are counted, in seconds."""


class StageTracer(Protocol):
    """Whoever traces requests."""

    def stage(self, stage: Stage) -> AbstractContextManager[object] | None:
        """Lasts as long as the stage; None where the request under way is not traced."""
        ...


class Activity:
    """Requests by what became of them, the time of their stages, and decisions by effect; no caller and no company is
    told of. `tracer` is there where requests are traced.
    """

    def __init__(self, tracer: StageTracer | None = None) -> None:
        self.under_way = 0
        self.outcomes: Counter[str] = Counter()
        self.requests = Histogram(BOUNDS)
        self.stages: Mapping[Stage, Histogram] = {stage: Histogram(BOUNDS) for stage in Stage}
        self.decisions: Counter[Effect] = Counter()
        self._tracer = tracer

    def begin(self) -> float:
        """A request has come; gives the moment, for `end`."""
        self.under_way += 1
        return perf_counter()

    def end(self, began: float, outcome: str) -> None:
        """The request that came at this moment is answered, or given up."""
        self.under_way -= 1
        self.outcomes[outcome] += 1
        self.requests.add(perf_counter() - began)

    def stage(self, stage: Stage) -> AbstractContextManager[None]:
        """Times a stage of the request under way."""
        return _Timed(self.stages[stage], self._tracer.stage(stage) if self._tracer else None)

    def decided(self, decisions: Mapping[Effect, int]) -> None:
        """Counts decisions on coordinates that a request selects, for one class of caller."""
        for effect, number in decisions.items():
            self.decisions[effect] += number


class _Timed:
    """Not made of a generator: that would take as long as some of the stages."""

    __slots__ = ("_began", "_span", "_spent")

    def __init__(self, spent: Histogram, span: AbstractContextManager[object] | None) -> None:
        self._spent = spent
        self._span = span

    def __enter__(self) -> None:
        if self._span is not None:
            self._span.__enter__()
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spent.add(perf_counter() - self._began)
        if self._span is not None:
            self._span.__exit__(kind, error, trace)
