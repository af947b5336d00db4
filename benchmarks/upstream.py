"""The upstream (`upstream.c`): agencies and subgraphs that answer from templates, quicker than what stands before them.

What a template says of a company is worked out here as well, so that answers can be checked.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

SOURCE: Final = Path(__file__).with_suffix(".c")
_WORD: Final = 2**64 - 1
_PLACEHOLDER: Final = re.compile(r"<(code|(?:number|pick) [^>]*)>")


class MissingProgramError(Exception):
    """A program that the benchmark needs is not installed; the message says which package has it."""


@dataclass(frozen=True)
class Answer:
    """What is answered at a path where all needles stand in the request's body.

    `each` stands for one company, and may hold placeholders: `<code>`, `<number SALT MODULUS FIRST WIDTH>` and
    `<pick SALT one|other>`; other words in angle brackets stand for themselves. Companies stand in the order of the
    request, with commas between. Of several answers for one request the first counts.
    """

    path: str
    head: str
    each: str
    tail: str
    needles: tuple[str, ...] = ()

    def line(self) -> str:
        """The line of the upstream's file. Raises `ValueError` for what would break it."""
        parts = (self.path, "&".join(self.needles), self.head, self.each, self.tail)
        if any(character in part for part in parts for character in "\t\n"):
            raise ValueError(f"{self.path}: a tab or a line's end in an answer")
        return "\t".join(parts) + "\n"


@dataclass(frozen=True)
class Upstream:
    """A running upstream: its process and its address (`http://127.0.0.1:PORT`)."""

    process: int
    address: str

    def answered(self) -> int:
        """How many requests it has answered, questions like this one included."""
        with urlopen(f"{self.address}/count", timeout=10) as answer:  # noqa: S310 - our own address
            return int(answer.read())


def rendered(template: str, code: str) -> str:
    """The template for one company, as `upstream.c` renders it."""
    return _PLACEHOLDER.sub(lambda found: _value(found[1], code), template)


def needed(program: str, package: str) -> str:
    """The path of a program. Raises `MissingProgramError`, naming the Debian package."""
    found = shutil.which(program)
    if found is None:
        raise MissingProgramError(f"{program} is not installed: `apt-get install {package}` brings it")
    return found


@contextmanager
def compiled() -> Iterator[Path]:
    """The upstream's program, in a folder of its own. Raises `MissingProgramError` where there is no C compiler."""
    compiler = needed("cc", "gcc")
    with TemporaryDirectory(prefix="upstream-") as folder:
        program = Path(folder) / "upstream"
        subprocess.run([compiler, "-O2", "-Wall", "-o", program, SOURCE], check=True)  # noqa: S603 - our own
        yield program


@contextmanager
def serving(program: Path, answers: Sequence[Answer], *, core: int, delay: float = 0.0) -> Iterator[Upstream]:
    """The upstream, running on one core; `delay` seconds pass before each of its answers."""
    pin = needed("taskset", "util-linux")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        number, port = listener.fileno(), listener.getsockname()[1]
        file = program.with_name(f"answers-{port}")
        file.write_text("".join(answer.line() for answer in answers))
        command = [pin, "-c", str(core), str(program), str(number), str(file), str(round(delay * 1e6))]
        started = subprocess.Popen(command, pass_fds=[number])  # noqa: S603 - our own
        try:
            yield Upstream(started.pid, f"http://127.0.0.1:{port}")
        finally:
            started.terminate()
            started.wait(10)


def _fingerprint(code: str) -> int:
    """FNV-1a, 64 bits."""
    made = 0xCBF29CE484222325
    for byte in code.encode():
        made = ((made ^ byte) * 0x100000001B3) & _WORD
    return made


def _derived(fingerprint: int, salt: int) -> int:
    """The fingerprint mixed with a salt by splitmix64's last steps."""
    mixed = (fingerprint + salt * 0x9E3779B97F4A7C15) & _WORD
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _WORD
    return mixed ^ (mixed >> 31)


def _value(placeholder: str, code: str) -> str:
    kind, _, rest = placeholder.partition(" ")
    match kind:
        case "code":
            return code
        case "number":
            salt, modulus, first, width = (int(part) for part in rest.split(" "))
            return f"{first + _derived(_fingerprint(code), salt) % modulus:0{width}d}"
        case _:
            salt_text, _, choices = rest.partition(" ")
            several = choices.split("|")
            return several[_derived(_fingerprint(code), int(salt_text)) % len(several)]
