"""Which way a decision changes."""

from __future__ import annotations

from enum import StrEnum

from policies.compile import width
from policies.decision import Decision


class Direction(StrEnum):
    """Whether a caller gets to see more, less, something else (two masks, neither of which shows less), or the same."""

    WIDER = "WIDER"
    NARROWER = "NARROWER"
    OTHER = "OTHER"
    SAME = "SAME"


def direction(before: Decision, after: Decision) -> Direction:
    """The way from one decision to another, by effect and mask alone: neither the rule nor the reason counts."""
    if (before.effect, before.mask) == (after.effect, after.mask):
        return Direction.SAME
    was, is_ = width(before), width(after)
    if was == is_:
        return Direction.OTHER
    return Direction.WIDER if is_ > was else Direction.NARROWER
