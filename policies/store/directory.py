"""Directories that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from secrets import token_hex

from policies.load import PolicyFiles


def create_directory(target: Path, files: PolicyFiles) -> None:
    """Creates `target` with these files: written aside, made durable, then renamed, so that a crash at any point leaves
    either all of it or nothing. Raises `FileExistsError` where `target` is there already (no two can create it), other
    `OSError` where the directory that it is to stand in is not there or cannot be written.

    `files` is not empty, and its names have at most one folder. What a crash leaves aside begins with a dot, and nobody
    reads it.
    """
    aside = target.with_name(f".{target.name}-{token_hex(8)}")
    try:
        aside.mkdir()
        for name, content in files.items():
            path = aside / name
            path.parent.mkdir(exist_ok=True)
            _write(path, content)
        for folder in {(aside / name).parent for name in files} | {aside}:
            _sync(folder)
        # POSIX: a directory is never renamed onto one that holds something.
        aside.rename(target)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise FileExistsError(errno.EEXIST, "the directory exists already", str(target)) from error
        raise
    _sync(target.parent)


def read_files(directory: Path) -> PolicyFiles:
    """Every file below the directory, by its name within it. Raises `OSError`."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def remove_directory(directory: Path) -> None:
    """Removes the directory in one step, as far as readers can see."""
    aside = directory.with_name(f".{directory.name}-{token_hex(8)}")
    directory.rename(aside)
    _sync(directory.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
