"""The audit log read for agencies: who uses their data, for what, how much. No company is named."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.envelope import SourceStatus
from gateway.evidence import LogPlace, log_lines
from policies.publicity import CHINA

_ASKED: Final = frozenset(SourceStatus) - {SourceStatus.WITHHELD, SourceStatus.NOT_ASKED}


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
    """How much of it: in how many requests, and how many answers about one company each; `failed` of these failed."""

    user: User
    requests: int
    answers: int
    failed: int


def read_usage(place: LogPlace, agencies: Collection[str], since: dt.datetime) -> tuple[Use, ...]:
    """The use of these agencies' data since a moment, the newest day first. A request is counted for a dataset where
    that was asked; lines that cannot be read are left out.

    Raises `OSError`, `AuditSinkError`. It reads for as long as the log is long: run it in another process.
    """
    requests: defaultdict[User, int] = defaultdict(int)
    answers: defaultdict[User, int] = defaultdict(int)
    failed: defaultdict[User, int] = defaultdict(int)
    for line in log_lines(place, since):
        users: set[User] = set()
        for user, outcome in _uses(line, since):
            if user.agency in agencies:
                users.add(user)
                answers[user] += outcome["answers"]
                failed[user] += outcome["answers"] if outcome["status"] == SourceStatus.FAILED else 0
        for user in users:
            requests[user] += 1
    ordered = sorted(requests, key=lambda user: (-user.day.toordinal(), user.agency, user.record, str(user)))
    return tuple(Use(user, requests[user], answers[user], failed[user]) for user in ordered)


def _uses(line: bytes, since: dt.datetime) -> Iterator[tuple[User, Mapping[str, Any]]]:
    try:
        record = orjson.loads(line)
        at = dt.datetime.fromisoformat(record["at"])
        if at < since or record.get("outcome") != "ANSWERED":
            return
        day = at.astimezone(CHINA).date()
        organisation, purpose = record["organisation"], record["purpose"]
        uses = [
            (User(day, *_owner(outcome["dataset"]), organisation, purpose), outcome)
            for outcome in record["agencies"]
            if outcome["status"] in _ASKED and outcome["answers"] >= 0
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield from uses


def _owner(dataset: str) -> tuple[str, str]:
    """The agency and the record type in a dataset's id."""
    agency, _, record = dataset.partition("/")
    return agency, record
