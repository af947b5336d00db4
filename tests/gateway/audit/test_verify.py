"""Whatever is done to a log that is under a checkpoint, verifying finds it."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.chain import chained, genesis
from gateway.audit.checkpoint import read_checkpoint, sign_checkpoint
from gateway.audit.files import FileFollower, Rotation, parts
from gateway.audit.keys import SigningKeys
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Notary
from gateway.audit.verify import Fault, verify
from gateway.errors import AuditSinkError
from policies.signature import decode, sign

RECORDS = 12


async def test_a_log_of_several_workers_that_nobody_touched_verifies_to_its_end(installation) -> None:
    await installation.write(*range(5), part="-1")
    await installation.certify()
    await installation.write(*range(3), part="-2")
    await installation.write(5, 6, part="-1")
    await installation.certify()
    await installation.write(7, part="-1")
    report = await installation.verify()
    assert report.findings == ()
    assert [(chain.chain, chain.first, chain.last, chain.certified) for chain in report.chains] == [
        ("test-1", 1, 8, 7),
        ("test-2", 1, 3, 3),
    ]
    assert (report.checkpoints, report.anchored) == (2, {"anchor": 2})


async def test_a_last_line_that_is_being_written_is_no_fault(installation) -> None:
    await installation.write(1, 2)
    with installation.path.open("ab") as file:
        file.write(b'{"number":3,"prev')
    await installation.certify()
    assert (await installation.verify()).findings == ()


def moved(lines: list[bytes], one: int, other: int) -> list[bytes]:
    rest = [*lines[:one], *lines[one + 1 :]]
    return [*rest[:other], lines[one], *rest[other:]]


def exchanged(lines: list[bytes], one: int, other: int) -> list[bytes]:
    changed = list(lines)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def forged(lines: list[bytes], one: int) -> list[bytes]:
    """One record is changed, and all links after it are made to fit."""
    bodies = [b'{"n":' + line.partition(b'"n":')[2] for line in lines]
    bodies[one] = b'{"n":99}'
    return chained(genesis("test"), bodies)[1]


CHANGES: dict[str, Callable[[list[bytes], int, int], list[bytes]]] = {
    "changed": lambda lines, one, _: [*lines[:one], lines[one].replace(b'"n":', b'"n":9'), *lines[one + 1 :]],
    "removed": lambda lines, one, _: [*lines[:one], *lines[one + 1 :]],
    "moved": moved,
    "exchanged": exchanged,
    "duplicated": lambda lines, one, other: [*lines[:other], lines[one], *lines[other:]],
    "cut": lambda lines, one, _: lines[:one],
    "beheaded": lambda lines, one, _: lines[one + 1 :],
    "emptied": lambda lines, one, _: [*lines[:one], b"", *lines[one + 1 :]],
    "renumbered": lambda lines, one, _: [
        line.replace(b'"number":%d' % (at + 1), b'"number":%d' % at, 1) for at, line in enumerate(lines) if at != one
    ],
    "forged to its end": lambda lines, one, _: forged(lines, one),
}


@settings(max_examples=25, deadline=None)
@given(one=st.integers(0, RECORDS - 1), other=st.integers(0, RECORDS - 1), spans=st.sets(st.integers(1, RECORDS - 1)))
def test_a_record_changed_removed_moved_repeated_or_cut_is_found(
    make_installation: Any, one: int, other: int, spans: set[int]
) -> None:
    """`spans` are the records after which a checkpoint was made, beside that at the end."""

    async def tried() -> None:
        with TemporaryDirectory() as directory:
            installation = make_installation(Path(directory))
            begun = 0
            for ended in (*sorted(spans), RECORDS):
                await installation.write(*range(begun, ended))
                await installation.certify()
                begun = ended
            assert (await installation.verify()).findings == ()
            lines = installation.lines()
            for name, change in CHANGES.items():
                changed = change(lines, one, other)
                installation.put(changed)
                assert (name, bool((await installation.verify()).findings)) == (name, changed != lines)

    asyncio.run(tried())


@pytest.fixture(scope="module")
def certified(make_installation: Any) -> Iterator[tuple[Any, bytes]]:
    """An installation and its log of three records as it was written."""
    with TemporaryDirectory() as directory:
        installation = make_installation(Path(directory))
        asyncio.run(installation.write(*range(3)))
        asyncio.run(installation.certify())
        yield installation, installation.path.read_bytes()


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_of_a_log_under_a_checkpoint_can_be_turned_unseen(
    certified: tuple[Any, bytes], at: int, bit: int
) -> None:
    installation, whole = certified
    content = bytearray(whole)
    content[at % len(content)] ^= 1 << bit
    installation.path.write_bytes(content)
    assert asyncio.run(installation.verify()).findings


async def test_the_chains_of_two_workers_cannot_be_exchanged_even_before_a_checkpoint(installation, faults) -> None:
    await installation.write(1, 2, part="-1")
    await installation.write(1, 2, part="-2")
    one, two = installation.lines("-1"), installation.lines("-2")
    installation.put(two, "-1")
    installation.put(one, "-2")
    assert faults(await installation.verify()) == {Fault.RECORD_CHANGED}


async def test_a_chain_that_is_gone_as_a_whole_is_missed(installation) -> None:
    await installation.write(1, part="-1")
    await installation.write(1, 2, part="-2")
    await installation.certify()
    installation.path.with_name("audit-2.jsonl").unlink()
    report = await installation.verify()
    assert [(one.fault, one.where, one.number) for one in report.findings] == [(Fault.LOG_CUT, "test-2", 1)]


async def test_a_cut_end_is_seen_by_the_checkpoint_and_a_cut_checkpoint_by_the_anchor(installation, faults) -> None:
    await installation.write(1, 2)
    await installation.certify()
    await installation.write(3, 4)
    await installation.certify()
    checkpoints = installation.path.with_suffix(".checkpoints")
    installation.put(installation.lines()[:2])
    assert faults(await installation.verify()) == {Fault.LOG_CUT}
    checkpoints.write_bytes(checkpoints.read_bytes().splitlines(keepends=True)[0])
    assert faults(await installation.verify()) == {Fault.CHECKPOINTS_CUT}
    without = replace(installation.books(), anchors={})
    assert (await verify("test", without, installation.keys)).findings == ()  # why there should be an anchor


async def test_an_anchor_that_has_not_what_was_signed_is_no_anchor(installation, faults) -> None:
    """One that was emptied, or that somebody else's path leads to, would let a cut end pass."""
    for n in range(3):
        await installation.write(n)
        await installation.certify()
    copies = installation.anchor.read_bytes().splitlines(keepends=True)
    for kept, found in ((3, set()), (2, set()), (1, {Fault.ANCHOR_BEHIND}), (0, {Fault.ANCHOR_BEHIND})):
        installation.anchor.write_bytes(b"".join(copies[:kept]))
        assert faults(await installation.verify()) == found
    installation.anchor.unlink()
    assert faults(await installation.verify()) == {Fault.ANCHOR_BEHIND}


