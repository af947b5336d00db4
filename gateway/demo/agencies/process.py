"""How an agency's process starts and ends."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where the agency's data lie, and the port to listen on (0: any free one)."""

    data: Path
    port: int


def arguments(description: str) -> Arguments:
    """The command line, read. Exits with a usage message if it is wrong."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="the directory with the agency's data")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on, if it is a server (0: a free one)")
    read = parser.parse_args()
    return Arguments(read.data, read.port)


def announce(address: str) -> None:
    """Says that the agency answers at this address."""
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()


def when_parent_ends(then: Callable[[], object]) -> None:
    """Calls `then` once standard input is closed. Standard input must be a pipe or a terminal."""
    loop = asyncio.get_running_loop()

    def on_readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            then()

    loop.add_reader(0, on_readable)


def end_of_process() -> asyncio.Event:
    """An event that is set when the process should end."""
    event = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    when_parent_ends(event.set)
    return event
