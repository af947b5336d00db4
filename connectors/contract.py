"""What the gateway may ask of the connectors, and what a kind of system must give them.

The gateway knows `Dataset`, `CompanyRows` and `Supply.fetch`. A kind of system implements `Source`: keys as the agency
writes them in, raw rows out. Everything between the two (keys, chunks, bounds, mapping, cache) is the same for all
kinds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import msgspec

from schema.company_key import LegacyId, SearchName
from schema.credit_code import CreditCode
from schema.values import Kind, Value

CompanyKey = CreditCode | LegacyId | SearchName
"""By what a dataset is asked: companies' credit codes; where it knows them by another identifier, these; where it is
searched, a part of a name.
"""
if TYPE_CHECKING:
    from connectors.errors import AgencyFailure

RawRow = Mapping[str, Any]
"""A row as the agency's system gave it, by the agency's own names (nested where its format is)."""

Row = Mapping[str, Value]
"""A mapped row, by the canonical names of its record type's fields; a column that was not asked for is absent."""


class FailureCode(StrEnum):
    """Why a dataset gave no answer, in the public contract's words."""

    AGENCY_TIMEOUT = "AGENCY_TIMEOUT"
    AGENCY_UNAVAILABLE = "AGENCY_UNAVAILABLE"
    AGENCY_OVERLOADED = "AGENCY_OVERLOADED"
    AGENCY_BAD_RESPONSE = "AGENCY_BAD_RESPONSE"
    LIMIT = "LIMIT"


@dataclass(frozen=True, slots=True)
class RecordShape:
    """What manifests are checked against: one canonical record type, as plain data.

    `single` is true where a company has at most one. `filters` maps an argument to (record field, operator), the
    operator ">=" or "<=".
    """

    name: str
    single: bool
    fields: Mapping[str, Kind]
    filters: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Outcome(StrEnum):
    """How one dataset fared for one company."""

    ANSWERED = "ANSWERED"
    UNKNOWN_COMPANY = "UNKNOWN_COMPANY"
    INCOMPLETE = "INCOMPLETE"
    STALE = "STALE"
    FAILED = "FAILED"


DEFAULT_PRECEDENCE: Final = 100
"""Of a dataset whose manifest says nothing of it."""


class KeyKind(StrEnum):
    """The identifier by which an agency's system knows a company."""

    CREDIT_CODE = "creditCode"
    ORGANISATION_CODE = "organisationCode"
    REGISTRATION_NUMBER = "registrationNumber"
    TAX_NUMBER = "taxNumber"
    NAME = "name"


