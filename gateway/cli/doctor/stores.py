"""Where the gateway keeps things: the audit log, the cache, the counters of quotas."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from redis.asyncio import ConnectionPool, Redis

from connectors.errors import ConnectorError
from connectors.redis_address import connection_options
from connectors.second_level import SKEW
from gateway.audit.keys import load_signing_keys
from gateway.audit.ledger import Ledger
from gateway.audit.open import anchor, audit_archive, audit_ledger
from gateway.cli.doctor.certificates import certificates, readable_by_others
from gateway.cli.doctor.finding import Finding, Trouble, attempt, fault, good, warning
from gateway.errors import GatewayError
from gateway.settings import PREFIX, Settings

LEAST_FREE: Final = 0.05
"""The part of a file system below which its room is told: a log that cannot be written closes the door."""

_NO_KEY: Final = (
    f"set {PREFIX}AUDIT__SIGNING_KEY and {PREFIX}AUDIT__KEYS (xinqiao audit keys makes both): without checkpoints"
    " nobody can tell that the log was written anew, and there are no receipts"
)


async def stores(settings: Settings, environment: Mapping[str, str], now: dt.datetime) -> list[Finding]:
    """What is found of the stores. Nothing is put into them."""
    found = [*await asyncio.to_thread(_files, settings), *await asyncio.to_thread(_signing, settings, now)]
    found += [one async for one in _log(settings)]
    for subject, address, deadline in (
        ("cache", settings.cache_url, settings.cache_deadline),
        ("quotas", settings.quotas.url, settings.quotas.deadline),
    ):
        if address is not None:
            found.append(await _redis(subject, address.get_secret_value(), environment, deadline))
    if settings.instances > 1 and settings.quotas.bounds() and settings.quotas.url is None:
        found.append(
            warning("quotas", "each instance counts by itself", f"set {PREFIX}QUOTAS__URL, where they count together")
        )
    return found


def _files(settings: Settings) -> Iterator[Finding]:
    """Whether the log's files can be written, and for how long."""
    if settings.audit.database is not None:
        return
    directory = _nearest(settings.audit_file.absolute().parent)
    if not os.access(directory, os.W_OK | os.X_OK):
        yield fault("audit log", f"{directory} cannot be written", f"change its owner, or set {PREFIX}AUDIT_FILE")
        return
    room = shutil.disk_usage(directory)
    free = f"{room.free / 2**30:.1f} GiB free at {directory}"
    if room.free < LEAST_FREE * room.total:
        yield warning("audit log", f"only {free}", "make room: nothing is answered once the log cannot be written")
    else:
        yield good("audit log", free)


def _nearest(directory: Path) -> Path:
    """The directory, or what there is of the way to it: the gateway makes the rest."""
    return next(one for one in (directory, *directory.parents) if one.exists())


def _signing(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    audit = settings.audit
    if audit.signing_key is None:
        yield warning("audit log", "its records come under no signed checkpoint", _NO_KEY)
        return
    try:
        load_signing_keys(audit)
    except GatewayError as error:
        yield fault("audit log", str(error), "the gateway does not start without its key")
    else:
        yield good("audit log", "its signing key is good, and among the public ones")
    yield from readable_by_others("audit log", audit.signing_key)
    if audit.timestamp_roots is not None:
        yield certificates("time stamp authority", audit.timestamp_roots, now)
    if not audit.anchors:
        yield warning(
            "audit log",
            "its checkpoints are copied nowhere",
            f"set {PREFIX}AUDIT__ANCHORS: without a copy elsewhere nobody can tell that its end was cut off",
        )


async def _log(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the log, and the copies of its checkpoints, can be read where they are kept."""
    if settings.audit.durability == "process":
        remedy = f"set {PREFIX}AUDIT__DURABILITY to disk, unless the disk keeps what it was given"
        yield warning("audit log", "a loss of power may take records whose answers have left", remedy)
    if settings.audit.database is not None:
        archive = audit_archive(settings)
        chains = await attempt(archive.chains())
        await archive.close()
        if isinstance(chains, Trouble):
            yield fault("audit log", chains, "see to its database: nothing is answered without it")
        else:
            yield good("audit log", "its database answers")
    if settings.audit.signing_key is None:
        return
    places = [address.get_secret_value() for address in settings.audit.anchors]
    yield await _ledger("checkpoints", lambda: audit_ledger(settings))
    for number, place in enumerate(places, 1):
        yield await _ledger(f"anchor {number}", partial(anchor, place, settings))


async def _ledger(subject: str, opened: Callable[[], Ledger]) -> Finding:
    async def last() -> str | None:
        ledger = opened()
        try:
            return await ledger.last()
        finally:
            await ledger.close()

    said = await attempt(last())
    if isinstance(said, Trouble):
        return fault(subject, said, "see to where it is kept")
    return good(subject, "can be read")


async def _redis(subject: str, address: str, environment: Mapping[str, str], deadline: float) -> Finding:
    """Whether the store answers, soon enough, and by about the same clock."""
    remedy = "see to its address, its server and what its user may do: the gateway answers without it, and says so"
    try:
        options = connection_options(address, environment, "its store")
    except ConnectorError as error:
        return fault(subject, str(error), remedy)
    answer = await attempt(_clocks(Redis.from_pool(ConnectionPool(**options))))
    if isinstance(answer, Trouble):
        return fault(subject, answer, remedy)
    apart, took = answer
    if took > deadline:
        return warning(subject, f"its store took {took * 1_000:.0f} ms, and may take {deadline * 1_000:.0f}", remedy)
    if abs(apart) > SKEW + took:
        return warning(subject, "the clock of its store differs from this machine's", "keep both in step (NTP)")
    return good(subject, f"its store answers in {took * 1_000:.1f} ms")


async def _clocks(client: Redis) -> tuple[float, float]:
    """By how many seconds the store's clock is ahead of ours, and how many a trip to it takes on an open connection."""
    try:
        await client.time()
        begun = time.time()
        seconds, micros = await client.time()
        return seconds + micros / 1e6 - begun, time.time() - begun
    finally:
        await client.aclose()
