"""What one request may cost, checked before anything is asked of an agency."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. `tokens`: of the operation's text. `fields`, `depth`, `aliases`: after fragments are
    expanded. `companies`: distinct ones, at all levels together. `page`: the most records that `first` may ask for.
    """

    tokens: int = 2_000
    fields: int = 1_000
    depth: int = 20
    aliases: int = 100
    companies: int = 1_000
    page: int = 1_000
