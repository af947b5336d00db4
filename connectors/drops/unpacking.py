"""Archives unpacked, and text in an encoding whose lines cannot be told by their bytes written anew: each within
bounds, as a small file may hold a boundless one.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final

from connectors.drops.encodings import advice
from connectors.drops.form import DropForm, DropUnusable

LARGEST: Final = 16 * 1024**3
"""The most bytes that a drop may have when it is unpacked."""

LARGEST_RATIO: Final = 200
"""How many times larger than packed it may be. Delimited text packs to a fifth or a twentieth."""

SMALL: Final = 16 * 1024**2
"""Up to so many bytes, the ratio does not matter."""

_PIECE: Final = 1024 * 1024
_BROKEN: Final = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    struct.error,
    NotImplementedError,
    RuntimeError,
)
"""What the standard library raises for archives that are cut off, damaged, encrypted, or packed in some other way."""

_Content = AbstractContextManager[gzip.GzipFile | IO[bytes]]
_Opener = Callable[[BinaryIO, str | None], _Content]


def is_packed(name: str) -> bool:
    """Whether a file of this name is an archive."""
    return PurePosixPath(name).suffix.lower() in _OPENERS


def unpack(packed: BinaryIO, name: str, member: str | None, target: BinaryIO) -> None:
    """Writes what the archive holds to `target`. Raises `DropUnusable`, `OSError`."""
    size = packed.seek(0, 2)
    packed.seek(0)
    try:
        with _OPENERS[PurePosixPath(name).suffix.lower()](packed, member) as content:
            _copy(content, target, largest(size))
    except _BROKEN:
        raise DropUnusable("no archive that can be unpacked, or half-written") from None


def largest(packed: int) -> int:
    """The most bytes that an archive of so many may unpack to."""
    return min(LARGEST, max(SMALL, packed * LARGEST_RATIO))


def transcode(text: BinaryIO, form: DropForm, target: BinaryIO) -> None:
    """Writes the text to `target` in UTF-8. Raises `DropUnusable`, `OSError`."""
    reader = open(text.fileno(), encoding=form.encoding, newline="", closefd=False)  # noqa: SIM115  (a descriptor)
    try:
        while piece := reader.read(_PIECE):
            target.write(piece.encode())
    except UnicodeError:
        text.seek(0)
        hint = advice(text.read(_PIECE), form)
        raise DropUnusable(f"not {form.encoding}, as the manifest says{hint}") from None


def _copy(content: gzip.GzipFile | IO[bytes], target: BinaryIO, most: int) -> None:
    size = 0
    while piece := content.read(_PIECE):
        size += len(piece)
        if size > most:
            raise DropUnusable("its archive unpacks to more than may be")
        target.write(piece)


def _open_gzip(packed: BinaryIO, _member: str | None) -> _Content:
    return gzip.GzipFile(fileobj=packed)


def _open_zip(packed: BinaryIO, member: str | None) -> _Content:
    # Names that are not said to be UTF-8 are in the encoding of the system that packed them.
    archive = zipfile.ZipFile(packed, metadata_encoding="gb18030")
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    found = [name for name in names if member is None or fnmatchcase(name, member)]
    if len(found) != 1:
        raise DropUnusable(f"its archive has {len(found)} such files, not one (member names it)")
    return archive.open(found[0])


_OPENERS: Final[dict[str, _Opener]] = {".gz": _open_gzip, ".zip": _open_zip}