async def test_checkpoints_cannot_be_changed_exchanged_or_signed_by_another(
    installation, faults, make_key, key_set
) -> None:
    for n in range(3):
        await installation.write(n)
        await installation.certify()
    checkpoints = installation.path.with_suffix(".checkpoints")
    one, two, three = checkpoints.read_bytes().splitlines(keepends=True)
    for changed in (one + three, two + one + three, one + two + two, one + two[:-9] + b"\n" + three):
        checkpoints.write_bytes(changed)
        assert Fault.CHECKPOINT_INVALID in faults(await installation.verify())
    checkpoints.write_bytes(one + two + three)
    assert (await installation.verify()).findings == ()
    assert faults(await installation.verify(key_set(make_key()))) == {Fault.CHECKPOINT_INVALID}


async def test_another_text_that_the_key_signed_does_not_pass_for_a_checkpoint(installation, faults) -> None:
    await installation.write(1)
    await installation.certify()
    checkpoints = installation.path.with_suffix(".checkpoints")
    claims = decode(checkpoints.read_bytes().strip()).claims
    for path in (checkpoints, installation.anchor):
        path.write_text(sign(installation.key, "xinqiao-receipt", claims) + "\n")
    assert faults(await installation.verify()) == {Fault.CHECKPOINT_INVALID}


async def test_a_checkpoint_of_another_history_does_not_fit_though_the_same_key_signed_it(
    installation, make_installation, tmp_path: Path
) -> None:
    other = make_installation(tmp_path / "other", installation.key)
    for one in (installation, other):
        await one.write(1)
        await one.certify()
        await one.write(2)
        await one.certify()
    mine, another = (one.path.with_suffix(".checkpoints") for one in (installation, other))
    first, second = another.read_bytes().splitlines(keepends=True)[0], mine.read_bytes().splitlines(keepends=True)[1]
    mine.write_bytes(first + second)
    report = await installation.verify()
    assert ("checkpoints", 2) in {(finding.where, finding.number) for finding in report.findings}


