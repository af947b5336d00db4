"""The kinds of system that agencies have. A new kind is one module here and one row in `SHIPPED`, or an entry point of
another package.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import structlog

from connectors import http_connection
from connectors.contract import RecordShape, Source
from connectors.errors import KindClash
from connectors.kinds import file, graphql, memory, rest, soap, sql
from connectors.manifest import Manifest
from connectors.settings import SupplySettings

GROUP: Final = "xinqiao.kinds"
"""The group of entry points by which other packages add kinds: its name is the kind, its object a `SystemKind`."""

_log = structlog.get_logger(__name__)


class Transport(StrEnum):
    """By what an agency of a kind is reached: what the conformance suite can come between.

    `HTTP`: through the client of `connectors.http_connection`, at `connection.url`. `TCP`: by connections to the
    address of `connection.url`. `DROP`: through files in the directory `connection.path`. `NONE`: otherwise.
    """

    HTTP = "http"
    TCP = "tcp"
    DROP = "drop"
    NONE = "none"


def _nothing(_: Manifest) -> Iterator[tuple[str, str]]:
    yield from ()


@dataclass(frozen=True, slots=True)
class SystemKind:
    """A kind of system.

    `manifest` is the form of its manifests, with the kind's name as the literal type of `kind`. `projection` tells
    whether only the columns asked for leave the agency. `open_sources` opens a source for each dataset of a manifest,
    by record type: it does not wait for the agency, and raises `ConnectionUnusable` for what waiting cannot mend.
    `transport` says what the conformance suite can come between. `check` gives path and message of each mistake in the
    files that a manifest names: the agency is not asked, and no variable needed. `connect`, where there is one,
    connects to the agency of a manifest whose references were resolved as calls would, and asks it nothing: it raises
    what keeps it from that.
    """

    manifest: type[Manifest]
    projection: bool
    open_sources: Callable[[Any, Mapping[str, RecordShape], SupplySettings], Awaitable[Mapping[str, Source]]]
    transport: Transport = Transport.NONE
    check: Callable[[Any], Iterable[tuple[str, str]]] = _nothing
    connect: Callable[[Any, SupplySettings], Awaitable[None]] | None = None


SHIPPED: Final[Mapping[str, SystemKind]] = {
    "rest": SystemKind(
        rest.RestManifest,
        projection=False,
        open_sources=rest.open_sources,
        transport=Transport.HTTP,
        connect=http_connection.connect,
    ),
    "soap": SystemKind(
        soap.SoapManifest,
        projection=False,
        open_sources=soap.open_sources,
        transport=Transport.HTTP,
        check=soap.check_copies,
        connect=http_connection.connect,
    ),
    "sql": SystemKind(
        sql.SqlManifest,
        projection=True,
        open_sources=sql.open_sources,
        transport=Transport.TCP,
        connect=sql.connect,
    ),
    "file": SystemKind(
        file.FileManifest,
        projection=False,
        open_sources=file.open_sources,
        transport=Transport.DROP,
        connect=file.connect,
    ),
    "graphql": SystemKind(
        graphql.GraphqlManifest,
        projection=True,
        open_sources=graphql.open_sources,
        transport=Transport.HTTP,
        connect=http_connection.connect,
    ),
    "memory": SystemKind(memory.MemoryManifest, projection=False, open_sources=memory.open_sources),
}


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds that there are, and those that cannot be loaded, each with the reason: both by name."""

    usable: Mapping[str, SystemKind]
    broken: Mapping[str, str]


@functools.cache
def kinds() -> Kinds:
    """The shipped kinds, and those that installed packages add. Raises `KindClash`."""
    return load_kinds(entry_points(group=GROUP))


def load_kinds(points: Iterable[EntryPoint]) -> Kinds:
    """The shipped kinds and those of the entry points.

    One that cannot be loaded is logged, and takes no other along. Raises `KindClash` where two have one name.
    """
    usable, broken = dict(SHIPPED), dict[str, str]()
    for point in points:
        if point.name in usable or point.name in broken:
            raise KindClash(f"{_place(point)}: there is a kind {point.name!r} already")
        try:
            usable[point.name] = _load(point)
        except Exception as error:  # noqa: BLE001  (a package's module may raise anything when it is imported)
            broken[point.name] = f"{_place(point)} cannot be loaded: {type(error).__name__}: {error}"
            _log.warning("kind cannot be loaded", kind=point.name, reason=broken[point.name])
    return Kinds(usable, broken)


def _load(point: EntryPoint) -> SystemKind:
    kind = point.load()
    if not isinstance(kind, SystemKind):
        raise TypeError("it is no SystemKind")
    declared = kind.manifest.model_json_schema()["properties"]["kind"].get("const")
    if declared != point.name:
        raise ValueError(f"its manifest's kind is not Literal[{point.name!r}]")
    return kind


def _place(point: EntryPoint) -> str:
    package = f" of {point.dist.name}" if point.dist else ""
    return f"the entry point {point.name!r} ({point.value}){package}"
