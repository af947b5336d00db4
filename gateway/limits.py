"""What one request may cost, checked before anything is asked of an agency."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request.

    `characters` and `tokens` are of the operation's text, `repeats` of one response key in a selection set. `fields`,
    `depth` and `aliases` count after fragments are expanded. `companies` are those named, duplicates counted, and the
    distinct ones at all levels together. `page` is the most records that `first` may ask for; `written` the most
    companies and records that an answer may hold, duplicates counted.
    """

    characters: int = 65_536
    tokens: int = 2_000
    repeats: int = 20
    fields: int = 1_000
    depth: int = 20
    aliases: int = 100
    companies: int = 1_000
    page: int = 1_000
    written: int = 100_000
