"""The kind `file`: files that an agency drops into a directory, looked up through an index."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

import structlog
from pydantic import Field, StringConstraints, model_validator

from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.drops.as_of import DropAsOf, drop_moment
from connectors.drops.form import DropForm, DropUnusable, FileFormat, Stamp
from connectors.drops.index import DropIndex, open_drop
from connectors.drops.names import DATE, NUMBER, Drop, DropNames, DropParts, FileName, check_dated, newest_drop
from connectors.drops.sftp import SftpDrops, SftpPart, names_at, sftp_server
from connectors.drops.tables import can_read_parquet
from connectors.errors import AddressInvalid, AgencyFailure, ExtraMissing
from connectors.keys import key_lengths, normal_key
from connectors.manifest import DatasetManifest, Key, Manifest, MissingMeans, Name, Part, Reference
from connectors.reach import Reach
from connectors.settings import SupplySettings

_log = structlog.get_logger(__name__)


class FileConnection(Part):
    """The directory of the drops."""

    path: Reference = Field(
        description="The directory, by reference: ${NAME}. With sftp: one of its own, for what was fetched."
    )
    sftp: SftpPart | None = Field(default=None, description="The server from which the drops are fetched.")


_NESTED: Final = frozenset({FileFormat.JSON_LINES, FileFormat.JSON, FileFormat.XML})
"""Those in whose rows paths lead into nested objects."""

_FORMATS: Final = {
    "encoding": {FileFormat.DELIMITED, *_NESTED},
    "delimiter": {FileFormat.DELIMITED},
    "quotes": {FileFormat.DELIMITED},
    "unended": {FileFormat.DELIMITED},
    "header": {FileFormat.DELIMITED, FileFormat.XLSX},
    "skip": {FileFormat.DELIMITED, FileFormat.XLSX},
    "sheet": {FileFormat.XLSX},
    "rows": {FileFormat.JSON, FileFormat.XML},
}
"""The formats that each of these keys is for."""


class FileDataset(DatasetManifest):
    """A dataset in the newest of an agency's drops."""

    can_filter: ClassVar[bool] = False
    can_search: ClassVar[bool] = False
    any_spelling: ClassVar[bool] = True
    idempotent_by_nature: ClassVar[bool] = True

    file: FileName = Field(
        description="A name, or a pattern (customs_*.csv): the last by name is the drop. With parts: with its date."
    )
    parts: DropParts | None = Field(
        default=None, description="The drop is of several files: those with the newest date of which all are there."
    )
    format: FileFormat = Field(default=FileFormat.DELIMITED, description="What the drop, or what it packs, is.")
    encoding: Literal["utf-8", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=10)] = Field(
        default=",", description="delimited: what stands between two fields; of several characters with quotes: false."
    )
    quotes: bool = Field(default=True, description="delimited: whether quotation marks hold a field together.")
    header: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None, description="delimited, xlsx: the columns' names, where no line or row tells them."
    )
    unended: bool = Field(
        default=False, description="delimited: the last line has no end; a marker has to tell that a drop is whole."
    )
    skip: int = Field(
        default=0, ge=0, le=100, description="delimited, xlsx: lines that are not blank, or rows, before the header."
    )
    rows: Name | None = Field(default=None, description="json, xml: path to the rows. Default: the document is a list.")
    sheet: Name | None = Field(default=None, description="xlsx: the sheet; the first without it.")
    member: Name | None = Field(
        default=None, description="In a .zip: the name or pattern of the file. Without it there must be only one."
    )
    marker: FileName | None = Field(
        default=None, description="The drop counts only once a file of its name with this added lies beside it."
    )
    unkeyed_rows: Literal["incomplete", "ignore"] = Field(
        default="incomplete", alias="unkeyedRows", description="What rows whose key is no code do to every answer."
    )
    batch: int = Field(default=1000, ge=1, le=10_000, description="Most companies a call may carry.")
    missing_means: MissingMeans = Field(
        alias="missingMeans", description="What it means that a company has no row in the drop."
    )
    as_of: DropAsOf | None = Field(default=None, alias="asOf")

    @property
    def nested(self) -> bool:
        """Only JSON and XML have nested objects."""
        return self.format in _NESTED

    @property
    def names(self) -> DropNames:
        """How the drops are named."""
        return DropNames(self.file, self.marker, self.parts)

    @property
    def form(self) -> DropForm:
        """How the drops are written."""
        column = self.as_of.column if self.as_of is not None else None
        return DropForm(
            key=self.key.path or "",
            key_lengths=key_lengths(self.key.kind),
            columns=self.paths().union({column} if column else ()),
            format=self.format,
            nested=self.nested,
            encoding=self.encoding,
            delimiter=self.delimiter,
            quotes=self.quotes,
            unended=self.unended,
            header=self.header or (),
            skip=self.skip,
            rows=self.rows,
            sheet=self.sheet,
            member=self.member,
        )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if len(self.delimiter) > 1 and (self.quotes or not self.delimiter.isprintable()):
            raise ValueError("delimiter: of several characters it goes with quotes: false, and is printable")
        if self.unended and self.marker is None and (self.parts is None or self.parts.marker is None):
            raise ValueError("unended: needs a marker, by which half a drop is told from a whole one")
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.key.path is None:
            raise ValueError("key: name the column that holds the company's code")
        if self.key.spellings != Key.model_fields["spellings"].default:
            raise ValueError("key.spellings: a drop's index matches any spelling")
        if self.as_of is not None and self.as_of.path is not None:
            raise ValueError("asOf.path: a drop has columns: use asOf.column")
        marker = self.parts.marker if self.parts else self.marker
        if self.as_of is not None and self.as_of.marker is not None and marker is None:
            raise ValueError("asOf.marker: the drops have no marker")
        if self.parts is not None:
            self._check_parts(self.parts)
        elif "%Y" in self.file:
            raise ValueError("file: a date in it goes with parts; without, * stands for it")
        for name, formats in _FORMATS.items():
            if name in self.model_fields_set and self.format not in formats:
                raise ValueError(f"{name}: not for the format {self.format}")
        return self

    def _check_parts(self, parts: DropParts) -> None:
        """Raises `ValueError` where the drop's files cannot be told, or whether all of them are there."""
        try:
            check_dated(self.file, known=(*DATE, NUMBER))
        except ValueError as error:
            raise ValueError(f"file: with parts, {error}") from None
        if f"*{NUMBER}" in self.file:
            raise ValueError("file: after *, it cannot be told where %N begins")
        if not (parts.count or parts.marker or parts.followed or NUMBER in self.file):
            raise ValueError("parts: needs count, marker, followed, or %N in file, to tell when all are there")
        if parts.header == "first" and self.format is not FileFormat.DELIMITED:
            raise ValueError("parts.header: not for the format " + self.format)


