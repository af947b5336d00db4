"""The kinds of system that agencies have. A new kind is one module here and one row in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.contract import RecordShape, Source
from connectors.kinds import file, graphql, rest, sql
from connectors.manifest import Manifest
from connectors.settings import SupplySettings


@dataclass(frozen=True, slots=True)
class SystemKind:
    """A kind of system: the form of its manifest, whether only the columns asked for leave the agency, and how its
    sources are opened, by record type.
    """

    manifest: type[Manifest]
    projection: bool
    open_sources: Callable[[Any, Mapping[str, RecordShape], SupplySettings], Mapping[str, Source]]


KINDS: Final[Mapping[str, SystemKind]] = {
    "rest": SystemKind(rest.RestManifest, projection=False, open_sources=rest.open_sources),
    "sql": SystemKind(sql.SqlManifest, projection=True, open_sources=sql.open_sources),
    "file": SystemKind(file.FileManifest, projection=False, open_sources=file.open_sources),
    "graphql": SystemKind(graphql.GraphqlManifest, projection=True, open_sources=graphql.open_sources),
}
