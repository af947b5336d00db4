"""Which stage of the gateway its CPU time goes to: the process looks now and then where it is.

`python -m benchmarks.sampler FILE ARGUMENT...` runs the command `xinqiao` with these arguments. At each signal USR2 it
appends a line to the file, the number of looks by stage since the last one, and begins anew. Looks come by CPU time
(ITIMER_PROF), as often as the operating system's clock lets them, and see Python's stack: what a library in C does
counts for whoever called it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

INTERVAL: Final = 0.001
ROOT: Final = Path(__file__).parents[1]
OTHER: Final = "event loop and other"
PLAN: Final = "plan"
AUTHORISE: Final = "authorise"


def _stage(*modules: str) -> tuple[str, ...]:
    return tuple(f"gateway/stages/{module}" for module in modules)


STAGES: Final = {
    "HTTP edge": ("uvicorn/", "starlette/", "gateway/edge/", "gateway/messages"),
    "authenticate": ("gateway/identity/", "joserfc/", "policies/claims"),
    "parse": ("graphql/language/lexer", "graphql/language/parser"),
    "validate": ("graphql/validation/",),
    "normalise, read variables": (
        *_stage("document", "selection", "operation", "arguments", "roots", "question"),
        *("gateway/limits", "graphql/execution/", "schema/credit_code"),
    ),
    AUTHORISE: (
        *_stage("caller", "authorise", "viewer"),
        *("gateway/identity/consents", "gateway/editions/", "policies/"),
    ),
    PLAN: _stage("prepare", "plan"),
    "call agencies": ("connectors/", *_stage("fetch")),
    "decode": ("json/", "connectors/json_body"),
    "map rows": (
        *("connectors/mapping", "connectors/dates", "connectors/amounts", "connectors/text", "connectors/paths"),
        *("connectors/as_of", "connectors/columns", "connectors/converters"),
    ),
    "join": (
        *("connectors/joining", "connectors/duplicates", "connectors/keys", "policies/publicity"),
        *_stage("join", "envelope", "cursor", "federate", "collect", "order"),
    ),
    "shape": ("policies/masks", *_stage("shape", "enterprise", "writers", "expressions", "origin")),
    "encode": _stage("encode"),
    "audit": ("gateway/audit/", "gateway/receipt", *_stage("record")),
    "from stage to stage": ("gateway/pipeline", "gateway/quotas/", *_stage("cost")),
}
"""Modules by the beginning of their path; the longest that fits counts."""

FOR_CALLERS: Final = ("connectors/turns",)
"""Modules that count for whoever called them."""


class Sampler:
    """Counts looks by stage."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts: Counter[str] = Counter()
        self._known: dict[CodeType, str | None] = {}

    def start(self) -> None:
        """Begins to look."""
        signal.signal(signal.SIGPROF, self._look)
        signal.signal(signal.SIGUSR2, self._tell)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        """Finds the innermost function that a stage has; what prepares a plan is planning, whatever it composes."""
        found: str | None = None
        while frame is not None:
            stage = self._stage(frame.f_code)
            found = found or stage
            if stage == PLAN and found != AUTHORISE:
                found = PLAN
            frame = frame.f_back
        self._counts[found or OTHER] += 1

    def _stage(self, code: CodeType) -> str | None:
        if code not in self._known:
            self._known[code] = stage_of(code.co_filename)
        return self._known[code]

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(self._counts) + "\n")
        self._counts.clear()


def stage_of(file: str) -> str | None:
    """The stage of a file's functions; None where they count for their callers."""
    path = Path(file)
    parts = path.parts
    if path.is_relative_to(ROOT) and "site-packages" not in parts:
        short = path.relative_to(ROOT).as_posix()
    else:
        short = "/".join(parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-2:])
    if short.startswith(FOR_CALLERS):
        return None
    fitting = {
        beginning: stage
        for stage, beginnings in STAGES.items()
        for beginning in beginnings
        if short.startswith(beginning)
    }
    return fitting[max(fitting, key=len)] if fitting else None


if __name__ == "__main__":
    Sampler(Path(sys.argv[1])).start()
    sys.argv[1:] = sys.argv[2:]
    from gateway.cli import app

    app()
