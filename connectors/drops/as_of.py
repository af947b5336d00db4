"""The agency's own date of a drop: from its name, from its marker, or when it was modified."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from connectors.as_of import readable_moment
from connectors.drops.names import Drop, NamePattern, check_dated
from connectors.manifest import AsOf

_LONGEST_MARKER: Final = 1024


def _checked_name(pattern: str) -> str:
    return check_dated(pattern, needed=3)


class DropAsOf(AsOf):
    """The agency's own date of a drop: exactly one of `column`, `constant`, `name` and `marker`."""

    places: ClassVar[tuple[str, ...]] = ("path", "column", "constant", "name", "marker")

    name: Annotated[str, AfterValidator(_checked_name)] | None = Field(
        default=None, description="The drop's name with its date: customs_%Y%m%d_*.csv; * stands for anything."
    )
    marker: Literal["text", "modified"] | None = Field(
        default=None, description="What the marker says, or when it was written."
    )


def drop_moment(as_of: DropAsOf | None, drop: Drop) -> datetime | None:
    """The date of all rows of a drop, None where it cannot be read, or where it is not that of all rows. Of several
    files it is the oldest one's: no row of the others is said to be newer than it is.

    Blocks. Raises `OSError`.
    """
    if as_of is None:
        return min(stamp.moment for stamp in drop.stamps)
    if as_of.name is not None:
        moments = [_in_name(as_of.name, path.name) for path in drop.files]
        return min(filter(None, moments)) if all(moments) else None
    if as_of.marker == "modified" and drop.marker is not None:
        return datetime.fromtimestamp(drop.marker.stat().st_mtime, UTC)
    if as_of.marker == "text" and drop.marker is not None:
        with drop.marker.open("rb") as file:
            return readable_moment(file.read(_LONGEST_MARKER).decode(errors="replace").strip("\ufeff"), as_of.formats)
    return None


def _in_name(pattern: str, name: str) -> datetime | None:
    moment = NamePattern(pattern).moment(name)
    return None if moment is None else readable_moment(moment.isoformat(" "))
