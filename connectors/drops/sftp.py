"""Drops that lie on an agency's SFTP server: the newest are fetched into a directory of their own, on a schedule."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import Field, model_validator

from connectors.drops.form import DropUnusable
from connectors.drops.names import DropNames
from connectors.drops.unpacking import LARGEST
from connectors.errors import AddressInvalid, ExtraMissing
from connectors.lane import LaneError
from connectors.manifest import Part, Reference
from connectors.reach import Reach, literal, reachable

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient, SSHKey

LONGEST_WAIT: Final = 60.0
"""The most seconds that the server may take to let us in, or over a piece of a file."""

MOST_FILES: Final = 100_000
"""The most files that the directory may have."""

_PIECE: Final = 4 * 1024 * 1024
_PORT: Final = 22
_NAME: Final = re.compile(r"[^./\\\x00][^/\\\x00]*")
"""Names that a server may give us to write to."""

_log = structlog.get_logger(__name__)


class SftpPart(Part):
    """The server from which drops are fetched."""

    url: Reference = Field(description="sftp://user@host:port/directory, by reference: ${NAME}.")
    host_key: Reference = Field(alias="hostKey", description="The server's public key: ssh-ed25519 AAAA...")
    password: Reference | None = None
    private_key: Reference | None = Field(
        default=None, alias="privateKey", description="Our private key, as OpenSSH or PEM text."
    )
    every: float = Field(default=300, ge=1, le=86_400, description="Seconds between two looks for new drops.")
    timeout: float = Field(
        default=1800, gt=0, le=86_400, description="Seconds that one look, with its drops, may take."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.password is None) == (self.private_key is None):
            raise ValueError("needs exactly one of password and privateKey")
        return self


@dataclass(frozen=True, slots=True)
class SftpServer:
    """Where drops are fetched from, and by which right. `host_key` is the only key that the server may have, `reach`
    has the addresses at which it may be.
    """

    host: str
    port: int
    reach: Reach
    user: str
    directory: str
    host_key: SSHKey = field(repr=False)
    password: str | None = field(repr=False)
    private_key: SSHKey | None = field(repr=False)


def sftp_server(part: SftpPart, reach: Reach) -> SftpServer:
    """The server that a manifest whose references were resolved names, where it may be reached.

    Raises `AddressInvalid`, `ExtraMissing`.
    """
    if find_spec("asyncssh") is None:
        raise ExtraMissing("sftp", "connection.sftp")
    import asyncssh  # noqa: PLC0415  (an extra, which may not be installed)

    try:
        url = urlsplit(part.url)
        port = url.port or _PORT
    except ValueError:
        raise AddressInvalid("sftp.url", "an sftp address") from None
    if url.scheme != "sftp" or not url.hostname or not url.username or url.password or url.query or url.fragment:
        raise AddressInvalid("sftp.url", "an sftp address with a user, and without a password")
    digits = literal(url.hostname)
    if digits and not reach.allows(digits, encrypted=True):
        raise AddressInvalid("sftp.url", "an address that may be reached")
    try:
        host_key = asyncssh.import_public_key(part.host_key)
    except (asyncssh.KeyImportError, ValueError):
        raise AddressInvalid("sftp.hostKey", "a public key") from None
    try:
        private_key = None if part.private_key is None else asyncssh.import_private_key(part.private_key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise AddressInvalid("sftp.privateKey", "a private key without a passphrase") from None
    directory = unquote(url.path) or "."
    user = unquote(url.username)
    return SftpServer(url.hostname, port, reach, user, directory, host_key, part.password, private_key)


class SftpDrops:
    """The newest drops of a server, fetched into `directory` for as long as it is not closed.

    What is no longer on the server goes from the directory too. While the server is down, what is there stays.
    """

    def __init__(  # noqa: PLR0913
        self,
        agency: str,
        server: SftpServer,
        wanted: Sequence[DropNames],
        directory: Path,
        *,
        every: float,
        timeout: float,
    ) -> None:
        """`every` and `timeout` are in seconds: between two looks at the server, and for one of them. Whoever looks for
        drops in the directory holds `moving` meanwhile: so none is seen of which not all files are in their places.
        """
        self.moving: Final = asyncio.Lock()
        self._agency = agency
        self._server = server
        self._wanted = wanted
        self._directory = directory
        self._every = every
        self._timeout = timeout
        self._looked = asyncio.Event()
        self._task = asyncio.create_task(self._look_for_ever())

    async def looked(self) -> None:
        """Waits for the first look at the server, whatever came of it."""
        await self._looked.wait()

    async def close(self) -> None:
        """Ends the fetching."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._looked.set()

    async def _look_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._look()
            except Exception as error:  # noqa: BLE001  (whatever a server does to the library, it is asked again)
                reason = str(error) if isinstance(error, DropUnusable | LaneError) else type(error).__name__
                _log.warning("drops not fetched", agency=self._agency, reason=reason)
            self._looked.set()
            await asyncio.sleep(self._every)

    async def _look(self) -> None:
        async with connected(self._server) as client:
            listed = await _list(client, self._server.directory)
            kept: set[str] = set()
            for wanted in self._wanted:
                newest = wanted.newest(listed.keys())
                if newest is not None:
                    names = (*newest.files, *newest.markers)
                    await self._fetch(client, {name: listed[name] for name in names})
                    kept.update(names)
        async with self.moving:
            await asyncio.to_thread(self._forget_all_but, kept)

    async def _fetch(self, client: SFTPClient, files: Mapping[str, SFTPAttrs]) -> None:
        """Fetches those files of a drop that are not there yet in this state, each to its place once all are there."""
        states = {name: (attributes.size, attributes.mtime) for name, attributes in files.items()}
        there = await asyncio.to_thread(lambda: {name: _state(self._directory / name) for name in states})
        if states == there:
            return
        # A directory of its own: no pattern finds in it what is half-fetched.
        scratch = await asyncio.to_thread(lambda: TemporaryDirectory(prefix=".fetching-", dir=self._directory))
        drafts = Path(scratch.name)
        try:
            for name, state in states.items():
                if state == there[name]:
                    continue
                if await _read(client, f"{self._server.directory}/{name}", drafts / name) != state:
                    raise DropUnusable(f"{name} changed while it was fetched")
                moment = state[1] or 0
                await asyncio.to_thread(os.utime, drafts / name, (moment, moment))
            async with self.moving:
                await asyncio.to_thread(_move_all, drafts, self._directory)
        finally:
            await asyncio.to_thread(scratch.cleanup)

    def _forget_all_but(self, kept: set[str]) -> None:
        for path in self._directory.iterdir():
            patterns = (pattern for wanted in self._wanted for pattern in wanted.globs)
            if path.name not in kept and any(fnmatchcase(path.name, pattern) for pattern in patterns):
                path.unlink(missing_ok=True)


