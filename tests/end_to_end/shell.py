"""Commands as the documents give them, run in the working directory and with the variables of this process."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass

from typer.testing import CliRunner

from gateway.cli import app


@dataclass(frozen=True)
class _Done:
    output: str
    complaints: str
    failed: bool


def run(command: str) -> str:
    """What a command says, and complains of before. A shell runs it, but for `xinqiao`, which is run in this process:
    each process of its own would load for seconds. Raises what `xinqiao` does not catch.
    """
    said = ""
    for part in command.split(" && "):
        done = _Done("", "", failed=False)
        for stage in part.split(" | "):
            done = _stage(stage, done.output)
            said += done.complaints
        said += done.output
        if done.failed:
            break
    return said


def _stage(command: str, given: str) -> _Done:
    if command.startswith("xinqiao "):
        words = shlex.split(os.path.expandvars(command))[1:]
        result = CliRunner().invoke(app, words, input=given, catch_exceptions=False)
        return _Done(result.stdout, result.stderr, result.exit_code != 0)
    shell = subprocess.run(
        ["bash", "-c", command], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    return _Done(shell.stdout, shell.stderr, shell.returncode != 0)
