"""What opening a supply needs from whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SupplySettings:
    """How a supply is opened.

    `environment` is where `${NAME}` is looked up. `largest_answer` is in bytes, of one call's answer. `cached_rows` is
    the most rows kept in memory, over all datasets.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    largest_answer: int = 8 * 1024 * 1024
    cached_rows: int = 200_000
