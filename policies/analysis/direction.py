"""Which of two decisions shows more."""

from __future__ import annotations

from enum import StrEnum

from policies.compile import width
from policies.decision import Decision


class Direction(StrEnum):
    """Whether a decision shows more than the one before, something else (a mask of which neither is narrower), or less.
    In this order for readers: what opens data comes first.
    """

    WIDER = "WIDER"
    OTHER = "OTHER"
    NARROWER = "NARROWER"


def direction(before: Decision, after: Decision) -> Direction | None:
    """How effect and mask change, None where they do not. Rules and reasons differ without meaning."""
    if width(before) != width(after):
        return Direction.WIDER if width(after) > width(before) else Direction.NARROWER
    return None if before.mask == after.mask else Direction.OTHER


def opens(before: Decision, after: Decision) -> bool:
    """Whether the second decision shows anything that the first does not."""
    return direction(before, after) in {Direction.WIDER, Direction.OTHER}
