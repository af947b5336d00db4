"""What opening a supply needs from whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.kindness.bounds import PATIENCE
from connectors.kindness.share import WHOLE, Share
from connectors.reach import Reach
from connectors.tls import MachineAuthorities
from connectors.tracing import CallTracer
from connectors.watch import Watch

LONGEST: Final = 30.0
"""Seconds that a request may take at the most, unless the gateway's settings say otherwise."""


@dataclass(frozen=True, slots=True)
class SecondLevelSettings:
    """The cache's second level: the address of a Redis-compatible store, whose user and password may be `${NAME}`, the
    secret key with which rows are sealed there (at most 64 bytes), and how many seconds a trip to it may take.
    """

    address: str = field(repr=False)
    key: bytes = field(repr=False)
    deadline: float = 0.05


@dataclass(frozen=True, slots=True)
class SupplySettings:
    """How a supply is opened.

    `environment` is where `${NAME}` is looked up. `largest_answer` is in bytes, of one call's answer. `cached_rows` is
    the most rows kept in memory, over all datasets; behind them stands the second level, where there is one. `reach`
    has the addresses that manifests may reach, `authorities` whom the machine trusts. `watch` looks on at every call,
    where there is anybody. `share` is the part of what each agency bears that is this process's; `places` is the
    directory in which the workers of an instance lend each other places, where there are several. `patience` is for how
    many seconds requests wait that do not say for how long, `longest` the most that any request may take. `tracer`
    traces the calls, where requests are traced.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    largest_answer: int = 8 * 1024 * 1024
    cached_rows: int = 200_000
    second_level: SecondLevelSettings | None = None
    reach: Reach = field(default_factory=Reach)
    authorities: MachineAuthorities = field(default_factory=MachineAuthorities, compare=False, repr=False)
    watch: Watch | None = None
    share: Share = WHOLE
    places: Path | None = None
    patience: float = PATIENCE
    longest: float = LONGEST
    tracer: CallTracer | None = None
