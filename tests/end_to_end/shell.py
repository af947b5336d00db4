"""Commands as the documents give them, run in the working directory and with the variables of this process."""

from __future__ import annotations

import os
import shlex
import subprocess

from typer.testing import CliRunner

from gateway.cli import app


def run(command: str) -> str:
    """What a command says, and complains of. A shell runs it, but for `xinqiao`, which is run in this process: each
    process of its own would load for seconds.
    """
    said = ""
    for part in command.split(" && "):
        given = ""
        for stage in part.split(" | "):
            given = _stage(stage, given)
        said += given
    return said


def _stage(command: str, given: str) -> str:
    if command.startswith("xinqiao "):
        return CliRunner().invoke(app, shlex.split(os.path.expandvars(command))[1:], input=given).output
    return subprocess.run(
        ["bash", "-c", command],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    ).stdout
