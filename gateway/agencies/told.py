"""The root `agencies`: what each agency is; and how it fares and who uses its data, as far as the caller may know.

Decided for each agency by the policy, then read, then written.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import orjson
from graphql import GraphQLError
from graphql.execution.values import VariableValues

from connectors.turns import Turn
from gateway.agencies.fares import Fares
from gateway.agencies.profile import AgencyProfile
from gateway.agencies.sight import AgencyDecision, AgencySight, coordinates_of, of_agency
from gateway.agencies.usage import UsageLog, Use
from gateway.agencies.writing import AgencyWriting, UsesByAgency
from gateway.editions.tables import Tables
from gateway.errors import AuditSinkError
from gateway.stages.arguments import argument_values
from gateway.stages.caller import Caller
from gateway.stages.operation import Operation
from gateway.stages.refusals import ArgumentInvalid, LimitExceeded
from gateway.stages.selection import Selection
from policies.decision import CallerClass
from policies.publicity import CHINA
from schema.agency import HEALTH, USAGE

MOST_DAYS: Final = 3_660
"""Over how many days the use of data may be asked for."""

USAGE_UNAVAILABLE: Final = "USAGE_UNAVAILABLE"

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
        coordinates = coordinates_of(roots)
        sights = [await self._sight(profile, coordinates) for profile in self.profiles.values()]
        uses = {number: await self._uses(sights, number, now) for number in sorted(set(days.values()))}
        self._check(sum(uses[number].size for number in days.values()))
        found = {part: uses[number].found for part, number in days.items()}
        data, errors = await self._written(roots, sights, found)
        return Told(data, errors, _decided(sights), [one.kept for one in uses.values() if one.kept])

    async def _sight(self, profile: AgencyProfile, coordinates: Sequence[str]) -> AgencySight:
        caller_class = self.caller.class_for_agency(profile.id)
        if not coordinates:
            return AgencySight(profile, caller_class, {})
        table = await self.tables.table(caller_class)
        return AgencySight(profile, caller_class, {name: of_agency(table.at(profile.id, name)) for name in coordinates})

    async def _uses(self, sights: Iterable[AgencySight], days: int, now: dt.datetime) -> _Uses:
        """The use of those agencies whose use may be told, on today and the days before it."""
        agencies = frozenset(sight.profile.id for sight in sights if sight.shows(USAGE))
        if not agencies:
            return _Uses({})
        first = now.astimezone(CHINA).date() - dt.timedelta(days=days - 1)
        companies = any(sight.shows(f"{USAGE}.companies") for sight in sights)
        kept = {"agencies": sorted(agencies), "since": first, "companies": companies}
        if self.log is None:
            return _Uses(None)
        try:
            async with asyncio.timeout_at(self.deadline):
                begins = dt.datetime.combine(first, dt.time(), CHINA)
                found = await self.log.read(agencies, begins, companies=companies)
        except (OSError, AuditSinkError):  # TimeoutError is an OSError
            return _Uses(None, kept=kept)
        by_agency: defaultdict[str, list[Use]] = defaultdict(list)
        for use in found:
            if use.user.record not in self.caller.policy.unreleased:
                by_agency[use.user.agency].append(use)
        return _Uses(by_agency, sum(1 + len(use.companies or ()) for use in found), kept)

    def _check(self, size: int) -> None:
        if size > self.limit:
            message = (
                f"The use to be told has more than {self.limit} entries and companies; ask for fewer days at once."
            )
            raise LimitExceeded(GraphQLError(message))

    async def _written(
        self, roots: Sequence[Selection], sights: Sequence[AgencySight], uses: Mapping[Selection, UsesByAgency | None]
    ) -> tuple[Mapping[str, orjson.Fragment], Sequence[Mapping[str, Any]]]:
        fares = self.fares() if any(sight.shows(HEALTH) for sight in sights) else {}
        data: dict[str, orjson.Fragment] = {}
        errors: list[Mapping[str, Any]] = []
        turn = Turn()
        for root in roots:
            agencies: list[bytes] = []
            for index, sight in enumerate(sights):
                writing = AgencyWriting(self.profiles, sight, fares.get(sight.profile.id), uses)
                agencies.append(orjson.dumps(await writing.written(root.selections, turn)))
                errors += [_unavailable([root.key, index, part.key]) for part in writing.unread(root)]
            data[root.key] = orjson.Fragment(b"[" + b",".join(agencies) + b"]")
        return data, errors


@dataclass(frozen=True, slots=True)
class _Uses:
    """The uses by agency, None where the log could not be read; how many entries and companies these have; and what is
    kept of their reading, None where nothing was read.
    """

    found: UsesByAgency | None
    size: int = 0
    kept: Mapping[str, Any] | None = None


def _decided(sights: Iterable[AgencySight]) -> Mapping[CallerClass, Sequence[AgencyDecision]]:
    decided: defaultdict[CallerClass, list[AgencyDecision]] = defaultdict(list)
    for sight in sights:
        for coordinate, decision in sight.decisions.items():
            decided[sight.caller_class].append((sight.profile.id, coordinate, decision))
    return decided


def _unavailable(path: Sequence[str | int]) -> Mapping[str, Any]:
    message = "The audit log could not be read in time, or not at all."
    return {"message": message, "path": path, "extensions": {"code": USAGE_UNAVAILABLE}}
