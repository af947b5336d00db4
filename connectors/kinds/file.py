"""The kind `file`: delimited files that an agency drops into a directory, looked up through an index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import structlog
from pydantic import Field, StringConstraints, model_validator

from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.drop import DropFormat, DropIndex, DropUnusable, Stamp, open_drop
from connectors.errors import AgencyFailure
from connectors.keys import normal_key
from connectors.manifest import DatasetManifest, Key, Manifest, MissingMeans, Part, Reference
from connectors.settings import SupplySettings

_log = structlog.get_logger(__name__)


class FileConnection(Part):
    """The directory of the drops."""

    path: Reference = Field(description="The directory, by reference: ${NAME}.")


class FileDataset(DatasetManifest):
    """A dataset in the newest of an agency's drops."""

    nested: ClassVar[bool] = False
    can_filter: ClassVar[bool] = False
    any_spelling: ClassVar[bool] = True

    file: Annotated[str, StringConstraints(pattern=r"^[^/\\\x00]+$")] = Field(
        description="A name, or a pattern (customs_*.csv): the last by name is the drop."
    )
    encoding: Literal["utf-8", "gb18030", "gbk"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    marker: Annotated[str, StringConstraints(pattern=r"^[^/\\\x00]+$")] | None = Field(
        default=None, description="The drop counts only once a file of its name with this added lies beside it."
    )
    unkeyed_rows: Literal["incomplete", "ignore"] = Field(
        default="incomplete", alias="unkeyedRows", description="What rows whose key is no code do to every answer."
    )
    batch: int = Field(default=1000, ge=1, le=10_000, description="Most companies a call may carry.")
    missing_means: MissingMeans = Field(
        alias="missingMeans", description="What it means that a company has no row in the drop."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.key.path is None:
            raise ValueError("key: name the column that holds the company's code")
        if self.key.spellings != Key.model_fields["spellings"].default:
            raise ValueError("key.spellings: a drop's index matches any spelling")
        if self.as_of is not None and self.as_of.path is not None:
            raise ValueError("asOf.path: a drop has columns: use asOf.column")
        return self


class FileManifest(Manifest):
    """An agency that drops files."""

    kind: Literal["file"]
    connection: FileConnection
    datasets: tuple[FileDataset, ...] = Field(min_length=1)


class FileSource:
    """One dataset in the newest drop. A new drop is indexed in a thread, while the one before goes on serving."""

    def __init__(self, dataset: FileDataset, directory: Path) -> None:
        self._dataset = dataset
        self._directory = directory
        self._format = DropFormat(dataset.key.path or "", dataset.paths(), dataset.encoding, dataset.delimiter)
        self._index: DropIndex | None = None
        self._refused: Stamp | None = None
        self._building: asyncio.Task[None] | None = None

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies. Raises `AgencyFailure` where there is no usable drop."""
        await self._refresh()
        try:
            return await self._look_up(call)
        except DropUnusable:
            # The first drop is still being indexed, or the drop was written over in place.
            await self.indexed()
        try:
            return await self._look_up(call)
        except DropUnusable as error:
            reason = f"drop {self._dataset.file}: {error}"
            raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=True) from None

    async def indexed(self) -> None:
        """Waits until the newest drop is indexed, or refused."""
        await self._refresh()
        if self._building is not None:
            # Whoever stops waiting does not stop the indexing, which serves the others.
            await asyncio.shield(self._building)

    async def close(self) -> None:
        """Waits for the indexing under way, as its thread cannot be stopped, and lets the file go."""
        if self._building is not None:
            await self._building
        self._index = None

    async def _look_up(self, call: SourceCall) -> SourceAnswer:
        index = self._index
        if index is None:
            raise DropUnusable("no usable drop")
        rows = await asyncio.to_thread(_read_rows, index, call)
        limit = self._dataset.row_limit
        return SourceAnswer(
            rows=rows[:limit],
            as_of=index.stamp.moment if self._dataset.as_of is None else None,
            truncated=len(rows) > limit,
            dropped=index.unreadable if self._dataset.unkeyed_rows == "incomplete" else 0,
        )

    async def _refresh(self) -> None:
        """Starts indexing if there is a drop that is neither indexed nor refused. Where there is no drop any more, the
        one that was there is not answered from: nobody stands for it.
        """
        found = await asyncio.to_thread(self._newest)
        if self._building is not None and not self._building.done():
            return
        if found is None:
            self._index = None
            return
        if found[1] not in {self._index.stamp if self._index else None, self._refused}:
            self._building = asyncio.create_task(self._build(*found))

    def _newest(self) -> tuple[Path, Stamp] | None:
        """The last drop by name, and its stamp; None where there is none, or it still lacks its marker."""
        try:
            paths = sorted(path for path in self._directory.glob(self._dataset.file) if path.is_file())
            for path in reversed(paths):
                marker = path.with_name(path.name + (self._dataset.marker or ""))
                if self._dataset.marker is None or marker.is_file():
                    return path, Stamp.of(path.stat())
        except OSError:
            return None
        return None

    async def _build(self, path: Path, stamp: Stamp) -> None:
        try:
            index = await asyncio.to_thread(open_drop, path, self._format)
        except (DropUnusable, OSError) as error:
            self._refused = stamp
            reason = str(error) if isinstance(error, DropUnusable) else type(error).__name__
            _log.warning("drop refused", drop=path.name, record=self._dataset.record, reason=reason)
            return
        self._index = index
        _log.info("drop indexed", drop=path.name, companies=len(index.places), unreadable=index.unreadable)


def _read_rows(index: DropIndex, call: SourceCall) -> list[RawRow]:
    try:
        return [row for key in call.keys for row in index.rows(normal_key(key) or "")]
    except OSError as error:
        raise DropUnusable(type(error).__name__) from None


async def open_sources(
    manifest: FileManifest, _shapes: Mapping[str, RecordShape], _settings: SupplySettings
) -> dict[str, FileSource]:
    """A source for each dataset, by record type. A directory that is not there is an agency that is down."""
    directory = Path(manifest.connection.path)
    return {dataset.record: FileSource(dataset, directory) for dataset in manifest.datasets}
