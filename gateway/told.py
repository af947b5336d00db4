"""The root `agencies`: what each agency is; and how it fares and who uses its data, as far as the caller may know.

Decided for each agency by the policy, then read, then written. What is withheld is null, and told in `access`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final

import msgspec
import orjson
from graphql import GraphQLError
from graphql.execution.values import VariableValues

from connectors.turns import Turn
from gateway.agencies import GETTERS, AgencyProfile, agency_writer
from gateway.arguments import argument_values
from gateway.caller import Caller
from gateway.errors import AuditSinkError
from gateway.fares import Fares
from gateway.operation import Operation
from gateway.refusals import ArgumentInvalid, LimitExceeded
from gateway.selection import Selection
from gateway.tables import Tables
from gateway.usage import UsageLog, Use
from gateway.writers import TYPENAME, Writer, keyed_writer
from policies.decision import CallerClass, Decision, Effect, Reason
from policies.publicity import CHINA
from schema.agency import ABOUT_AGENCIES, HEALTH, USAGE

MOST_DAYS: Final = 3_660
"""Over how many days the use of data may be asked for."""

USAGE_UNAVAILABLE: Final = "USAGE_UNAVAILABLE"

AgencyDecision = tuple[str, str, Decision]
"""An agency, a coordinate of what is told of it, and what was decided."""

Days = Mapping[Selection, int]
"""Over how many days each selected `usage` is asked for."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of agencies in one request: the data by response key, and its errors; what was decided, by class of
    caller; and whose use was read out of the audit log, since when, with companies or without.
    """

    data: Mapping[str, orjson.Fragment] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    decided: Mapping[CallerClass, Sequence[AgencyDecision]] = field(default_factory=dict)
    read: Sequence[Mapping[str, Any]] = ()


def usage_days(operation: Operation, variables: VariableValues) -> Days:
    """Over how many days each selected `usage` is asked for. Raises `ArgumentInvalid`."""
    return {
        part: _days(part, argument_values(operation, part, variables)["days"])
        for root in operation.agencies
        for part in root.selections
        if part.name == "usage"
    }


def _days(part: Selection, days: int) -> int:
    if not 1 <= days <= MOST_DAYS:
        message = f"Argument 'days' of usage must be between 1 and {MOST_DAYS}"
        raise ArgumentInvalid(GraphQLError(f"{message}.", part.nodes[0]))
    return days


@dataclass(frozen=True, slots=True)
class _Sight:
    """One agency as the caller sees it: the decisions on what was selected of it, in order, by coordinate."""

    profile: AgencyProfile
    caller_class: CallerClass
    decisions: Mapping[str, Decision]

    def shows(self, coordinate: str) -> bool:
        """Whether the caller sees this. A mask does not make a lesser answer of any of it, so masked is not shown."""
        decision = self.decisions.get(coordinate)
        return decision is not None and decision.effect is Effect.CLEAR

    def access(self, selections: tuple[Selection, ...]) -> Iterator[AgencyDecision]:
        """What of these selections is not clear; where the caller may not know that there is anything, that alone."""
        for name, fields in _selected(selections).items():
            if not self.shows(name):
                yield self.profile.id, name, self.decisions[name]
                continue
            for coordinate in (f"{name}.{selected}" for selected in fields):
                if not self.shows(coordinate):
                    yield self.profile.id, coordinate, self.decisions[coordinate]


class AgencyTeller(msgspec.Struct, frozen=True):
    """Tells one caller of the agencies. `fares` gives how they fare now, by id; `log` is None where none can be read;
    `limit` bounds how many uses and companies an answer may hold; `deadline` is in seconds of the event loop's clock.
    """

    caller: Caller
    tables: Tables
    profiles: Mapping[str, AgencyProfile]
    fares: Callable[[], Mapping[str, Fares]]
    log: UsageLog | None
    limit: int
    deadline: float

    async def tell(self, operation: Operation, days: Days, now: dt.datetime) -> Told:
        """What the operation's roots `agencies` are answered with. Raises `LimitExceeded`."""
        roots = operation.agencies
        if not roots:
            return Told()
        sights = [await self._sight(profile, _coordinates(roots)) for profile in self.profiles.values()]
        uses = {number: await self._uses(sights, number, now) for number in sorted(set(days.values()))}
        data, errors = await self._written(roots, sights, {part: uses[number] for part, number in days.items()})
        return Told(data, errors, _decided(sights), [one.kept for one in uses.values() if one.kept])

    async def _sight(self, profile: AgencyProfile, coordinates: Sequence[str]) -> _Sight:
        caller_class = self.caller.class_for_agency(profile.id)
        if not coordinates:
            return _Sight(profile, caller_class, {})
        table = await self.tables.table(caller_class)
        return _Sight(profile, caller_class, {name: of_agency(table.at(profile.id, name)) for name in coordinates})

    async def _uses(self, sights: Iterable[_Sight], days: int, now: dt.datetime) -> _Uses:
        """The use of those agencies whose use may be told, on today and the days before it."""
        agencies = frozenset(sight.profile.id for sight in sights if sight.shows(USAGE))
        if not agencies:
            return _Uses({}, None)
        first = now.astimezone(CHINA).date() - dt.timedelta(days=days - 1)
        companies = any(sight.shows(f"{USAGE}.companies") for sight in sights)
        kept = {"agencies": sorted(agencies), "since": first, "companies": companies}
        if self.log is None:
            return _Uses(None, kept)
        try:
            async with asyncio.timeout_at(self.deadline):
                begins = dt.datetime.combine(first, dt.time(), CHINA)
                found = await self.log.read(agencies, begins, companies=companies)
        except (OSError, AuditSinkError):  # TimeoutError is an OSError
            return _Uses(None, kept)
        by_agency: defaultdict[str, list[Use]] = defaultdict(list)
        for use in found:
            if use.user.record not in self.caller.policy.unreleased:
                by_agency[use.user.agency].append(use)
        self._check(sum(1 + len(use.companies or ()) for use in found))
        return _Uses(by_agency, kept)

    def _check(self, size: int) -> None:
        if size > self.limit:
            message = (
                f"The use to be told has more than {self.limit} entries and companies; ask for fewer days at once."
            )
            raise LimitExceeded(GraphQLError(message))

    async def _written(
        self, roots: Sequence[Selection], sights: Sequence[_Sight], uses: Mapping[Selection, _Uses]
    ) -> tuple[Mapping[str, orjson.Fragment], Sequence[Mapping[str, Any]]]:
        fares = self.fares() if any(sight.shows(HEALTH) for sight in sights) else {}
        data: dict[str, orjson.Fragment] = {}
        errors: list[Mapping[str, Any]] = []
        turn = Turn()
        for root in roots:
            agencies: list[bytes] = []
            for index, sight in enumerate(sights):
                writing = _Writing(self.profiles, sight, fares.get(sight.profile.id), uses)
                agencies.append(orjson.dumps(await writing.written(root.selections, turn)))
                errors += [_unavailable([root.key, index, part.key]) for part in writing.unread(root)]
            data[root.key] = orjson.Fragment(b"[" + b",".join(agencies) + b"]")
        return data, errors


