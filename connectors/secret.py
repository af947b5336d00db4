"""Secrets that a manifest refers to: a text of the environment, or a file that is read again when it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from connectors.errors import AddressInvalid

FILE: Final = "file:"
LOOK_SECONDS: Final = 2.0
"""How long a file is taken to be as it was."""

LARGEST: Final = 64 * 1024
"""Most bytes of a file: a private key has a few thousand."""

_log = structlog.get_logger(__name__)

Stamp = tuple[int, int, int]
"""What tells one state of a file from another."""


class Secret:
    """A secret by its resolved reference. Shows nothing of itself, save to `value`."""

    def __init__(self, key: str, reference: str) -> None:
        """`key` is its place in the connection. Raises `AddressInvalid` for a file that cannot be read, or is empty."""
        self._key = key
        self._path = Path(reference.removeprefix(FILE)) if reference.startswith(FILE) else None
        self._value = SecretStr(reference)
        self._stamp: Stamp | None = None
        self._looked = float("-inf")
        if self._path is not None:
            try:
                self._stamp, self._value = _read(self._path)
            except (OSError, ValueError):
                raise AddressInvalid(key, "a file that can be read and holds a text") from None

    @property
    def first(self) -> str:
        """The secret as it was when it was opened: to check its form."""
        return self._value.get_secret_value()

    async def value(self) -> str:
        """The secret. A file that cannot be read any more leaves it as it was."""
        now = asyncio.get_running_loop().time()
        if self._path is not None and now >= self._looked + LOOK_SECONDS:
            self._looked = now
            await asyncio.to_thread(self._look, self._path)
        return self._value.get_secret_value()

    def _look(self, path: Path) -> None:
        try:
            if stamp_of(path) != self._stamp:
                self._stamp, self._value = _read(path)
        except (OSError, ValueError) as error:
            _log.warning("secret's file cannot be read", key=self._key, reason=type(error).__name__)


def stamp_of(path: Path) -> Stamp:
    """The file's stamp. Raises `OSError`."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[Stamp, SecretStr]:
    """The file's stamp from before it was read, and what it holds, without the line's end after it."""
    stamp = stamp_of(path)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    text = content.decode().rstrip("\r\n")
    if not text or len(content) > LARGEST:
        raise ValueError
    return stamp, SecretStr(text)
