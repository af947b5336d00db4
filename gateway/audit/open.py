"""Opens what the settings say of the audit log."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates

from gateway.audit.database import DatabaseArchive, DatabaseLedger, DatabaseSink
from gateway.audit.evidence import LogPlace
from gateway.audit.files import FileArchive, FileSink, Rotation, part_file
from gateway.audit.keys import load_signing_keys
from gateway.audit.ledger import FileLedger, Ledger
from gateway.audit.log import AuditLog
from gateway.audit.notary import Books, Notary
from gateway.audit.sink import Archive
from gateway.audit.watch import CheckpointWatch
from gateway.beside import beside
from gateway.edge.health import Check
from gateway.errors import AuditSinkError, SettingsInvalidError
from gateway.settings import PREFIX, Settings

READS: Final = "-reads"
"""The part of the log in which commands record who read it."""


def worker_part(worker: int | None) -> str:
    """The part of the log that one of several workers writes, which count from 1; None where there is but one."""
    return f"-{worker}" if worker else ""


def audit_log(settings: Settings, part: str) -> AuditLog:
    """The log that writes this part. Raises `SettingsInvalidError`."""
    audit = settings.audit
    chain, durable = audit.instance + part, audit.durability == "disk"
    if audit.database is not None:
        with _naming("DATABASE"):
            return AuditLog(DatabaseSink(audit.database.get_secret_value(), chain, durable=durable))
    rotation = Rotation(audit.rotate_bytes, audit.rotate_seconds)
    sync = os.fsync if durable else _not_synced
    return AuditLog(FileSink(part_file(settings.audit_file, part), chain, rotation, sync))


def audit_archive(settings: Settings) -> Archive:
    """The whole log, to be read. Raises `SettingsInvalidError`."""
    instance = settings.audit.instance
    if settings.audit.database is not None:
        with _naming("DATABASE"):
            return DatabaseArchive(settings.audit.database.get_secret_value(), instance)
    return FileArchive(settings.audit_file, instance)


def audit_ledger(settings: Settings) -> Ledger:
    """The checkpoints beside the log. Raises `SettingsInvalidError`."""
    if settings.audit.database is not None:
        with _naming("DATABASE"):
            return DatabaseLedger(settings.audit.database.get_secret_value(), settings.audit.instance)
    return FileLedger(settings.audit_file.with_suffix(".checkpoints"))


def anchor(address: str, settings: Settings) -> Ledger:
    """The anchor at a path, or at the URL of a database or of a time stamp authority. Raises `SettingsInvalidError`."""
    instance = settings.audit.instance
    if address.startswith(("http:", "https:")):
        return _timestamps(address, settings)
    with _naming("ANCHORS"):
        return DatabaseLedger(address, instance) if "://" in address else FileLedger(Path(address))


def log_place(settings: Settings) -> LogPlace:
    """Where the log is kept, told so that another process may read it."""
    return LogPlace(settings.audit_file, settings.audit.instance, settings.audit.database)


@asynccontextmanager
async def certifying(settings: Settings) -> AsyncIterator[None]:
    """Makes checkpoints for as long as the context lasts, where there is a key to sign them, and a last one at its end.

    Raises `SettingsInvalidError`.
    """
    audit = settings.audit
    keys = load_signing_keys(audit)
    if keys is None:
        yield
        return
    async with AsyncExitStack() as stack:
        archive, ledger = audit_archive(settings), audit_ledger(settings)
        anchors = {
            f"anchor {place}": anchor(address.get_secret_value(), settings)
            for place, address in enumerate(audit.anchors, 1)
        }
        stack.push_async_callback(archive.close)
        for one in (ledger, *anchors.values()):
            stack.push_async_callback(one.close)
        keep = dt.timedelta(days=audit.keep_days) if audit.keep_days is not None else None
        notary = Notary(audit.instance, keys, Books(archive, ledger, anchors), keep)
        stack.push_async_callback(notary.close)
        try:
            async with beside(notary.run(audit.checkpoint_seconds), name="notary"):
                yield
        finally:
            await notary.try_certify()


@asynccontextmanager
async def watching(settings: Settings, part: str, log: AuditLog) -> AsyncIterator[Mapping[str, Check]]:
    """What says whether the log's records come under checkpoints, where there is a key to sign them.

    Raises `SettingsInvalidError`.
    """
    audit = settings.audit
    keys = load_signing_keys(audit)
    if keys is None:
        yield {}
        return
    ledger = audit_ledger(settings)
    watch = CheckpointWatch(audit.instance + part, log, ledger, keys.public, audit.checkpoint_seconds)
    try:
        yield {"checkpoints": watch.check}
    finally:
        await ledger.close()


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    try:
        yield
    except AuditSinkError as error:
        raise SettingsInvalidError(f"{PREFIX}AUDIT__{setting}: {error}") from None


def _timestamps(url: str, settings: Settings) -> Ledger:
    if settings.audit.timestamp_roots is None:
        raise SettingsInvalidError(f"{PREFIX}AUDIT__TIMESTAMP_ROOTS is not set: by whose certificate is {url} known?")
    try:
        from gateway.audit.timestamps import TimestampLedger  # noqa: PLC0415 - an extra
    except ImportError:
        raise SettingsInvalidError(
            f"{PREFIX}AUDIT__ANCHORS: a time stamp authority needs the extra `timestamp` (rfc3161-client)"
        ) from None
    try:
        roots = load_pem_x509_certificates(settings.audit.timestamp_roots.read_bytes())
        host = urlsplit(url).hostname
    except (OSError, ValueError) as error:
        raise SettingsInvalidError(f"{PREFIX}AUDIT__TIMESTAMP_ROOTS or {PREFIX}AUDIT__ANCHORS: {error}") from None
    return TimestampLedger(url, settings.audit_file.with_suffix(f".{host}.timestamps"), roots)


def _not_synced(_descriptor: int) -> None:
    """What the kernel holds outlives the process."""
