"""The kind `memory`: rows that stand in the manifest itself. For tests and tutorials, not for real data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from connectors.contract import KeyKind, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.keys import is_some_company, normal_key
from connectors.manifest import DatasetManifest, Key, Manifest, Part
from connectors.paths import reader
from connectors.settings import SupplySettings
from schema.company_key import comparable_name


class MemoryConnection(Part):
    """There is nothing to connect to."""


class MemoryDataset(DatasetManifest):
    """A dataset whose rows stand beside it."""

    can_filter: ClassVar[bool] = False
    any_spelling: ClassVar[bool] = True
    idempotent_by_nature: ClassVar[bool] = True

    rows: tuple[dict[str, Any], ...] = Field(description="The agency's rows, of all companies.")
    batch: int = Field(default=1000, ge=1, le=10_000, description="Most companies a call may carry.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.key.path is None:
            raise ValueError("key: name the column that holds the company's code")
        if self.key.spellings != Key.model_fields["spellings"].default:
            raise ValueError("key.spellings: rows in memory match any spelling")
        if self.as_of is not None and self.as_of.path is not None:
            raise ValueError("asOf.path: there is no answer around the rows: use asOf.column or asOf.constant")
        return self


class MemoryManifest(Manifest):
    """An agency that is no more than its manifest."""

    kind: Literal["memory"]
    connection: MemoryConnection = MemoryConnection()
    datasets: tuple[MemoryDataset, ...] = Field(min_length=1)


class MemorySource:
    """One dataset in memory."""

    def __init__(self, dataset: MemoryDataset) -> None:
        self._dataset = dataset
        self._rows: defaultdict[str | None, list[RawRow]] = defaultdict(list)
        self._key_of = reader(dataset.key.path or "", nested=dataset.nested)
        for row in dataset.rows:
            key = normal_key(self._key_of(row))
            known = key is not None and is_some_company(key, dataset.key.kind)
            self._rows[key if known else None].append(row)

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, and those whose key is no code, which may be anybody's; of a search, those whose
        name has the text in it.
        """
        if self._dataset.key.kind is KeyKind.NAME:
            rows = self._named(call.keys[0])
        else:
            keys = dict.fromkeys([*map(normal_key, call.keys), None])
            rows = [row for key in keys if key in self._rows for row in self._rows[key]]
        limit = self._dataset.row_limit
        return SourceAnswer(rows[:limit], truncated=len(rows) > limit)

    async def close(self) -> None:
        """There is nothing to give back."""

    def _named(self, name: str) -> list[RawRow]:
        wanted = comparable_name(name)
        return [row for row in self._dataset.rows if wanted in comparable_name(str(self._key_of(row) or ""))]


async def open_sources(
    manifest: MemoryManifest, _shapes: Mapping[str, RecordShape], _settings: SupplySettings
) -> dict[str, MemorySource]:
    """A source for each dataset, by record type."""
    return {dataset.record: MemorySource(dataset) for dataset in manifest.datasets}
