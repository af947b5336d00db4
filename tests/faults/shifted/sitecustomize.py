"""The wall clock of a process that finds this on its path, moved by as many seconds as a file says at the time.

`time.time`, `time.time_ns` and `datetime.now` (with those that are made of them) are moved; what measures durations
(`time.monotonic`, the event loops' clocks) is not, as when an operator sets the clock of a machine. The processes that
it begins are moved too.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Any

with Path(os.environ["CLOCK_SHIFT"]).open("rb") as _file:
    _shift = mmap.mmap(_file.fileno(), struct.calcsize("d"), prot=mmap.PROT_READ)

_time, _time_ns = time.time, time.time_ns


def shift() -> float:
    return float(struct.unpack_from("d", _shift)[0])


def _shifted_time() -> float:
    return _time() + shift()


def _shifted_time_ns() -> int:
    return _time_ns() + int(shift() * 1e9)


def _shift_datetime() -> None:
    """`datetime` takes no attributes from Python, so its dictionary does."""
    (members,) = gc.get_referents(dt.datetime.__dict__)
    now, utcnow = dt.datetime.now, dt.datetime.utcnow

    def shifted_now(_: type, tz: dt.tzinfo | None = None) -> dt.datetime:
        return now(tz) + dt.timedelta(seconds=shift())

    def shifted_utcnow(_: type) -> dt.datetime:
        return utcnow() + dt.timedelta(seconds=shift())

    shifted: dict[str, Any] = {"now": classmethod(shifted_now), "utcnow": classmethod(shifted_utcnow)}
    members.update(shifted)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))


time.time, time.time_ns = _shifted_time, _shifted_time_ns
_shift_datetime()
