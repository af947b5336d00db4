"""For how long an agency's answers may be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from connectors.contract import CompanyRows, Outcome
from connectors.manifest import DatasetManifest

_KEPT: Final = frozenset({Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY})


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds: of companies that have `rows`; of those that have `none`, or that the agency does not know; and for how
    many more both are kept, to stand in where the agency fails.
    """

    rows: float
    none: float
    stale: float = 0

    @classmethod
    def of_dataset(cls, dataset: DatasetManifest, time_to_live: float) -> Self:
        """What the manifest says of a dataset whose rows may be kept for so many seconds."""
        none = dataset.negative_time_to_live
        return cls(time_to_live, time_to_live if none is None else none, dataset.stale_if_error)

    @property
    def longest(self) -> float:
        """After so many seconds nothing is kept any more."""
        return max(self.rows, self.none) + self.stale

    def keep(self, answer: CompanyRows) -> bool:
        """Whether an answer may be kept: a failure or an incomplete one must be asked again."""
        return answer.outcome in _KEPT and self.of(answer) + self.stale > 0

    def of(self, answer: CompanyRows) -> float:
        """For how long an answer is fresh."""
        return self.rows if answer.rows else self.none
