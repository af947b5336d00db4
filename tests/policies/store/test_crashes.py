"""A publisher that dies at any step leaves the old latest, or the new one whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.errors import VersionDamaged
from policies.store.contract import Store
from policies.store.model import new_version

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)

Opened = Callable[..., Awaitable[Store]]


@pytest.fixture(scope="module")
def publish_and_die() -> Iterator[Callable[[str, int], int]]:
    """Publishes version 2 at an address in a process that is killed at the n-th step, and gives its exit code."""
    # As a module of this checkout: by its path it would publish with the package that is installed.
    command = [sys.executable, "-m", "tests.policies.store.publisher"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as publisher:
        assert publisher.stdin
        assert publisher.stdout

        def publish(address: str, last: int) -> int:
            publisher.stdin.write(f"{last} {address}\n")
            return int(publisher.stdout.readline())

        yield publish


@pytest.mark.parametrize("kind", ["directory", "sqlite"])
async def test_a_publisher_killed_at_any_step_leaves_the_old_version_or_the_new_one(
    kind: str, tmp_path: Path, open_at: Opened, publish_and_die: Callable[[str, int], int]
) -> None:
    outcomes = []
    for last in range(1, 30):
        place = tmp_path / f"{last}"
        address = str(place) if kind == "directory" else f"sqlite+aiosqlite:///{place}.db"
        store = await open_at(address)
        first = new_version(1, {"trees.yaml": b"old"}, published_at=AT, by="al", why="old")
        await store.publish(first, 0)
        code = publish_and_die(address, last)
        latest = await store.latest()
        outcomes.append(latest.number)
        assert await store.version(1) == first
        if latest.number == 1:
            # What is left of the dead publisher is in nobody's way.
            second = new_version(2, {"trees.yaml": b"other"}, published_at=AT, by="bo", why="other")
            await store.publish(second, 1)
            assert await store.versions() == (second, first)
        else:
            assert latest.files["rules/tax.yaml"] == b"new"
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert outcomes == sorted(outcomes)
    assert outcomes.count(1) >= 3
    assert outcomes[-1] == 2


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda version: (version / "rules/tax.yaml").write_bytes(b"opened"), "rules/tax.yaml was changed"),
        (lambda version: (version / "rules/tax.yaml").unlink(), "rules/tax.yaml is missing"),
        (lambda version: (version / "rules/court.yaml").write_bytes(b""), "rules/court.yaml was added"),
        (lambda version: (version / "version.yaml").write_bytes(b"by: me"), "version.yaml was changed"),
        (lambda version: (version / "record.json").unlink(), "record.json cannot be read"),
        (lambda version: (version / "record.json").write_bytes(b"[]"), "record.json cannot be read"),
        (
            lambda version: (version / "record.json").write_text(
                (version / "record.json").read_text().replace('"by": "al"', '"by": "bo"')
            ),
            "version.yaml does not say",
        ),
        (
            lambda version: (version / "record.json").write_text(
                (version / "record.json").read_text().replace('"number": 1', '"number": 2')
            ),
            "record.json is that of 2",
        ),
    ],
)
async def test_a_changed_version_is_refused_with_its_number_and_the_file(
    damage: Callable[[Path], object], named: str, tmp_path: Path, open_at: Opened
) -> None:
    store = await open_at(str(tmp_path))
    files = {"trees.yaml": b"", "rules/tax.yaml": b"rules: []"}
    await store.publish(new_version(1, files, published_at=AT, by="al", why="x"), 0)
    damage(tmp_path / "versions" / "000001")
    for read in (store.latest, lambda: store.version(1), store.versions):
        with pytest.raises(VersionDamaged, match="version 1 is not what was published") as caught:
            await read()
        assert named in str(caught.value)


async def test_a_published_version_can_be_read_as_a_plain_directory(tmp_path: Path, open_at: Opened) -> None:
    store = await open_at(str(tmp_path))
    text = "# 注释\r\n\nrules:   []   # kept\n".encode()
    await store.publish(new_version(1, {"rules/nation.yaml": text}, published_at=AT, by='a"l', why="because:\n  x"), 0)
    directory = tmp_path / "versions" / "000001"
    assert (directory / "rules/nation.yaml").read_bytes() == text
    assert (directory / "version.yaml").read_text() == (
        'number: 1\npublished_at: 2026-11-24T09:00:00+00:00\nby: "a\\"l"\nwhy: "because: x"\n'
    )
