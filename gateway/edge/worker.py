"""One of several workers, as its process knows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Worker:
    """Its number, from 1, and the directory in which it and the others lend each other places at agencies."""

    number: int
    places: Path
