"""The files of a policy, each read once: what a file says is kept until the file changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from policies.errors import Finding
from policies.located import Findings, Located, read

Key = tuple[str | bytes | None, ...]
"""The name and the content of a file, with the contents of the files beside which it was read."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Read:
    """What was made of a file, and the mistakes in it."""

    made: Any
    found: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One version's files; what was read of those of the version `before`; and what is `done` of these so far."""

    files: Mapping[str, bytes]
    before: Mapping[Key, Read]
    done: dict[Key, Read]

    def read(
        self,
        name: str,
        make: Callable[[Located, Findings], Made],
        *,
        beside: Collection[str] = (),
        holds: Callable[[Made], bool] = lambda _: True,
    ) -> Made:
        """What `make` makes of the file's document (an empty one, where it cannot be read), given where to note the
        mistakes.

        It is not made again where it was made before, without a mistake, of the same content beside files of the same
        contents, and still `holds`.
        """
        key = (name, self.files.get(name), *(self.files.get(other) for other in beside))
        known = self.before.get(key)
        if known is None or known.found or not holds(known.made):
            findings = Findings(name)
            document = read(self.files.get(name), findings) or Located({}, 1)
            known = Read(make(document, findings), tuple(findings.found))
        self.done[key] = known
        return cast("Made", known.made)

    def findings(self) -> list[Finding]:
        """All mistakes of all files."""
        return [finding for read in self.done.values() for finding in read.found]
