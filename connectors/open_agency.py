"""One agency, open: its connections, what bounds the calls over them, and what they were opened from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.coalesce import Coalescer
from connectors.contract import Preparing, RecordShape
from connectors.describe import describe
from connectors.environment import resolve
from connectors.errors import ConnectionNotConfigured, ConnectionUnusable
from connectors.joining import Joiner
from connectors.kindness.bounds import Bounds
from connectors.kindness.lender import Lender
from connectors.kindness.pacer import Pacer
from connectors.kinds import kinds
from connectors.lending import lenders, pacer
from connectors.line import Line
from connectors.manifest import Manifest, Part
from connectors.mapping import compile_mapper
from connectors.second_level import SecondLevel, dataset_entries
from connectors.secret import Stamp, stamp_of
from connectors.settings import SupplySettings
from connectors.watch import watched


@dataclass(frozen=True, slots=True)
class Origin:
    """What an agency was opened from: where all of it is the same, there is no reason to open it again.

    The manifest's references are resolved. `files` has the stamps of the files that are read only at the opening (None
    for one that is not there).
    """

    manifest: Manifest
    shapes: Mapping[str, RecordShape]
    files: Mapping[Path, Stamp | None]


class OpenAgency:
    """An agency's lines, by dataset, and what it was opened from. Whoever opened it closes it, once no supply has it
    any more.
    """

    def __init__(
        self,
        lines: Mapping[str, Line],
        origin: Origin | None = None,
        lent_by: Sequence[Lender] = (),
        pacer: Pacer | None = None,
    ) -> None:
        """`origin` is None where its bounds will not change. From `lent_by` calls need places as well, and
        from `pacer` their turns.
        """
        self.lines = lines
        self.origin = origin
        self._lent_by = lent_by
        self._pacer = pacer
        self.coalescers = {name: Coalescer(line) for name, line in lines.items() if line.coalesces}

    @property
    def bounds(self) -> Bounds:
        """What bounds the calls to it."""
        return next(iter(self.lines.values())).bounds

    def bind(self) -> None:
        """From now on the calls to it, also those of before, are bounded as its manifest says."""
        if self.origin is not None:
            self.bounds.change(self.origin.manifest, self.origin.manifest.connection, self._lent_by, self._pacer)

    async def ready(self) -> None:
        """Returns once it answers as well as it may: an agency whose files have to be read first takes that long."""
        sources = [line.source for line in self.lines.values() if isinstance(line.source, Preparing)]
        await asyncio.gather(*(source.ready() for source in sources))

    async def close(self) -> None:
        """Ends every call and closes every connection."""
        for coalescer in self.coalescers.values():
            await coalescer.close()
        for line in self.lines.values():
            await line.close()


def origin_of(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> Origin:
    """What the agency would be opened from now. Blocks. Raises `ConnectionNotConfigured`."""
    (resolved,) = resolve((manifest,), settings.environment)
    used = {dataset.record: shapes[dataset.record] for dataset in manifest.datasets}
    return Origin(resolved, used, {path: stamp_or_none(path) for path in _read_once(resolved)})


async def open_agency(
    origin: Origin, settings: SupplySettings, bounds: Bounds | None = None, second: SecondLevel | None = None
) -> OpenAgency:
    """Opens the connections; the agency is not asked yet, and may be down. Where it was open before, its `bounds` are
    those of then, for it may be asked as it was for a while yet; they are what its manifest says once that is in force
    (`OpenAgency.bind`). By the `second` level, where there is one, all instances together count its calls of a day, and
    lend each other places there.

    Raises `ConnectionNotConfigured` where the connection cannot be opened, or nothing is there by which to lend.
    """
    manifest, shapes, share = origin.manifest, origin.shapes, settings.share
    lent_by, paced_by = lenders(manifest, settings, second), pacer(manifest, settings, second)
    divided = manifest.model_copy(update={"concurrency": share.places(manifest.concurrency)})
    try:
        opened = await kinds().usable[manifest.kind].open_sources(divided, shapes, settings)
    except ConnectionUnusable as error:
        raise ConnectionNotConfigured([f"agency {manifest.agency}: {error}"]) from None
    sources = watched(opened, manifest.agency, settings.watch)
    add = second.counter(manifest.agency) if second else None
    own = bounds or Bounds(manifest.agency, manifest, share, add=add, patience=settings.patience)
    forwards = manifest.forward is not None
    lines: dict[str, Line] = {}
    for dataset, described in zip(manifest.datasets, describe(manifest), strict=True):
        source, shape = sources[dataset.record], shapes[dataset.record]
        mapper = compile_mapper(dataset, shape, manifest.none)
        joiner = Joiner(dataset, shape, mapper, whole_rows=not described.projection)
        entries = dataset_entries(manifest, dataset, shape)
        lines[described.id] = Line(
            described, source, joiner, own, dataset.is_idempotent, forwards, entries, tracer=settings.tracer
        )
    agency = OpenAgency(lines, origin, lent_by, paced_by)
    if bounds is None:
        agency.bind()
    return agency


def _read_once(value: object) -> Iterator[Path]:
    """The files that any part of a manifest names, and that are read only at the opening."""
    if isinstance(value, Part):
        yield from value.read_once()
        value = tuple(inner for _, inner in value)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    for inner in value if isinstance(value, tuple | list) else ():
        yield from _read_once(inner)


def stamp_or_none(path: Path) -> Stamp | None:
    """The file's stamp; None where there is none."""
    try:
        return stamp_of(path)
    except OSError:
        return None


async def try_agency(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> bool:
    """Opens the agency, connects to it as calls would, asks it nothing, and lets go; False where agencies of its kind
    are not connected to.

    Raises `ConnectionNotConfigured`, and what keeps it from connecting: a `ConnectorError`, or what a library raises.
    """
    origin = await asyncio.to_thread(origin_of, manifest, shapes, settings)
    connect = kinds().usable[manifest.kind].connect
    await (await open_agency(origin, settings)).close()
    if connect is None:
        return False
    await connect(origin.manifest, settings)
    return True
