"""Places that the workers of one instance lend each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from connectors.kindness.lender import GiveBack, pause
from connectors.kindness.overload import overloaded

LOOK: Final = 0.01
LOOK_OF_NEXT: Final = 0.002
"""Seconds, about, between two looks at whose turn it is, and between those of whoever is next for a place. A look costs
some ten microseconds.
"""


class WorkerPlaces:
    """The `Lender` of so many places at an agency: files in a directory of the instance's own. Whoever has a place has
    its file locked (flock), so that the system gives it back when a process dies.

    Each place is locked by an opening of its own, which excludes others within the process as well. One more file is
    the turn of whoever looks next: a worker that has calls enough would else never leave a place to the others.
    """

    def __init__(self, directory: Path, agency: str, most: int) -> None:
        self._turn = (directory / f"{agency}.turn",)
        self._places = tuple(directory / f"{agency}.{number}" for number in range(1, most + 1))

    async def lend(self, deadline: float) -> GiveBack:
        """As in `Lender`."""
        try:
            turn = await _locked(self._turn, LOOK, deadline)
            try:
                place = await _locked(self._places, LOOK_OF_NEXT, deadline)
            finally:
                os.close(turn)
        except OSError as error:
            raise overloaded(f"the workers cannot lend each other places: {error.strerror}") from None
        return partial(os.close, place)


async def _locked(files: Sequence[Path], look: float, deadline: float) -> int:
    """The descriptor of the first of these files that can be locked. Raises `NotSent`, `OSError`."""
    while True:
        for file in files:
            descriptor = _lock(file)
            if descriptor is not None:
                return descriptor
        await pause(look, deadline)


def _lock(file: Path) -> int | None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
