"""Whoever can write the log's files, whole ones and checkpoints too, changes nothing of what was certified unseen; and
a crash at any byte of a checkpoint loses nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.files import Rotation
from gateway.audit.verify import Fault

SMALL = Rotation(400, 1e9)
Files = dict[str, bytes]


async def written(installation: Any) -> None:
    """Two workers and a reader, several files each, under three checkpoints."""
    for turn in range(3):
        for part in ("-1", "-2", "-reads"):
            await installation.write(*range(turn * 3, turn * 3 + 3), part=part, rotation=SMALL)
        await installation.certify()


def files(installation: Any) -> Files:
    return {file.name: file.read_bytes() for file in sorted(installation.path.parent.iterdir())}


def put(installation: Any, content: Mapping[str, bytes]) -> None:
    for file in installation.path.parent.iterdir():
        file.unlink()
    for name, data in content.items():
        (installation.path.parent / name).write_bytes(data)


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def without(content: Files, one: str) -> Files:
    return {name: data for name, data in content.items() if name != one}


def cut(content: Files, one: str, at: int) -> Files:
    return {**content, one: content[one][: at % len(content[one])]}


def beheaded(content: Files, one: str, at: int) -> Files:
    kept = lines(content[one])
    return {**content, one: b"".join(kept[at % len(kept) + 1 :])}


def exchanged(content: Files, one: str, other: str) -> Files:
    return {**content, one: content[other], other: content[one]}


def copied_over(content: Files, one: str, other: str) -> Files:
    return {**content, one: content[other]}


def appended(content: Files, one: str, other: str) -> Files:
    return {**content, one: content[one] + content[other]}


def mixed(content: Files, one: str, other: str, at: int) -> Files:
    """A line of one file stands in another."""
    taken, kept = lines(content[other]), lines(content[one])
    place = at % (len(kept) + 1)
    return {**content, one: b"".join([*kept[:place], taken[at % len(taken)], *kept[place:]])}


def moved_between(content: Files, one: str, other: str, at: int) -> Files:
    taken = lines(content[other])
    place = at % len(taken)
    return {
        **content,
        one: content[one] + taken[place],
        other: b"".join([*taken[:place], *taken[place + 1 :]]),
    }


ATTACKS: Mapping[str, Callable[[Files, str, str, int], Files]] = {
    "a file is deleted": lambda content, one, _other, _at: without(content, one),
    "a file is emptied": lambda content, one, _other, _at: {**content, one: b""},
    "a file is cut at any byte": lambda content, one, _other, at: cut(content, one, at),
    "a file loses its beginning": lambda content, one, _other, at: beheaded(content, one, at),
    "two files are exchanged": lambda content, one, other, _at: exchanged(content, one, other),
    "a file is copied over another": lambda content, one, other, _at: copied_over(content, one, other),
    "a file is appended to another": lambda content, one, other, _at: appended(content, one, other),
    "a line is put into another file": mixed,
    "a line is moved to another file": moved_between,
}


def logical(content: Files) -> list[tuple[str, list[bytes]]]:
    """What the files say, whatever they are called: each chain's whole lines in the order of their numbers."""
    told: dict[str, list[bytes]] = {}
    for name, data in content.items():
        chain = name.partition(".jsonl")[0] if ".jsonl" in name else name
        told.setdefault(chain, []).extend(line for line in lines(data) if line.endswith(b"\n"))
    return sorted((chain, sorted(found)) for chain, found in told.items() if found)


@pytest.fixture(scope="module")
def attacked(make_installation: Any) -> Iterator[tuple[Any, Files]]:
    """An installation and its files as they were written."""
    with TemporaryDirectory() as directory:
        installation = make_installation(Path(directory))
        asyncio.run(written(installation))
        assert asyncio.run(installation.verify()).findings == ()
        yield installation, files(installation)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@settings(max_examples=25, deadline=None)
@given(one=st.integers(0, 99), other=st.integers(0, 99), at=st.integers(0, 5_000))
def test_nothing_done_to_files_that_changes_what_they_say_goes_unseen(
    attacked: tuple[Any, Files], attack: Any, one: int, other: int, at: int
) -> None:
    installation, content = attacked
    names = sorted(content)
    changed = attack(content, names[one % len(names)], names[other % len(names)], at)
    if logical(changed) != logical(content):
        put(installation, changed)
        assert asyncio.run(installation.verify()).findings


async def test_an_older_copy_of_the_whole_log_is_seen_by_the_anchor_alone(installation, faults) -> None:
    await written(installation)
    older = files(installation)
    await installation.write(9, part="-1", rotation=SMALL)
    await installation.certify()
    put(installation, older)
    assert faults(await installation.verify()) == {Fault.CHECKPOINTS_CUT}
    # Going on from it signs another checkpoint of the same number, which the anchor does not take.
    await installation.write(99, part="-1", rotation=SMALL)
    await installation.certify()
    assert faults(await installation.verify()) == {Fault.CHECKPOINT_INVALID}


async def test_a_copy_of_one_chain_is_not_certified_as_another(installation) -> None:
    await written(installation)
    content = files(installation)
    names = [name for name in content if name.startswith("audit-1.jsonl")]
    put(installation, {**content, "audit-3.jsonl": b"".join(content[name] for name in names)})
    await installation.certify()
    report = await installation.verify()
    assert {finding.where for finding in report.findings} == {"test-3"}
    assert {chain.chain: chain.certified for chain in report.chains}["test-3"] == 0


@pytest.mark.parametrize("place", ["ledger", "anchor"])
async def test_a_crash_at_any_byte_of_a_checkpoint_leaves_what_verifies_and_goes_on(installation, place: str) -> None:
    for n in range(2):
        await installation.write(n)
        await installation.certify()
    file = installation.path.with_suffix(".checkpoints") if place == "ledger" else installation.anchor
    whole, saved = file.read_bytes(), installation.directory / "saved"
    first = len(lines(whole)[0])
    shutil.copytree(installation.directory, saved, dirs_exist_ok=False, ignore=shutil.ignore_patterns("saved"))
    # Where the ledger lost its second checkpoint the anchor had not got it yet.
    for at in (*range(first, len(whole), 29), len(whole) - 1):
        for name in ("log", "elsewhere"):
            shutil.rmtree(installation.directory / name)
            shutil.copytree(saved / name, installation.directory / name)
        os.truncate(file, at)
        if place == "ledger":
            os.truncate(installation.anchor, first)
        await installation.write(2)
        await installation.certify()
        report = await installation.verify()
        assert report.findings == ()
        assert (report.chains[0].certified, report.anchored["anchor"]) == (3, report.checkpoints)
