"""The agency's own date of a drop: from its name, from its marker, or when it was modified."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from connectors.as_of import readable_moment
from connectors.manifest import AsOf

_DIGITS: Final = {"%Y": r"(?P<Y>\d{4})", **{f"%{letter}": rf"(?P<{letter}>\d\d)" for letter in "mdHMS"}}
_PARTS: Final = re.compile(r"(%.|\*)")
_LONGEST_MARKER: Final = 1024


def _checked_name(pattern: str) -> str:
    parts = [part for part in _PARTS.findall(pattern) if part != "*"]
    if not {"%Y", "%m", "%d"} <= set(parts) <= _DIGITS.keys() or len(set(parts)) != len(parts):
        raise ValueError("needs %Y, %m and %d once each, and may have %H, %M, %S and *")
    return pattern


class DropAsOf(AsOf):
    """The agency's own date of a drop: exactly one of `column`, `constant`, `name` and `marker`."""

    places: ClassVar[tuple[str, ...]] = ("path", "column", "constant", "name", "marker")

    name: Annotated[str, AfterValidator(_checked_name)] | None = Field(
        default=None, description="The drop's name with its date: customs_%Y%m%d_*.csv; * stands for anything."
    )
    marker: Literal["text", "modified"] | None = Field(
        default=None, description="What the marker says, or when it was written."
    )


def drop_moment(as_of: DropAsOf | None, drop: Path, marker: Path, modified: datetime) -> datetime | None:
    """The date of all rows of a drop, None where it cannot be read, or where it is not that of all rows.

    `modified` is the drop's. Blocks. Raises `OSError`.
    """
    if as_of is None:
        return modified
    if as_of.name is not None:
        return _in_name(as_of.name, drop.name)
    if as_of.marker == "modified":
        return datetime.fromtimestamp(marker.stat().st_mtime, modified.tzinfo)
    if as_of.marker == "text":
        with marker.open("rb") as file:
            return readable_moment(file.read(_LONGEST_MARKER).decode(errors="replace").strip("\ufeff"), as_of.formats)
    return None


def _in_name(pattern: str, name: str) -> datetime | None:
    parts = (_DIGITS.get(part, ".*" if part == "*" else re.escape(part)) for part in _PARTS.split(pattern))
    match = re.fullmatch("".join(parts), name, re.ASCII | re.DOTALL)
    if match is None:
        return None
    found = {"H": "00", "M": "00", "S": "00", **match.groupdict()}
    return readable_moment("{Y}-{m}-{d} {H}:{M}:{S}".format_map(found))
