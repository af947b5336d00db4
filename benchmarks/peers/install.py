"""Installs the peers, at the versions of the lock files, into folders beside them that are not kept in the project.

`python -m benchmarks.peers.install` installs them ahead of a run, which installs what is missing itself.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.upstream import MissingProgramError, needed

HERE: Final = Path(__file__).parent
_MINUTES: Final = 15 * 60


def node_modules() -> Path:
    """The folder of npm's packages. Raises `MissingProgramError` where Node or npm is missing, or npm fails."""
    needed("node", "nodejs")
    npm = needed("npm", "npm")
    folder = HERE / "node_modules"
    _once(folder, HERE / "package-lock.json", lambda: _run([npm, "ci", "--ignore-scripts", "--loglevel=error"]))
    return folder


def python_environment() -> Path:
    """The folder of the virtual environment. Raises `MissingProgramError` where pip cannot fill it."""
    folder, lock = HERE / ".venv", HERE / "requirements.lock"

    def install() -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--require-hashes", "--no-deps", "--requirement", str(lock)])

    _once(folder, lock, install)
    return folder


def _once(folder: Path, lock: Path, install: Callable[[], None]) -> None:
    """Installs into the folder unless it holds what the lock file says."""
    stamp, wanted = folder / ".installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        install()
        stamp.write_text(wanted)


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, cwd=HERE, check=True, timeout=_MINUTES)  # noqa: S603 - our own
    except subprocess.SubprocessError as error:
        raise MissingProgramError(f"the peers could not be installed: {error}") from error


if __name__ == "__main__":
    node_modules()
    python_environment()
