"""The share of one process: several of them divide what an agency bears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Share:
    """The `number`-th (from 1) of so many processes: workers, as many in each of the instances."""

    number: int = 1
    processes: int = 1
    instances: int = 1

    @classmethod
    def of_worker(cls, number: int, workers: int, instances: int) -> Share:
        """The share of one of several workers, in each of several instances.

        An instance does not know which it is: what cannot be divided evenly is given to no more workers than all
        instances together may have of it.
        """
        processes = workers * instances
        return cls(processes - workers + number, processes, instances)

    @property
    def workers(self) -> int:
        """How many of them are of this instance."""
        return self.processes // self.instances

    def of(self, whole: int) -> int:
        """Its part: the parts of all processes are the whole."""
        return (whole + self.processes - self.number) // self.processes

    def places(self, whole: int) -> int:
        """Its part of so many places for calls: one at least, which it may need to be lent (`lender`)."""
        return max(1, self.of(whole))


WHOLE: Final = Share()
"""That of the only process."""
