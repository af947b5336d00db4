"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil

from benchmarks.tables import Table

LIBRARIES: Final = ("uvicorn", "uvloop", "httptools", "orjson", "graphql-core", "starlette")


def machine() -> Table:
    """The machine and what ran on it."""
    memory = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    rows = [
        ("processor", f"{_processor()}, {os.cpu_count()} cores in view"),
        ("memory", f"{memory:.1f} GiB"),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {sys.version.split()[0]}"),
        ("libraries", libraries),
        ("load from", _first_line("wrk", "-v")),
        ("upstream compiled by", _first_line("cc", "--version")),
    ]
    return Table(("", ""), rows, "Machine")


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    except FileNotFoundError:
        return "missing"
    return next(iter((done.stdout + done.stderr).splitlines()), "unknown").split(" [")[0]
