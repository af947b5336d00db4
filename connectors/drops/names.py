"""Which files are a drop, by their names: the last one, or all of one date."""

from __future__ import annotations

import glob
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from connectors.drops.form import Stamp
from connectors.manifest import Part

FileName = Annotated[str, StringConstraints(pattern=r"^[^/\\\x00]+$")]

DATE: Final = ("%Y", "%m", "%d", "%H", "%M", "%S")
"""What stands for a date in the pattern of a name, as `strftime` has it."""

NUMBER: Final = "%N"
"""What stands for the number of a drop's files."""

_BEGINNING: Final = (1, 1, 1, 0, 0, 0)
"""What the parts of a date are that a name does not have."""

_EXPRESSIONS: Final = {
    "%Y": r"(?P<Y>\d{4})",
    **{part: rf"(?P<{part[1]}>\d\d)" for part in DATE[1:]},
    NUMBER: r"(?P<N>\d{1,5})",
    "*": ".*",
}
_PARTS: Final = re.compile(r"(%.|\*)")


@dataclass(frozen=True)
class NamePattern:
    """A name with its date in it: customs_%Y%m%d_*.csv; * stands for anything."""

    text: str

    @property
    def parts(self) -> list[str]:
        """What stands for something else in it, but for anything."""
        return [part for part in _PARTS.findall(self.text) if part != "*"]

    @property
    def glob(self) -> str:
        """A pattern of the file system that all such names have."""
        parts = ("*" if part in _EXPRESSIONS else glob.escape(part) for part in _PARTS.split(self.text) if part)
        return "".join(part for part, _ in groupby(parts))

    def moment(self, name: str) -> datetime | None:
        """The date in such a name, without an offset; None where it is none, or of no day that there is."""
        match = self._expression.fullmatch(name)
        if match is None:
            return None
        found = match.groupdict()
        parts = [int(found.get(part[1], first)) for part, first in zip(DATE, _BEGINNING, strict=True)]
        year, month, day, hour, minute, second = parts
        try:
            # Whose time it is matters only where it is shown.
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
        except ValueError:
            return None

    def number(self, name: str) -> int | None:
        """The number of files in such a name, None where it has none."""
        match = self._expression.fullmatch(name)
        return int(match["N"]) if match and NUMBER in self.parts else None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        parts = (_EXPRESSIONS.get(part, re.escape(part)) for part in _PARTS.split(self.text))
        return re.compile("".join(parts), re.ASCII | re.DOTALL)


def check_dated(text: str, needed: int = 1, known: Sequence[str] = DATE) -> str:
    """The pattern of a name. Raises `ValueError` where it lacks one of the first that are known, so many of which are
    `needed`, or has one twice, or any other.
    """
    parts = NamePattern(text).parts
    if not set(known[:needed]) <= set(parts) <= set(known) or len(set(parts)) != len(parts):
        *others, last = known[:needed]
        names = f"{', '.join(others)} and {last}" if others else last
        raise ValueError(f"needs {names} once each, and may have {', '.join(known[needed:])} and *")
    return text


class DropParts(Part):
    """Several files that form a drop: those of one date. It counts once all holds that is said here."""

    count: int | None = Field(default=None, ge=1, le=1000, description="How many files they are.")
    marker: Annotated[FileName, AfterValidator(check_dated)] | None = Field(
        default=None, description="The file that says that all are there, with their date: penalties_%Y%m%d.done."
    )
    followed: bool = Field(
        default=False, description="A drop counts once there is a file of a later date, where nothing else tells."
    )
    header: Literal["each", "first"] = Field(
        default="each", description="delimited: which files, by name, have the header, and what is to skip."
    )


@dataclass(frozen=True, slots=True)
class DropFiles:
    """The names of a drop's files, and of what says that they are whole: the drop's marker first, where it has one."""

    files: tuple[str, ...]
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DropNames:
    """How a dataset's drops are named: their pattern, what a marker's name adds to that of its file, and where they are
    of several files, what tells that these are whole.
    """

    pattern: str
    marker: str | None = None
    parts: DropParts | None = None

    @property
    def globs(self) -> Sequence[str]:
        """Patterns that all the files have that matter."""
        files = NamePattern(self.pattern).glob if self.parts else self.pattern
        globs = [files] if self.marker is None else [files, files + glob.escape(self.marker)]
        return [*globs, NamePattern(self.parts.marker).glob] if self.parts and self.parts.marker else globs

    def newest(self, names: Collection[str]) -> DropFiles | None:
        """The newest drop among files of these names: the last by name, or of the last date of which all are there."""
        if self.parts is None:
            found = [name for name in names if fnmatchcase(name, self.pattern) and self._counts(name, names)]
            return DropFiles((max(found),), self._markers([max(found)])) if found else None
        pattern = NamePattern(self.pattern)
        marking = NamePattern(self.parts.marker or "")
        markers = {name: moment for name in sorted(names) if (moment := marking.moment(name))}
        drops: defaultdict[datetime, list[str]] = defaultdict(list)
        for name in sorted(set(names).difference(markers)):
            moment = pattern.moment(name)
            if moment is not None and self._counts(name, names):
                drops[moment].append(name)
        later: list[str] = []
        for moment in sorted(drops, reverse=True):
            files, marked = drops[moment], [name for name in markers if markers[name] == moment]
            numbers = {pattern.number(name) for name in files} - {None}
            wanted = numbers | ({self.parts.count} - {None})
            whole = wanted <= {len(files)} and (marked or not self.parts.marker) and (later or not self.parts.followed)
            if whole:
                return DropFiles(tuple(files), (*marked, *self._markers([*files, *later]), *later))
            later = files[:1] if self.parts.followed else []
        return None

    def _counts(self, name: str, names: Collection[str]) -> bool:
        return self.marker is None or name + self.marker in names

    def _markers(self, files: Sequence[str]) -> tuple[str, ...]:
        return () if self.marker is None else tuple(name + self.marker for name in files)


@dataclass(frozen=True, slots=True)
class Drop:
    """A drop that lies in a directory: its files, each with its stamp, and what says that they are whole."""

    files: tuple[Path, ...]
    stamps: tuple[Stamp, ...]
    markers: tuple[Path, ...]

    @property
    def marker(self) -> Path | None:
        """The drop's own marker, where it has one."""
        return self.markers[0] if self.markers else None


def newest_drop(directory: Path, names: DropNames) -> Drop | None:
    """The newest drop there; None where there is none that is whole. Blocks."""
    try:
        there = {path.name for pattern in names.globs for path in directory.glob(pattern) if path.is_file()}
        found = names.newest(there)
        if found is None:
            return None
        files = tuple(directory / name for name in found.files)
        stamps = tuple(Stamp.of(path.stat()) for path in files)
    except OSError:
        return None
    return Drop(files, stamps, tuple(directory / name for name in found.markers))
