"""The kind `audit-log`: this installation's own log as a source of `Lookup`, who looked at a company.

It is a kind like those of agencies' systems, so that what a company may see of it is a policy's to say.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import orjson
from pydantic import Field, model_validator

from connectors.contract import FailureCode, RecordShape, SourceAnswer, SourceCall
from connectors.errors import AgencyFailure
from connectors.kinds import SystemKind
from connectors.manifest import DatasetManifest, Manifest, Part, Reference
from connectors.settings import SupplySettings
from gateway.audit.database import DatabaseArchive
from gateway.audit.evidence import log_files
from gateway.audit.sink import READ_BYTES
from gateway.errors import AuditSinkError
from policies.publicity import CHINA

KEY: Final = "company"
"""The member of a row that holds the company's code."""

MEMBERS: Final = ("day", "organisation", "purpose", "basis", "requests")
"""The other members of a row."""

_LOOKS: Final = frozenset({"ANSWERED", "ASKED"})


class AuditLogConnection(Part):
    """Where the log is: a file's path, or the URL of a database."""

    log: Reference = Field(description="The path of the log (as XINQIAO_AUDIT_FILE), or its database's URL.")
    instance: str = Field(default="xinqiao", description="In a database, whose log (as XINQIAO_AUDIT__INSTANCE).")


class AuditLogDataset(DatasetManifest):
    """The looks of the last days."""

    can_filter: ClassVar[bool] = False
    any_spelling: ClassVar[bool] = True
    idempotent_by_nature: ClassVar[bool] = True

    days: int = Field(default=365, ge=1, le=3_660, description="How many days are looked back over.")
    purposes: tuple[str, ...] = Field(default=(), description="Looks for these purposes alone are told; empty: all.")
    batch: int = Field(default=200, ge=1, le=10_000, description="Most companies a call may carry.")

    @model_validator(mode="after")
    def _of_companies(self) -> Self:
        if self.key.path != KEY:
            raise ValueError(f"key: the rows hold the company's code in {KEY!r}")
        return self


class AuditLogManifest(Manifest):
    """The log as if it were an agency's."""

    kind: Literal["audit-log"]
    connection: AuditLogConnection
    datasets: tuple[AuditLogDataset, ...] = Field(min_length=1)


class LookupSource:
    """The looks at companies, counted by day, organisation, purpose and basis."""

    def __init__(self, dataset: AuditLogDataset, connection: AuditLogConnection) -> None:
        self._dataset = dataset
        self._log = connection.log
        self._instance = connection.instance

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies. Raises `AgencyFailure`."""
        now = dt.datetime.now(dt.UTC)
        since = now - dt.timedelta(days=self._dataset.days)
        try:
            async with asyncio.timeout(call.timeout):
                found = await self._count(frozenset(call.keys), since)
        except TimeoutError:
            raise AgencyFailure(FailureCode.AGENCY_TIMEOUT, "the log is too long", retryable=True) from None
        except (AuditSinkError, OSError) as error:
            reason = f"the log cannot be read: {type(error).__name__}"
            raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=True) from None
        rows = [
            dict(zip((KEY, *MEMBERS), (*look, number), strict=True)) for look, number in sorted(found.items(), key=str)
        ]
        limit = self._dataset.row_limit
        return SourceAnswer(rows[:limit], as_of=now, truncated=len(rows) > limit)

    async def close(self) -> None:
        """Holds nothing."""

    async def _count(self, companies: frozenset[str], since: dt.datetime) -> Counter[tuple[str | None, ...]]:
        found: Counter[tuple[str | None, ...]] = Counter()
        async for lines in self._lines(companies, since):
            for line in lines:
                found.update(self._looks(line, companies, since))
        return found

    async def _lines(self, companies: frozenset[str], since: dt.datetime) -> AsyncIterator[Sequence[bytes]]:
        """The lines that name one of the companies, and perhaps others."""
        if "://" in self._log:
            archive = DatabaseArchive(self._log, self._instance)
            try:
                yield await archive.mentioning(companies, since)
            finally:
                await archive.close()
            return
        blocks = _mentioning(Path(self._log), companies, since)
        while lines := await asyncio.to_thread(next, blocks, None):
            yield lines

    def _looks(self, line: bytes, companies: frozenset[str], since: dt.datetime) -> Iterable[tuple[str | None, ...]]:
        try:
            record = orjson.loads(line)
            at = dt.datetime.fromisoformat(record["at"])
            if at < since or record.get("outcome") not in _LOOKS or not self._told(record["purpose"]):
                return ()
            day = at.astimezone(CHINA).date().isoformat()
            return [
                (company, day, record["organisation"], record["purpose"], _basis(record, company))
                for company in companies.intersection(record["companies"])
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            return ()

    def _told(self, purpose: str | None) -> bool:
        return not self._dataset.purposes or purpose in self._dataset.purposes


def _basis(record: Mapping[str, Any], company: str) -> str | None:
    classes = [one for one in record.get("classes", ()) if company in one.get("codes", (company,))]
    return ", ".join(sorted({basis for one in classes for basis in one["bases"]})) or None


def _mentioning(path: Path, companies: frozenset[str], since: dt.datetime) -> Iterator[Sequence[bytes]]:
    """The lines in files that name one of the companies, so many at once as are found in a block (never none)."""
    codes = [code.encode() for code in sorted(companies)]
    for file in log_files(path, since):
        with file.open("rb") as opened:
            while block := opened.read(READ_BYTES):
                block += opened.readline()
                if any(code in block for code in codes):
                    yield [line for line in block.split(b"\n") if any(code in line for code in codes)]


async def open_sources(
    manifest: AuditLogManifest, _shapes: Mapping[str, RecordShape], _settings: SupplySettings
) -> dict[str, LookupSource]:
    """A source for each dataset, by record type."""
    return {dataset.record: LookupSource(dataset, manifest.connection) for dataset in manifest.datasets}


KIND: Final = SystemKind(AuditLogManifest, projection=False, open_sources=open_sources)
