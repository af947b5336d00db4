"""Chance that can be repeated: every draw of the nation comes from here."""

from __future__ import annotations

from random import Random


def stream(seed: int, name: str) -> Random:
    """The random numbers of one part of the nation: the same for the same seed, whatever the other parts draw."""
    return Random(f"{seed}/{name}")  # noqa: S311 - invented data, repeatable on purpose; no secret is made of it


def happens(draw: Random, per_cent: int) -> bool:
    """Whether what happens so often happens now."""
    return draw.randrange(100) < per_cent
