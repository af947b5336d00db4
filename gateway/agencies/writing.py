"""One agency as the root `agencies` writes it. What is withheld is null, and told in `access`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from connectors.turns import Turn
from gateway.agencies.fares import Fares
from gateway.agencies.profile import GETTERS, AgencyProfile, agency_writer
from gateway.agencies.sight import AgencySight
from gateway.agencies.usage import Use
from gateway.stages.selection import Selection
from gateway.stages.writers import TYPENAME, Writer, keyed_writer
from schema.agency import HEALTH, USAGE

UsesByAgency = Mapping[str, Sequence[Use]]


@dataclass(frozen=True, slots=True)
class AgencyWriting:
    """Writes one agency. `uses` are those of each selected `usage`, None where the log could not be read."""

    profiles: Mapping[str, AgencyProfile]
    sight: AgencySight
    fares: Fares | None
    uses: Mapping[Selection, UsesByAgency | None]

    async def written(self, selections: tuple[Selection, ...], turn: Turn) -> dict[str, Any]:
        """The agency by its response keys; others have their turn between its uses."""
        written: dict[str, Any] = {}
        for part in selections:
            match part.name:
                case "health":
                    shown = self.fares if self.sight.shows(HEALTH) else None
                    written[part.key] = self._writer(HEALTH, part)(shown) if shown else None
                case "usage":
                    written[part.key] = await self._usage(part, turn)
                case "access":
                    write = _access_writer(part.selections, self.profiles)
                    written[part.key] = [write(entry) for entry in self.sight.access(selections)]
                case name:
                    written[part.key] = part.parent if name == TYPENAME else GETTERS[name](self.sight.profile)
        return written

    def unread(self, root: Selection) -> Iterator[Selection]:
        """The uses that may be told, and could not be read."""
        if self.sight.shows(USAGE):
            yield from (part for part in root.selections if part.name == "usage" and self.uses[part] is None)

    async def _usage(self, part: Selection, turn: Turn) -> Sequence[object] | None:
        found = self.uses[part]
        if found is None or not self.sight.shows(USAGE):
            return None
        write = self._writer(USAGE, part)
        written: list[object] = []
        for use in found.get(self.sight.profile.id, ()):
            written.append(write(use))
            if turn.is_over():
                await turn.pass_on()
        return written

    def _writer(self, name: str, part: Selection) -> Writer:
        """Writes what may be shown of a value, and null in the place of the rest."""

        def getter(field: Selection) -> Writer:
            return attrgetter(_ATTRIBUTES.get(field.name, field.name)) if shows(f"{name}.{field.name}") else _nothing

        shows = self.sight.shows
        return keyed_writer(part.selections, getter)


_ATTRIBUTES: Final = {name: f"user.{name}" for name in ("day", "record", "organisation", "purpose")}
"""Where in a `Use` these fields are; the others are called as they are in the contract."""


def _nothing(_: object) -> None:
    """What is shown of a value that is withheld."""


def _access_writer(selections: tuple[Selection, ...], profiles: Mapping[str, AgencyProfile]) -> Writer:
    """Writes an agency's decision."""

    def getter(part: Selection) -> Writer:
        if part.name == "agency":
            write = agency_writer(part.selections, profiles)
            return lambda entry: write(entry[0])
        return _ACCESS[part.name]

    return keyed_writer(selections, getter)


_ACCESS: Final[Mapping[str, Writer]] = {
    "coordinate": lambda entry: entry[1],
    "decision": lambda entry: entry[2].effect,
    "mask": lambda entry: entry[2].mask,
    "reason": lambda entry: entry[2].reason,
}
