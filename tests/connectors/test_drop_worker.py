"""Drops are indexed by processes of their own: what the other tests of drops leave out, which index them in theirs."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog

from connectors.contract import SourceCall
from connectors.drops import index
from connectors.errors import AgencyFailure
from tests.connectors.support import CODES, ask
from tests.waiting import until

MANIFEST = """
    agency: customs
    name: {en: Customs, zh: 海关}
    kind: file
    connection: {path: "${ADDRESS}"}
    datasets:
      - record: Registration
        file: customs*
        format: delimited
        key: code
        missingMeans: none
        fields: {name: name}
"""


def delimited(path: Path, name: str = "甲") -> None:
    path.write_text(f"code,name\n{CODES[0]},{name}\n", encoding="utf-8")


def packed(path: Path) -> None:
    path.write_bytes(gzip.compress(f"code,name\n{CODES[0]},甲\n".encode()))


def lines(path: Path) -> None:
    path.write_text(f'{{"code": "{CODES[0]}", "name": "甲"}}\n', encoding="utf-8")


def document(path: Path) -> None:
    path.write_text(f"<drop><row><code>{CODES[0]}</code><name>甲</name></row></drop>", encoding="utf-8")


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["code", "name"])
    book.worksheets[0].append([CODES[0], "甲"])
    book.save(path)


def parquet(path: Path) -> None:
    pq.write_table(pa.table({"code": [str(CODES[0])], "name": ["甲"]}), path)


async def indexed(supply: Any) -> None:
    await supply._lines["customs/Registration"].source.ready()


async def name_of(supply: Any) -> str:
    (row,) = (await ask(supply, CODES[:1]))[CODES[0]].rows
    return str(row["name"])


@pytest.mark.parametrize(
    ("form", "suffix", "write"),
    [
        ("delimited", ".csv", delimited),
        ("delimited", ".csv.gz", packed),
        ("jsonLines", ".jsonl", lines),
        ("json", ".json", lines),
        ("xml\n        rows: row", ".xml", document),
        ("xlsx", ".xlsx", workbook),
        ("parquet", ".parquet", parquet),
    ],
)
async def test_such_a_process_reads_every_format(
    tmp_path: Path, open_one: Any, form: str, suffix: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / f"customs{suffix}")
    supply = await open_one(MANIFEST.replace("delimited", form), str(tmp_path))
    await indexed(supply)
    assert await name_of(supply) == "甲"


async def test_one_that_comes_to_an_end_over_a_drop_takes_nothing_along(
    tmp_path: Path, open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    delimited(tmp_path / "customs.csv")
    supply = await open_one(MANIFEST, str(tmp_path))
    await indexed(supply)
    assert await name_of(supply) == "甲"
    monkeypatch.setattr("sys.executable", "/bin/false")
    delimited(tmp_path / "customs_2.csv", "乙")
    await indexed(supply)
    assert await name_of(supply) == "甲"


@pytest.fixture
def go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    """Each process that indexes waits until this is called once more."""
    pipe, waiting = tmp_path / "go on", tmp_path / "waiting"
    os.mkfifo(pipe)
    waiting.write_text(f'#!/bin/sh\nread _ < "{pipe}"\nexec "{sys.executable}" "$@"\n')
    waiting.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(waiting))
    descriptor = os.open(pipe, os.O_RDWR)
    yield lambda: os.write(descriptor, b"\n")
    os.close(descriptor)


async def test_look_ups_go_on_while_a_drop_is_indexed(
    tmp_path: Path, open_one: Any, go_on: Callable[[], object]
) -> None:
    delimited(tmp_path / "customs_1.csv", "before")
    supply = await open_one(MANIFEST, str(tmp_path))
    go_on()
    await indexed(supply)
    assert await name_of(supply) == "before"
    delimited(tmp_path / "customs_2.csv", "after")
    assert await name_of(supply) == "before"
    go_on()
    await indexed(supply)
    assert await name_of(supply) == "after"


@pytest.mark.usefixtures("go_on")
async def test_closing_does_not_wait_for_it(tmp_path: Path, open_one: Any) -> None:
    delimited(tmp_path / "customs.csv")
    before = psutil.Process().children()
    supply = await open_one(MANIFEST, str(tmp_path))
    source = supply._lines["customs/Registration"].source
    asking = asyncio.create_task(source.fetch(SourceCall([CODES[0]], frozenset({"name"}), {}, 5)))
    async with asyncio.timeout(30):
        while psutil.Process().children() == before:
            await asyncio.to_thread(os.stat, tmp_path)
    await source.close()
    assert psutil.Process().children() == before
    with pytest.raises(AgencyFailure):
        await asking


class Held:
    """A function that a thread stays in until it may go on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.begun, self.may, self.over = threading.Event(), threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._function = function

    def __call__(self, *given: Any) -> Any:
        self.begun.set()
        self.may.wait(60)
        try:
            return self._function(*given)
        except Exception as error:
            self.error = error
            raise
        finally:
            self.over.set()


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Held]]:
    """Holds a function of the index's module."""
    every: list[Held] = []

    def held(name: str) -> Held:
        every.append(Held(getattr(index, name)))
        monkeypatch.setattr(index, name, every[-1])
        return every[-1]

    yield held
    for one in every:
        one.may.set()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where directories for what is made of drops are."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


async def nothing_left(drop: Path, scratch: Path) -> None:
    """Waits until the drop is open no more, and nothing is there that was made of it."""

    def nothing() -> bool:
        opened = [file.path for file in psutil.Process().open_files()]
        return str(drop) not in opened and not any(scratch.iterdir())

    await until(lambda: asyncio.to_thread(nothing))


@pytest.mark.parametrize(
    ("function", "reader"), [("_Opened", sys.executable), ("_open", sys.executable), ("_let_go", "/bin/false")]
)
async def test_closing_waits_for_no_thread_at_a_drop_which_leaves_nothing_open(  # noqa: PLR0913
    *,
    tmp_path: Path,
    open_one: Any,
    scratch: Path,
    hold: Callable[[str], Held],
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    reader: str,
) -> None:
    monkeypatch.setattr("sys.executable", reader)
    drop, held = tmp_path / "customs.csv", hold(function)
    delimited(drop)
    supply = await open_one(MANIFEST, str(tmp_path))
    source = supply._lines["customs/Registration"].source
    indexing = asyncio.create_task(indexed(supply))
    assert await asyncio.to_thread(held.begun.wait, 60)
    for _ in range(2):
        closing = asyncio.create_task(source.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({closing})
    await source.close()
    assert not held.over.is_set()
    held.may.set()
    assert await asyncio.to_thread(held.over.wait, 60)
    assert held.error is None  # what the thread used was there until the end
    await nothing_left(drop, scratch)
    await indexing


async def test_a_drop_that_cannot_be_opened_once_nobody_waits_for_it_is_not_told_as_refused(
    tmp_path: Path, open_one: Any, hold: Callable[[str], Held]
) -> None:
    drop, held = tmp_path / "customs.csv", hold("_Opened")
    delimited(drop)
    supply = await open_one(MANIFEST, str(tmp_path))
    with structlog.testing.capture_logs() as logs:
        indexing = asyncio.create_task(indexed(supply))
        assert await asyncio.to_thread(held.begun.wait, 60)
        drop.unlink()
        closing = asyncio.create_task(supply._lines["customs/Registration"].source.close())
        await asyncio.sleep(0)
        held.may.set()
        await asyncio.gather(closing, indexing)
        assert await asyncio.to_thread(held.over.wait, 60)
    assert isinstance(held.error, FileNotFoundError)
    assert logs == []