@dataclass(frozen=True, slots=True)
class _Uses:
    """The uses by agency, None where the log could not be read; and what is kept of their reading, None where nothing
    was to be read.
    """

    found: Mapping[str, Sequence[Use]] | None
    kept: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes one agency."""

    profiles: Mapping[str, AgencyProfile]
    sight: _Sight
    fares: Fares | None
    uses: Mapping[Selection, _Uses]

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
            yield from (part for part in root.selections if part.name == "usage" and self.uses[part].found is None)

    async def _usage(self, part: Selection, turn: Turn) -> Sequence[object] | None:
        found = self.uses[part].found
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


def _selected(selections: Iterable[Selection]) -> Mapping[str, Sequence[str]]:
    """What is selected of an agency that has coordinates of its own: by the name of these, the fields."""
    selected: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for part in selections:
        for name, about in ABOUT_AGENCIES.items():
            if part.name == about.field:
                selected[name].update({field.name: None for field in part.selections if field.name in about.fields})
    return {name: tuple(fields) for name, fields in selected.items()}


def _coordinates(roots: Iterable[Selection]) -> Sequence[str]:
    """The coordinates of all that the roots select."""
    selected = _selected(part for root in roots for part in root.selections)
    return [
        coordinate
        for name, fields in selected.items()
        for coordinate in (name, *(f"{name}.{field}" for field in fields))
    ]


def of_agency(decision: Decision) -> Decision:
    """A decision on an agency itself, where there is no company that could consent, or lie in a division."""
    if decision.reason in {Reason.NEEDS_CONSENT, Reason.NEEDS_JURISDICTION}:
        return replace(decision, reason=Reason.NOT_AVAILABLE)
    return decision


def _decided(sights: Iterable[_Sight]) -> Mapping[CallerClass, Sequence[AgencyDecision]]:
    decided: defaultdict[CallerClass, list[AgencyDecision]] = defaultdict(list)
    for sight in sights:
        for coordinate, decision in sight.decisions.items():
            decided[sight.caller_class].append((sight.profile.id, coordinate, decision))
    return decided


def _unavailable(path: Sequence[str | int]) -> Mapping[str, Any]:
    message = "The audit log could not be read in time, or not at all."
    return {"message": message, "path": path, "extensions": {"code": USAGE_UNAVAILABLE}}