@asynccontextmanager
async def connected(server: SftpServer) -> AsyncIterator[SFTPClient]:
    """A session with the server. Raises `LaneError`, and what asyncssh raises."""
    import asyncssh  # noqa: PLC0415  (an extra: whoever made the server has seen that it is there)

    options: dict[str, Any] = {
        "config": None,
        "known_hosts": ([server.host_key], [], []),
        "username": server.user,
        "password": server.password,
        "client_keys": [server.private_key] if server.private_key else None,
        "agent_path": None,
        "gss_host": None,
        "connect_timeout": LONGEST_WAIT,
        "login_timeout": LONGEST_WAIT,
        "keepalive_interval": LONGEST_WAIT / 4,
    }
    async with asyncio.timeout(LONGEST_WAIT):
        address, *_ = await reachable(server.host, server.port, server.reach, encrypted=True)
    async with (
        asyncssh.connect(address, server.port, **options) as connection,
        connection.start_sftp_client(path_errors="surrogateescape") as client,
    ):
        yield client


async def names_at(server: SftpServer) -> Sequence[str]:
    """The names of the files in the server's directory.

    Raises `DropUnusable`, `LaneError`, and what asyncssh raises.
    """
    async with connected(server) as client:
        return tuple(await _list(client, server.directory))


async def _list(client: SFTPClient, directory: str) -> Mapping[str, SFTPAttrs]:
    listed: dict[str, SFTPAttrs] = {}
    async for entry in client.scandir(directory):
        name = str(entry.filename)
        if _NAME.fullmatch(name):
            listed[name] = entry.attrs
        if len(listed) > MOST_FILES:
            raise DropUnusable("its directory has too many files")
    return listed


async def _read(client: SFTPClient, remote: str, target: Path) -> tuple[int | None, int | None]:
    """Reads the file into `target`, and gives the state that it was in: its size and when it was modified."""
    size = 0
    local = await asyncio.to_thread(target.open, "wb")
    try:
        async with client.open(remote, "rb", encoding=None) as file:
            while True:
                async with asyncio.timeout(LONGEST_WAIT):
                    piece = cast("bytes", await file.read(_PIECE, size))
                if not piece:
                    break
                size += len(piece)
                if size > LARGEST:
                    raise DropUnusable("a file is larger than may be")
                await asyncio.to_thread(local.write, piece)
            attributes = await file.stat()
    finally:
        await asyncio.to_thread(local.close)
    return (size if attributes.size == size else None, attributes.mtime)


def _move_all(drafts: Path, directory: Path) -> None:
    for draft in drafts.iterdir():
        draft.replace(directory / draft.name)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)
