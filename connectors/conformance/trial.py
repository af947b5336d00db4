"""What a case works with: one dataset, its open supply, and what the system said of the companies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from ipaddress import ip_network
from itertools import count
from typing import ClassVar, Final

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10

from connectors.conformance.answers import records
from connectors.contract import (
    Asker,
    CompanyKey,
    CompanyRows,
    FailureCode,
    FetchRequest,
    KeyKind,
    RecordShape,
    SourceAnswer,
    SourceCall,
    Supply,
)
from connectors.environment import resolve
from connectors.errors import AgencyFailure, ConnectorError
from connectors.keys import LEGACY_KINDS, is_some_company
from connectors.kindness.declared import Breaker
from connectors.kinds import SystemKind, Transport, kinds
from connectors.manifest import DatasetManifest, Manifest
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from connectors.watch import Exchange, Watch
from schema.company_key import LegacyId, SearchName
from schema.credit_code import CreditCode
from schema.legacy_id import organisation_check_character

Answers = Mapping[CompanyKey, CompanyRows]

_STRANGERS: Final = 2
"""How many keys are made up that the system does not know."""

INDEXING_SECONDS: Final = 600.0
"""How long the first index of a drop may take."""

_THIS_MACHINE: Final = ip_network("127.0.0.1")

PATIENT_BREAKER: Final = Breaker(failures=100)
"""Of a stand-in: it fails for other reasons than those that are looked at."""

_partitions: Final = count()


class Broken(ConnectorError):
    """The system does not do what the case shows. The message says what instead; it holds no value."""

    code: ClassVar[str] = "CONFORMANCE_BROKEN"


class Unfit(ConnectorError):
    """The case cannot be run here. The message says why."""

    code: ClassVar[str] = "CONFORMANCE_UNFIT"


class Result(StrEnum):
    """How a case ended."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended for a dataset (`agency/Record`), and why, where it did not pass."""

    dataset: str
    case: str
    shows: str
    result: Result
    reason: str = ""