async def test_what_is_under_no_checkpoint_yet_is_kept_however_old_it_is(installation) -> None:
    await installation.write(*range(9), rotation=Rotation(300, 1e9))
    archive = installation.books().archive
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    firsts = [part.first for part in parts(installation.path)]
    for last in range(10):
        kept = await archive.expired("test", later, last)
        assert (kept.number if kept else 1) == max(first for first in firsts if first <= last + 1)


async def test_what_is_written_between_the_end_of_a_file_and_its_rotation_is_read_too(
    installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.write(0)
    follower = FileFollower(installation.path)
    assert len(await follower.read()) == 1
    following = follower._following

    def late() -> Any:
        """More is written, and the file rotated, after the follower saw its end."""
        monkeypatch.undo()
        asyncio.run(installation.write(1, 2, rotation=Rotation(400, 1e9)))
        asyncio.run(installation.write(3, rotation=Rotation(1, 1e9)))
        return following()

    monkeypatch.setattr(follower, "_following", late)
    lines = [line for _ in range(3) for line in await follower.read()]
    await follower.close()
    assert [line.split(b'"n":')[1][:1] for line in lines] == [b"1", b"2", b"3"]


async def test_checkpoints_signed_before_a_key_was_replaced_verify_with_the_keys_of_both(
    installation, make_key, key_set
) -> None:
    old, new = installation.key, make_key()
    await installation.write(1)
    await installation.certify()
    installation.key, installation.keys = new, key_set(old, new)
    await installation.write(2)
    await installation.certify()
    report = await installation.verify()
    assert (report.findings, report.checkpoints) == ((), 2)
    assert {one.where for one in (await installation.verify(key_set(new))).findings} == {"checkpoints"}


async def test_a_chain_goes_on_through_rotated_files_and_none_of_them_can_be_missed(installation, faults) -> None:
    await installation.write(*range(9), rotation=Rotation(300, 1e9))
    await installation.certify()
    files = [part.path for part in parts(installation.path)]
    assert len(files) == 3
    assert files[0].name == "audit.jsonl.000000000001"
    assert (await installation.verify()).findings == ()
    shutil.copy(files[1], files[1].with_suffix(".9999"))
    assert faults(await installation.verify()) == {Fault.RECORD_MISPLACED}
    files[1].with_suffix(".9999").unlink()
    files[1].unlink()
    assert Fault.RECORDS_MISSING in faults(await installation.verify())


async def test_a_file_is_rotated_away_by_its_age(installation) -> None:
    await installation.write(1, rotation=Rotation(1 << 30, 0.0))
    await installation.write(2, rotation=Rotation(1 << 30, 0.0))
    await installation.write(3, rotation=Rotation(1 << 30, 1e9))
    assert [part.first for part in parts(installation.path)] == [1, 2]


async def test_files_past_their_time_go_once_their_checkpoint_is_anchored_and_the_rest_verifies(
    installation, faults
) -> None:
    installation.keep = dt.timedelta(days=30)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    await installation.write(*range(9), rotation=Rotation(300, 1e9))
    files = [part.path for part in parts(installation.path)]
    await installation.certify()
    assert [part.path for part in parts(installation.path)] == files  # none is old enough

    await installation.write(9)
    installation.anchor.parent.rename(installation.directory / "away")
    installation.anchor.parent.write_bytes(b"")  # the anchor cannot be reached
    await installation.certify(now=lambda: later)
    assert [part.path for part in parts(installation.path)] == files

    installation.anchor.parent.unlink()
    (installation.directory / "away").rename(installation.anchor.parent)
    await installation.certify(now=lambda: later)
    (kept,) = parts(installation.path)
    assert kept.path == installation.path
    report = await installation.verify()
    assert report.findings == ()
    assert [(chain.first, chain.last, chain.certified) for chain in report.chains] == [(kept.first, 10, 10)]

    await installation.write(10)
    await installation.certify()
    assert (await installation.verify()).findings == ()
    installation.put(installation.lines()[1:])
    assert Fault.RECORDS_MISSING in faults(await installation.verify())


async def test_a_notary_signs_nothing_that_does_not_go_on_from_what_it_signed_before(installation, faults) -> None:
    await installation.write(1, 2, 3, part="-1")
    await installation.write(1, part="-2")
    await installation.certify()
    lines = installation.lines("-1")
    installation.put([lines[0], lines[1]], "-1")
    await installation.write(4, 5, part="-1")
    await installation.write(2, part="-2")
    await installation.certify()
    report = await installation.verify()
    assert faults(report) == {Fault.RECORD_CHANGED}
    assert [(chain.chain, chain.certified) for chain in report.chains] == [("test-1", 3), ("test-2", 2)]


async def test_nothing_is_deleted_before_the_anchor_knows_that_it_is_not_kept(installation) -> None:
    installation.keep = dt.timedelta(days=30)
    await installation.write(*range(9), rotation=Rotation(300, 1e9))
    await installation.certify()
    files = parts(installation.path)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)

    class Full(FileLedger):
        async def append(self, number: int, text: str) -> None:  # noqa: ARG002
            raise AuditSinkError("there is no room")

    books = installation.books()
    full = replace(books, anchors={"anchor": Full(installation.anchor)})
    keys = SigningKeys(installation.key, installation.keys)
    await Notary("test", keys, full, installation.keep, lambda: later).certify()
    assert len(await books.ledger.all()) == 2  # the second says what is not kept
    assert parts(installation.path) == files
    await installation.certify(now=lambda: later)
    assert len(parts(installation.path)) == 1


