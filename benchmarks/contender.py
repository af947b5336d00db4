"""What is measured under load: a gateway that can be started over the upstream and asked about companies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.upstream import Answer


@dataclass(frozen=True)
class Question:
    """The body of a request: `before`, then the credit codes as JSON strings with commas between, then `after`."""

    before: str
    after: str

    def body(self, codes: Sequence[str]) -> bytes:
        """The body about these companies."""
        return (self.before + ",".join(f'"{code}"' for code in codes) + self.after).encode()


@dataclass(frozen=True)
class Running:
    """A gateway that answers.

    `process` is the one whose CPU time counts, with its children's; `url` is where it is asked, by POST.
    """

    process: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Contender(Protocol):
    """A gateway to measure. `answers` is what the upstream must answer for it."""

    @property
    def name(self) -> str:
        """Its name in the report, with its version and what is on."""

    @property
    def answers(self) -> Sequence[Answer]:
        """What it asks the upstream for."""

    def start(self, upstream: str, core: int) -> AbstractContextManager[Running]:
        """Starts it over the upstream at this address (`http://127.0.0.1:PORT`), pinned to a core; ends it after.

        Raises `MissingProgramError` where something that it needs is not installed.
        """

    def question(self, companies: int) -> Question:
        """How it is asked about so many companies."""

    def expected(self, codes: Sequence[str]) -> object:
        """What it must answer about these, as JSON is read."""
