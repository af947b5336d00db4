"""What the tests of the audit log share: an instance's log with a notary, in a directory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import KeySet, OKPKey

from gateway.audit.files import FileArchive, FileSink, Rotation, part_file
from gateway.audit.keys import SigningKeys
from gateway.audit.ledger import FileLedger
from gateway.audit.log import AuditLog
from gateway.audit.notary import Books, Notary
from gateway.audit.verify import Report, verify

INSTANCE = "test"
NEW = Rotation(1 << 30, 1e9)


def new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", auto_kid=True)


def public(*keys: OKPKey) -> KeySet:
    return KeySet([OKPKey.import_key(key.as_dict(private=False)) for key in keys])


@dataclass
class Installation:
    """An instance whose log is in a directory; `anchor` is a file outside it."""

    directory: Path
    key: OKPKey = field(default_factory=new_key)
    keep: dt.timedelta | None = None

    def __post_init__(self) -> None:
        self.path = self.directory / "log" / "audit.jsonl"
        self.anchor = self.directory / "elsewhere" / "anchor"
        self.keys = public(self.key)

    def books(self) -> Books:
        ledger = FileLedger(self.path.with_suffix(".checkpoints"))
        return Books(FileArchive(self.path, INSTANCE), ledger, {"anchor": FileLedger(self.anchor)})

    def notary(self, **changes: Any) -> Notary:
        return Notary(INSTANCE, SigningKeys(self.key, self.keys), self.books(), self.keep, **changes)

    async def write(self, *numbers: int, part: str = "", rotation: Rotation = NEW, **more: Any) -> None:
        """Appends one record for each number, each durable before the next."""
        sink = FileSink(part_file(self.path, part), INSTANCE + part, rotation)
        async with AuditLog(sink) as log:
            for n in numbers:
                await log.append({"at": dt.datetime.now(dt.UTC), "n": n, **more})

    async def certify(self, **changes: Any) -> None:
        notary = self.notary(**changes)
        try:
            await notary.certify()
        finally:
            await notary.close()

    async def verify(self, keys: KeySet | None = None) -> Report:
        return await verify(INSTANCE, self.books(), keys or self.keys)

    def lines(self, part: str = "") -> list[bytes]:
        return part_file(self.path, part).read_bytes().splitlines()

    def put(self, lines: list[bytes], part: str = "") -> None:
        """What somebody with access to the file makes of it."""
        part_file(self.path, part).write_bytes(b"".join(line + b"\n" for line in lines))


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(scope="session")
def make_installation() -> Callable[..., Installation]:
    return Installation


@pytest.fixture
def make_key() -> Callable[[], OKPKey]:
    return new_key


@pytest.fixture
def key_set() -> Callable[..., KeySet]:
    return public


@pytest.fixture
def faults() -> Callable[[Report], set[str]]:
    return lambda report: {finding.fault for finding in report.findings}