class FileManifest(Manifest):
    """An agency that drops files."""

    kind: Literal["file"]
    connection: FileConnection
    datasets: tuple[FileDataset, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class _Serving:
    """The indexes of a drop's files, and the date of all its rows where it has one."""

    indexes: tuple[DropIndex, ...]
    as_of: datetime | None

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """What tells this state of the drop from another."""
        return tuple(index.stamp for index in self.indexes)


class FileSource:
    """One dataset in the newest drop. A new drop is indexed by another process, while the one before goes on serving.

    `turns` bounds how many of these processes an agency has at once; `fetching` brings the drops where they lie on a
    server.
    """

    def __init__(
        self, dataset: FileDataset, directory: Path, turns: asyncio.Semaphore, fetching: SftpDrops | None = None
    ) -> None:
        self._dataset = dataset
        self._names = dataset.names
        self._directory = directory
        self._turns = turns
        self._fetching = fetching
        self._serving: _Serving | None = None
        self._refused: tuple[tuple[Stamp, ...], str] | None = None
        self._building: asyncio.Task[None] | None = None

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies. Raises `AgencyFailure` where there is no usable drop."""
        await self._refresh()
        try:
            return await self._look_up(call)
        except DropUnusable:
            # The first drop is still being indexed, or the drop was written over in place.
            await self.ready()
        try:
            return await self._look_up(call)
        except DropUnusable as error:
            reason = f"drop {self._dataset.file}: {error}"
            raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=True) from None

    async def ready(self) -> None:
        """Waits until the newest drop is indexed, or refused."""
        if self._fetching is not None:
            await self._fetching.looked()
        await self._refresh()
        if self._building is not None:
            # Whoever stops waiting does not stop the indexing, which serves the others.
            await asyncio.wait({self._building})

    async def close(self) -> None:
        """Ends the fetching and the indexing under way, and lets the file go."""
        if self._fetching is not None:
            await self._fetching.close()
        if self._building is not None:
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)
        self._serving = None

    async def _look_up(self, call: SourceCall) -> SourceAnswer:
        serving = self._serving
        if serving is None:
            none = "there is none of which all parts are there" if self._dataset.parts else "there is none"
            raise DropUnusable(self._refused[1] if self._refused else none)
        rows = await asyncio.to_thread(_read_rows, serving.indexes, call)
        limit = self._dataset.row_limit
        return SourceAnswer(
            rows=rows[:limit],
            as_of=serving.as_of,
            truncated=len(rows) > limit,
            dropped=sum(one.unreadable for one in serving.indexes) if self._dataset.unkeyed_rows == "incomplete" else 0,
        )

    async def _refresh(self) -> None:
        """Starts indexing if there is a drop that is neither indexed nor refused. Where there is no drop any more, the
        one that was there is not answered from: nobody stands for it.
        """
        async with self._fetching.moving if self._fetching else nullcontext():
            found = await asyncio.to_thread(newest_drop, self._directory, self._names)
        if self._building is not None and not self._building.done():
            return
        if found is None:
            self._serving = self._refused = None
            return
        if found.stamps not in {
            self._serving.stamps if self._serving else None,
            self._refused[0] if self._refused else None,
        }:
            self._building = asyncio.create_task(self._build(found))

    async def _build(self, drop: Drop) -> None:
        try:
            async with self._turns:
                indexes = await self._index(drop)
            stamps = tuple(index.stamp for index in indexes)
            as_of = await asyncio.to_thread(drop_moment, self._dataset.as_of, replace(drop, stamps=stamps))
        except Exception as error:  # noqa: BLE001  (whatever comes of a foreign file, the next one must not be missed)
            reason = str(error) if isinstance(error, DropUnusable) else type(error).__name__
            self._refused = drop.stamps, reason
            _log.warning("drop refused", drop=drop.files[0].name, record=self._dataset.record, reason=reason)
            return
        self._serving = _Serving(indexes, as_of)
        for path, index in zip(drop.files, indexes, strict=True):
            _log.info("drop indexed", drop=path.name, companies=index.companies, unreadable=index.unreadable)

    async def _index(self, drop: Drop) -> tuple[DropIndex, ...]:
        """The indexes of all of a drop's files. Raises `DropUnusable`, `OSError`, `TimeoutError`."""
        form, several = self._dataset.form, len(drop.files) > 1
        indexes: list[DropIndex] = []
        for path, stamp in zip(drop.files, drop.stamps, strict=True):
            try:
                index = await open_drop(path, form)
            except DropUnusable as error:
                raise DropUnusable(f"{path.name}: {error}" if several else str(error)) from None
            if several and index.stamp != stamp:
                # What came before it may be of another state of the drop.
                raise DropUnusable(f"{path.name}: it was replaced while others were read")
            if several and self._dataset.parts and self._dataset.parts.header == "first":
                form = replace(form, header=index.header, skip=0)
            indexes.append(index)
        return tuple(indexes)


def _read_rows(indexes: Iterable[DropIndex], call: SourceCall) -> list[RawRow]:
    try:
        keys = [normal_key(key) or "" for key in call.keys]
        return [row for index in indexes for row in index.rows(keys)]
    except DropUnusable:
        raise
    except Exception as error:  # noqa: BLE001  (what the file system or SQLite says of the index)
        raise DropUnusable(type(error).__name__) from None


async def open_sources(
    manifest: FileManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, FileSource]:
    """A source for each dataset, by record type. A directory that is not there is an agency that is down.

    Raises `ExtraMissing` where a library is not installed that the manifest needs, `AddressInvalid`.
    """
    if any(dataset.format is FileFormat.PARQUET for dataset in manifest.datasets) and not can_read_parquet():
        raise ExtraMissing("parquet", "format: parquet")
    directory, turns = Path(manifest.connection.path), asyncio.Semaphore(1)
    sftp = manifest.connection.sftp
    fetching = await _fetch(manifest, sftp, directory, settings.reach) if sftp else None
    return {dataset.record: FileSource(dataset, directory, turns, fetching) for dataset in manifest.datasets}


async def _fetch(manifest: FileManifest, part: SftpPart, directory: Path, reach: Reach) -> SftpDrops:
    server = sftp_server(part, reach)
    try:
        await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise AddressInvalid("path", "a directory that can be made") from None
    wanted = [dataset.names for dataset in manifest.datasets]
    return SftpDrops(manifest.agency, server, wanted, directory, every=part.every, timeout=part.timeout)


async def connect(manifest: FileManifest, settings: SupplySettings) -> None:
    """Looks whether the drops are there, on the server where they lie on one, and reads none.

    Raises `AddressInvalid`, `AgencyFailure` and `LaneError`, and what asyncssh raises.
    """
    directory, sftp = Path(manifest.connection.path), manifest.connection.sftp
    names = await names_at(sftp_server(sftp, settings.reach)) if sftp else ()
    for dataset in manifest.datasets:
        there = dataset.names.newest(names) if sftp else await asyncio.to_thread(newest_drop, directory, dataset.names)
        if not there:
            lacking = "of which all parts are there" if dataset.parts else "with its marker" if dataset.marker else ""
            reason = f"drop {dataset.file}: there is none {lacking}".rstrip()
            raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=True)
