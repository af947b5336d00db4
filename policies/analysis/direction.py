"""Which way a decision changes."""

from __future__ import annotations

from enum import StrEnum

from policies.compile import width
from policies.decision import Decision


class Direction(StrEnum):
    """Whether a caller gets to see more, something else (two masks, neither of which shows less), less, or the same.
    What opens data comes first.
    """

    WIDER = "WIDER"
    OTHER = "OTHER"
    NARROWER = "NARROWER"
    SAME = "SAME"


def direction(before: Decision, after: Decision) -> Direction:
    """The way from one decision to another, by effect and mask alone: neither the rule nor the reason counts."""
    if (before.effect, before.mask) == (after.effect, after.mask):
        return Direction.SAME
    was, is_ = width(before), width(after)
    if was == is_:
        return Direction.OTHER
    return Direction.WIDER if is_ > was else Direction.NARROWER


def opens(before: Decision, after: Decision) -> bool:
    """Whether the second decision shows anything that the first does not."""
    return direction(before, after) in {Direction.WIDER, Direction.OTHER}
