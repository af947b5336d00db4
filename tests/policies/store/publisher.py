"""Publishes version 2 of a policy, and dies of it. For each line of its input, `3 address`, a process of its own is
killed, as by a power cut, at the third of the calls by which the store writes; its exit code is the answer. One that
was through before is not killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from policies.store.model import new_version
from policies.store.open import open_store


class Death:
    """Comes at the n-th step."""

    def __init__(self, last: int) -> None:
        self.left = last

    def step(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.step()
            return original(*arguments)

        return call


async def publish(address: str, death: Death) -> None:
    store = await open_store(address)
    os.fsync = death.before(os.fsync)
    Path.rename = death.before(Path.rename)  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", death.step)
    event.listen(Engine, "commit", death.step)
    files = {"trees.yaml": b"new", "rules/tax.yaml": b"new"}
    new = new_version(2, files, published_at=datetime(2026, 11, 24, 9, tzinfo=UTC), by="al", why="new")
    await store.publish(new, 1)
    await store.close()


def main() -> None:
    for line in sys.stdin:
        last, _, address = line.rstrip("\n").partition(" ")
        # Forked: to start anew would cost each a second for its imports.
        if (child := os.fork()) == 0:
            asyncio.run(publish(address, Death(int(last))))
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
