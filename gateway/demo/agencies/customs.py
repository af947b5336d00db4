"""The customs: every night a CSV file in GB18030, `drop/customs_enterprises.csv`, in the place of the last one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Final

from gateway.demo.agencies import process

_A_DAY: Final = 24 * 60 * 60
_NAME: Final = "customs_enterprises.csv"


def hand_out(data: Path) -> Path:
    """Writes the drop anew, at once for whoever reads it, and gives its directory."""
    drop = data / "drop"
    drop.mkdir(exist_ok=True)
    unfinished = drop / f".{_NAME}.unfinished"
    unfinished.write_text((data / "traders.csv").read_text(encoding="utf-8"), encoding="gb18030", newline="\r\n")
    unfinished.replace(drop / _NAME)
    return drop


async def _run(data: Path) -> None:
    end = process.end_of_process()
    drop = hand_out(data)
    process.announce(str(drop))
    while not await _ends_within(end, _A_DAY):
        hand_out(data)
    shutil.rmtree(drop)


async def _ends_within(end: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(end.wait(), seconds)
    return end.is_set()


if __name__ == "__main__":
    asyncio.run(_run(process.arguments("The customs' nightly file.").data))