class Recorder:
    """Looks on at a supply, and keeps what it saw."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.fetches: list[tuple[SourceCall, SourceAnswer | AgencyFailure]] = []

    def exchanged(self, exchange: Exchange) -> None:
        """As in `Watch`."""
        self.exchanges.append(exchange)

    def fetched(self, _dataset: str, call: SourceCall, answer: SourceAnswer | AgencyFailure) -> None:
        """As in `Watch`."""
        self.fetches.append((call, answer))


@dataclass(frozen=True, slots=True)
class Subject:
    """One dataset of a manifest, whose references were resolved, and the companies to ask about.

    `manifest` has this dataset alone, whose rows are not kept. Some of the `codes` should be known to the system, and
    have records; the `strangers` should not. Both are keys of the kind by which the dataset knows companies. Where the
    manifest forwards it, calls are made for the `asker`.
    """

    manifest: Manifest
    shapes: Mapping[str, RecordShape]
    settings: SupplySettings
    codes: tuple[CompanyKey, ...]
    strangers: tuple[CompanyKey, ...]
    asker: Asker

    @property
    def dataset(self) -> DatasetManifest:
        """The only dataset."""
        return self.manifest.datasets[0]

    @property
    def id(self) -> str:
        """The dataset's id."""
        return f"{self.manifest.agency}/{self.dataset.record}"

    @property
    def shape(self) -> RecordShape:
        """The dataset's record type."""
        return self.shapes[self.dataset.record]

    @property
    def kind(self) -> SystemKind:
        """The kind of system."""
        return kinds().usable[self.manifest.kind]

    @asynccontextmanager
    async def opened(self, watch: Watch | None = None) -> AsyncIterator[Supply]:
        """The supply of the dataset, as the gateway opens it; `watch` looks on."""
        supply = await open_supply([self.manifest], self.shapes, replace(self.settings, watch=watch))
        try:
            yield supply
        finally:
            await supply.close()

    async def ask(
        self,
        supply: Supply,
        codes: Sequence[CompanyKey],
        columns: Collection[str] | None = None,
        filters: Mapping[str, date] | None = None,
    ) -> Answers:
        """What the dataset says of these companies, in these columns (all, where none are named)."""
        calls = -(-len(codes) // self.dataset.batch)
        request = FetchRequest(
            dataset=self.id,
            codes=tuple(codes),
            columns=frozenset(self.dataset.fields if columns is None else columns),
            filters=filters or {},
            partition=f"conformance {next(_partitions)}",
            deadline=asyncio.get_running_loop().time() + self.manifest.timeout * (calls + 1),
            asker=self.asker,
        )
        return await supply.fetch(request)

    async def wait_for_drops(self, supply: Supply) -> None:
        """Waits until a first drop is indexed, or refused: that may take longer than a call."""
        until = asyncio.get_running_loop().time() + INDEXING_SECONDS
        while self.kind.transport is Transport.DROP and asyncio.get_running_loop().time() < until:
            answer = (await self.ask(supply, self.codes[:1]))[self.codes[0]]
            if answer.failure is not FailureCode.AGENCY_TIMEOUT:
                return

    def changed(
        self,
        connection: Mapping[str, object],
        timeout: float,
        breaker: Breaker = PATIENT_BREAKER,
    ) -> Subject:
        """The same dataset with other keys of its connection and another timeout, asked on this machine.

        Without the manifest's rates and times of maintenance, which are the real system's.
        """
        manifest = self.manifest.model_copy(
            update={
                "connection": self.manifest.connection.model_copy(update=dict(connection)),
                "timeout": timeout,
                "rate": None,
                "maintenance": (),
                "hedge_after": None,
                "breaker": breaker,
            }
        )
        reach = replace(self.settings.reach, plain=(*self.settings.reach.plain, _THIS_MACHINE))
        return replace(self, manifest=manifest, settings=replace(self.settings, reach=reach))


def subjects(  # noqa: PLR0913, PLR0917  (what a supply needs, and whom to ask about)
    manifest: Manifest,
    shapes: Mapping[str, RecordShape],
    settings: SupplySettings,
    codes: Sequence[CompanyKey],
    strangers: Sequence[CompanyKey],
    asker: Asker,
) -> list[Subject]:
    """A subject for each dataset of the manifest for which there is a key among the `codes`; where there is no stranger
    to it, some are made up. Raises `ConnectionNotConfigured`.
    """
    (resolved,) = resolve([manifest], settings.environment)
    return [
        Subject(
            resolved.model_copy(update={"datasets": (dataset.model_copy(update={"time_to_live": 0}),)}),
            shapes,
            replace(settings, second_level=None),
            known,
            _fitting(dataset.key.kind, strangers) or made_up_keys(dataset.key.kind, _STRANGERS),
            asker,
        )
        for dataset in resolved.datasets
        if (known := _fitting(dataset.key.kind, codes))
    ]


@dataclass(frozen=True, slots=True)
class Trial:
    """A subject with its supply open, at which the `recorder` looks on.

    `truth` is what the system said of each company when it was asked alone. `exchanges` are those by which it was asked
    about the `telling` company, which has records where any company has some.
    """

    subject: Subject
    supply: Supply
    recorder: Recorder
    truth: Answers
    telling: CompanyKey
    exchanges: Sequence[Exchange] = field(default=(), repr=False)

    def has_records(self) -> bool:
        """Whether there is a record to be lost."""
        return bool(records(self.truth[self.telling]))


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that the gateway counts on.

    `run` raises `Broken` where it is not so, `Unfit` where it cannot be seen. With a `transport` it is for kinds that
    declare that.
    """

    name: str
    shows: str
    run: Callable[[Trial], Awaitable[None]]
    transport: Transport | None = None


def made_up_keys(kind: KeyKind, number: int) -> tuple[CompanyKey, ...]:
    """Lawful keys that nobody was given, as far as is known: organisation codes and numbers from 99000000 on."""
    return tuple(_made_up(kind, f"99{serial:06d}") for serial in range(number))


def _made_up(kind: KeyKind, body: str) -> CompanyKey:
    organisation = body + organisation_check_character(body)
    match kind:
        case KeyKind.REGISTRATION_NUMBER:
            digits = f"990000{body}"
            return LegacyId.parse(LEGACY_KINDS[kind], digits + mod_11_10.calc_check_digit(digits))
        case KeyKind.TAX_NUMBER:
            return LegacyId.parse(LEGACY_KINDS[kind], f"990000{organisation}")
        case KeyKind.NAME:
            return SearchName.parse(f"查无此企业{body}")
    text = f"91100000{organisation}"
    return CreditCode.parse(text + uscc.calc_check_digit(text))


def _fitting(kind: KeyKind, keys: Iterable[CompanyKey]) -> tuple[CompanyKey, ...]:
    """Those by which a dataset of this kind of key can be asked; none twice."""
    return tuple(dict.fromkeys(key for key in keys if _fits(kind, key)))


def _fits(kind: KeyKind, key: CompanyKey) -> bool:
    if kind in {KeyKind.CREDIT_CODE, KeyKind.ORGANISATION_CODE}:
        return isinstance(key, CreditCode)
    if kind is KeyKind.NAME:
        return isinstance(key, SearchName)
    return isinstance(key, LegacyId) and is_some_company(key, kind)