class Coverage(msgspec.Struct, frozen=True):
    """Which companies a dataset is about; an empty set means all.

    `registered`: companies registered in `divisions` (GB/T 2260 prefixes of 2, 4 or 6 digits) by `authorities` (first
    character of the credit code) as one of `categories` (its first two characters). Not `registered`: what the agency
    did, to companies from anywhere, so never pruned.
    """

    registered: bool = False
    divisions: frozenset[str] = frozenset()
    authorities: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def may_know(self, code: CreditCode) -> bool:
        """Whether the dataset can hold this company. An unknown division counts as covered."""
        return self.known((code,))[0]

    def known(self, codes: Sequence[CreditCode]) -> Sequence[bool]:
        """Of each of the companies, whether the dataset can hold it."""
        if not self.registered:
            return [True] * len(codes)
        authorities, categories, divisions = self.authorities, tuple(self.categories), tuple(self.divisions)
        return [
            (not authorities or code.authority in authorities)
            and (not categories or code.startswith(categories))
            and (not divisions or code.startswith(divisions, 2) or not code.division_known)
            for code in codes
        ]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One agency's supply of one record type, as the planner sees it.

    `fields` are the canonical fields that it can fill. `batch` is the most companies that one call may carry (1: no
    batch). `projection` tells whether only the columns asked for leave the agency. `filters` are the arguments that it
    can apply itself. `time_to_live` is in seconds, 0 where rows may not be kept. `shared` allows cached rows to serve
    other organisations (the gateway also shares rows of wholly PUBLIC datasets). Of several suppliers of a single
    record, the one with the lowest `precedence` is shown, of equal ones the first by id. `key` is what it knows
    companies by: organisation codes are made of the credit codes that it is asked for; of other kinds it is asked for
    the very keys.
    """

    id: str
    agency: str
    record: str
    fields: frozenset[str]
    coverage: Coverage
    batch: int
    projection: bool
    filters: frozenset[str]
    time_to_live: float
    shared: bool
    precedence: int = DEFAULT_PRECEDENCE
    key: KeyKind = KeyKind.CREDIT_CODE


class CompanyRows(msgspec.Struct, frozen=True, gc=False):
    """What one dataset said of one company. A struct, as there is one for each company of each answer.

    `as_of` is the agency's own date of its data, `not_older_than` the moment of the question less the dataset's time to
    live; both carry an offset. What is STALE stands in where the agency failed: it has the `failure` as well.
    `unmapped` counts values and rows that could not be mapped (they make the outcome INCOMPLETE); `unreadable` names
    the fields of a row, by its index, whose values could not: they are None, and yet not absent.
    """

    outcome: Outcome
    rows: tuple[Row, ...] = ()
    as_of: datetime | None = None
    not_older_than: datetime | None = None
    failure: FailureCode | None = None
    retryable: bool = False
    unmapped: int = 0
    unreadable: Mapping[int, frozenset[str]] = msgspec.field(default_factory=dict)


Answers = Mapping[CompanyKey, CompanyRows]
"""What a dataset said of each company."""


class Asker(msgspec.Struct, frozen=True):
    """For whom an agency is asked: the caller's organisation, its purpose where it has one, and the request's id."""

    organisation: str
    purpose: str | None
    request_id: str


class Meter(Protocol):
    """Counts what a question takes of an agency, for whoever asks it."""

    async def admit(self) -> bool:
        """Counts a call that is about to be made. Whether it may be."""
        ...

    async def count(self) -> None:
        """Counts a further request (for another page, say) of a call that has begun."""
        ...


class FetchRequest(msgspec.Struct, frozen=True):
    """A level's question to one dataset.

    `codes` have no duplicates. `columns` are canonical field names, all of them in the dataset's `fields`. `filters`
    are those of the dataset's `filters` that may be applied by the agency. `partition` separates cached rows of callers
    that must not share them. `deadline` is in seconds of the event loop's clock (`loop.time()`). Where a manifest
    forwards the `asker`, calls and kept rows serve that organisation and purpose alone, whatever the partition.
    The `meter` counts the calls that the question takes: none for what is kept, or is being asked for another already.
    """

    dataset: str
    codes: tuple[CompanyKey, ...]
    columns: frozenset[str]
    filters: Mapping[str, date]
    partition: str
    deadline: float
    asker: Asker | None = None
    meter: Meter | None = None


class Supply(Protocol):
    """All datasets of all agencies, ready to be asked."""

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset by id (`agency/Record`)."""
        ...

    def fetch(self, request: FetchRequest) -> Awaitable[Answers]:
        """An entry for each code asked for; failures are entries, never exceptions. Whoever cancels it withdraws the
        question.
        """
        ...


async def _at_once() -> None:
    """There is nothing to wait for."""


class SourceCall(msgspec.Struct, frozen=True):
    """One call to an agency's system: `keys` as the agency writes them, `columns` the top-level names or paths of the
    agency's own fields that are needed, `filters` by the contract's argument names, `timeout` in seconds. There is an
    `asker` where the manifest forwards it. `further` is awaited before each request but the first that a call takes
    (for another page, say): it waits as the agency's rate demands, and raises `AgencyFailure`.
    """

    keys: Sequence[str]
    columns: frozenset[str]
    filters: Mapping[str, date]
    timeout: float
    asker: Asker | None = None
    further: Callable[[], Awaitable[None]] = _at_once


class SourceAnswer(msgspec.Struct, frozen=True):
    """What one call brought, in the agency's own words.

    `unknown` are the keys that the agency said it does not know, `seen` those that it named without giving rows.
    `as_of` is the date of its data. `truncated` tells that a limit cut the rows off, `dropped` counts rows that could
    not be read and may be of any company. `failed` has the companies for which it failed, though not for others:
    rows of theirs count for nothing.
    """

    rows: Sequence[RawRow]
    unknown: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    as_of: datetime | None = None
    truncated: bool = False
    dropped: int = 0
    failed: Mapping[str, AgencyFailure] = msgspec.field(default_factory=dict)


class Source(Protocol):
    """One dataset of one agency's system. A new kind is one module that builds these."""

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies. Raises `AgencyFailure`, and nothing else that its library raises."""
        ...

    async def close(self) -> None:
        """Gives back what it holds (connections, files)."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A source that cannot answer before it has prepared itself (read a large file, say), which it does unasked."""

    async def ready(self) -> None:
        """Returns once it can answer, or cannot for some other reason."""
        ...
