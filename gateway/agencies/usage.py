"""The audit log read for agencies: who uses their data, for what, how much, and about which companies."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from connectors.contract import Outcome
from connectors.lookups import BY_IDENTIFIER, SEARCH
from gateway.audit.evidence import LogPlace, log_lines
from gateway.editions.compiler import Compiler
from gateway.stages.envelope import ASKED, SourceStatus
from policies.publicity import CHINA
from schema.questions import BY_LEGACY_ID, MATCH

_LOOKUPS: Final = {SEARCH: MATCH, **dict.fromkeys(BY_IDENTIFIER.values(), BY_LEGACY_ID)}
"""What the datasets by which companies are found are called, in the words of the policy."""


@dataclass(frozen=True, slots=True, order=True)
class User:
    """Whose data (agency and record type) who asked for, for which purpose, on which day in China."""

    day: dt.date
    agency: str
    record: str
    organisation: str
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """How much of it: in how many requests, and how many answers about one company each; `failed` of these failed.
    `companies` are those that it was about, sorted; None where they were not wanted.
    """

    user: User
    requests: int
    answers: int
    failed: int
    companies: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Total:
    """The same, as it adds up."""

    requests: int = 0
    answers: int = 0
    failed: int = 0
    companies: set[str] = field(default_factory=set)

    def use(self, user: User, *, companies: bool) -> Use:
        told = tuple(sorted(self.companies)) if companies else None
        return Use(user, self.requests, self.answers, self.failed, told)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one request asked of one dataset."""

    user: User
    answers: int
    failed: bool
    companies: Sequence[str]


def read_usage(
    place: LogPlace, agencies: Collection[str], since: dt.datetime, *, companies: bool = False
) -> tuple[Use, ...]:
    """The use of these agencies' data since a moment, the newest day first; with the `companies` that it was about
    where they are wanted. A request is counted for a dataset where that was asked; lines that cannot be read are left
    out.

    Raises `OSError`, `AuditSinkError`. It reads for as long as the log is long: run it in another process.
    """
    totals: defaultdict[User, _Total] = defaultdict(_Total)
    for line in log_lines(place, since):
        asked = [one for one in _asked(line, since) if one.user.agency in agencies]
        for one in asked:
            total = totals[one.user]
            total.answers += one.answers
            total.failed += one.answers if one.failed else 0
            if companies:
                total.companies.update(one.companies)
        for user in {one.user for one in asked}:
            totals[user].requests += 1
    ordered = sorted(totals, key=lambda user: (-user.day.toordinal(), user.agency, user.record, str(user)))
    return tuple(totals[user].use(user, companies=companies) for user in ordered)


@dataclass(frozen=True, slots=True)
class UsageLog:
    """The log at a place, read in a process for that alone."""

    place: LogPlace
    process: Compiler

    async def read(self, agencies: frozenset[str], since: dt.datetime, *, companies: bool) -> tuple[Use, ...]:
        """As `read_usage`."""
        return await self.process.run(partial(read_usage, companies=companies), self.place, agencies, since)


def _asked(line: bytes, since: dt.datetime) -> Sequence[_Asked]:
    try:
        record = orjson.loads(line)
        at = dt.datetime.fromisoformat(record["at"])
        if at < since or record.get("outcome") != "ANSWERED":
            return ()
        return [*_supplied(record, at.astimezone(CHINA).date()), *_found(record, at.astimezone(CHINA).date())]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def _supplied(record: Mapping[str, Any], day: dt.date) -> Iterator[_Asked]:
    """What was asked about companies."""
    some = record.get("asked", {})
    for outcome in record["agencies"]:
        dataset, answers = outcome["dataset"], outcome["answers"]
        if outcome["status"] in ASKED and answers >= 0:
            user = _user(record, day, dataset)
            failed = outcome["status"] == SourceStatus.FAILED
            yield _Asked(user, answers, failed, some.get(dataset, record["companies"]))


def _found(record: Mapping[str, Any], day: dt.date) -> Iterator[_Asked]:
    """What was asked to find companies: an answer each; about which is not known."""
    for lookup in record.get("lookups", ()):
        for outcome in lookup["agencies"]:
            yield _Asked(_user(record, day, outcome["dataset"]), 1, outcome["status"] == Outcome.FAILED, ())


def _user(record: Mapping[str, Any], day: dt.date, dataset: str) -> User:
    """By the agency and the record type in the dataset's id."""
    agency, _, supplied = dataset.partition("/")
    return User(day, agency, _LOOKUPS.get(supplied, supplied), record["organisation"], record["purpose"])