async def test_a_false_root_is_found_though_the_key_signed_it(installation, faults) -> None:
    await installation.write(1, 2)
    await installation.certify()
    ledger = installation.books().ledger
    checkpoint = read_checkpoint(await ledger.last() or "", installation.keys)
    (span,) = checkpoint.spans
    false = sign_checkpoint(replace(checkpoint, spans=[replace(span, root="00" * 32)]), installation.key)
    for path in (installation.path.with_suffix(".checkpoints"), installation.anchor):
        path.write_text(false + "\n")
    assert faults(await installation.verify()) == {Fault.RECORD_CHANGED}


async def test_a_notary_goes_on_while_records_come_and_after_it_was_stopped(installation) -> None:
    notary = installation.notary()
    for n in range(4):
        await installation.write(n, rotation=Rotation(150, 1e9))
        await notary.certify()
    await notary.close()
    await installation.certify()  # nothing new
    await installation.write(4)
    await installation.certify()
    report = await installation.verify()
    assert (report.findings, report.checkpoints) == ((), 5)
    assert [(chain.last, chain.certified) for chain in report.chains] == [(5, 5)]


async def test_an_anchor_catches_up_with_what_it_missed_and_is_not_given_what_does_not_follow(
    installation, faults
) -> None:
    await installation.write(1)
    await installation.certify()
    anchored = installation.anchor.read_bytes()
    for n in (2, 3):
        await installation.write(n)
        await installation.certify()
    installation.anchor.write_bytes(anchored)
    assert (await installation.verify()).anchored == {"anchor": 1}
    await installation.certify()
    assert (await installation.verify()).anchored == {"anchor": 3}

    installation.path.with_suffix(".checkpoints").unlink()  # the log is to be certified anew
    await installation.certify()
    assert faults(await installation.verify()) == {Fault.CHECKPOINTS_CUT, Fault.CHECKPOINT_INVALID}
    for n in range(4, 8):
        await installation.write(n)
        await installation.certify()
    assert faults(await installation.verify()) == {Fault.CHECKPOINT_INVALID, Fault.ANCHOR_BEHIND}
    assert len(installation.anchor.read_bytes().splitlines()) == 3


async def test_a_chain_that_cannot_be_read_keeps_no_other_from_being_certified(installation) -> None:
    await installation.write(1, part="-1")
    await installation.write(1, part="-2")
    bad = installation.path.with_name("audit-2.jsonl.000000000009")
    bad.mkdir()
    await installation.certify()
    bad.rmdir()
    report = await installation.verify()
    assert [(chain.chain, chain.certified) for chain in report.chains] == [("test-1", 1), ("test-2", 0)]
    await installation.certify()
    report = await installation.verify()
    assert (report.findings, [chain.certified for chain in report.chains]) == ((), [1, 1])


async def test_a_checkpoint_that_could_not_be_kept_is_made_again_and_nothing_is_left_out(
    installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    notary = installation.notary()
    await installation.write(1)
    await notary.certify()
    await installation.write(2)
    with monkeypatch.context() as patched:
        for error in (AuditSinkError("there is no room"), RuntimeError("a mistake of ours")):
            patched.setattr(FileLedger, "append", AsyncMock(side_effect=error))
            await notary.try_certify()
    await notary.try_certify()
    await notary.close()
    report = await installation.verify()
    assert (report.findings, report.checkpoints) == ((), 2)
    assert [chain.certified for chain in report.chains] == [2]
