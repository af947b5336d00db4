"""Drops of several files: which belong together, and when they are whole."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import FailureCode, Outcome
from connectors.drops.names import DropNames, DropParts
from connectors.errors import ManifestInvalid
from connectors.kinds import file
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, ask

pytestmark = pytest.mark.usefixtures("indexed_here")

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: file
    connection: {path: "${ADDRESS}"}
    datasets:
      - record: Penalty
        file: penalties-%Y-%m-%d-part*.csv*
        parts: {count: 2}
        key: code
        batch: 100
        missingMeans: none
        fields: {documentNumber: number}
"""
MARKED = MANIFEST.replace("count: 2", "marker: penalties-%Y-%m-%d.done")
MARKED_EACH = MANIFEST.replace("count: 2}", "count: 2}\n        marker: .ok")
NAMED = MANIFEST.replace("{count: 2}", "{}").replace("part*.csv*", "part*of%N.csv")
UNAVAILABLE = FailureCode.AGENCY_UNAVAILABLE


def put(directory: Path, name: str, *rows: str, header: str = "code,number\n") -> Path:
    """Writes a file as a careful agency does: under another name first."""
    content = (header + "".join(f"{row}\n" for row in rows)).encode()
    draft = directory / "draft"
    draft.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return draft.replace(directory / name)


async def said(supply: Any, *codes: int) -> Any:
    answers = await ask(supply, [CODES[number] for number in codes])
    failures = {answer.failure for answer in answers.values() if answer.outcome is Outcome.FAILED}
    return failures.pop() if failures else [row["documentNumber"] for one in answers.values() for row in one.rows]


async def indexed(supply: Any) -> None:
    await supply._lines["court/Penalty"].source.ready()


async def test_the_parts_of_a_drop_are_read_together(tmp_path: Path, open_one: Any) -> None:
    put(tmp_path, "penalties-2026-11-01-part1.csv", f"{CODES[0]},a", f"{CODES[1].lower()},b")
    put(
        tmp_path,
        "penalties-2026-11-01-part2.csv.gz",
        "x,c,y",
        f"d,,{CODES[2]}",
        f"e,,{CODES[0]}",
        header="number,z,code\n",
    )
    answers = await ask(await open_one(MANIFEST, str(tmp_path)), CODES[:4])
    rows = [[row["documentNumber"] for row in answers[code].rows] for code in CODES[:4]]
    assert rows == [["a", "e"], ["b"], ["d"], []]
    # The row whose key is no code may be anybody's, whichever part it is in.
    assert {(answer.outcome, answer.unmapped) for answer in answers.values()} == {(Outcome.INCOMPLETE, 1)}


@pytest.mark.parametrize(
    ("manifest", "names", "last"),
    [
        (MANIFEST, ["part1.csv"], "part2.csv"),
        (NAMED, ["part1of3.csv", "part3of3.csv"], "part2of3.csv"),
        (MARKED, ["part1.csv", "part2.csv"], ".done"),
        (MARKED.replace(".done", ".done, count: 2"), ["part1.csv", ".done"], "part2.csv"),
        (
            MANIFEST.replace("count: 2}", "count: 2}\n        marker: .ok"),
            ["part1.csv", "part1.csv.ok", "part2.csv"],
            "part2.csv.ok",
        ),
    ],
    ids=["count", "number in the name", "marker", "marker and count", "a marker each"],
)
async def test_a_drop_counts_once_all_its_parts_are_there(
    tmp_path: Path, open_one: Any, manifest: str, names: list[str], last: str
) -> None:
    def place(day: str, name: str, value: str) -> None:
        joined = f"penalties-{day}{'' if name.startswith('.') else '-'}{name}"
        put(tmp_path, joined, *([] if joined.endswith((".done", ".ok")) else [f"{CODES[0]},{value} {name}"]))

    supply = await open_one(manifest, str(tmp_path))
    for name in names:
        place("2026-10-31", name, "old")
    assert await said(supply, 0) is UNAVAILABLE
    place("2026-10-31", last, "old")
    files = sorted(name for name in [*names, last] if name.endswith(".csv"))
    assert await said(supply, 0) == [f"old {name}" for name in files]
    for name in names:
        place("2026-11-01", name, "new")
    await indexed(supply)
    assert await said(supply, 0) == [f"old {name}" for name in files]
    place("2026-11-01", last, "new")
    await indexed(supply)
    assert await said(supply, 0) == [f"new {name}" for name in files]
    if not last.startswith("."):
        (tmp_path / f"penalties-2026-11-01-{last}").unlink()
        await indexed(supply)
        assert await said(supply, 0) == [f"old {name}" for name in files]


@pytest.mark.parametrize(
    "more",
    ["penalties-2026-11-01-part3.csv", "penalties-2026-11-01-part1.csv.gz", "penalties-2026-11-01-part2.csv (1)"],
)
async def test_more_files_than_there_should_be_are_no_drop(tmp_path: Path, open_one: Any, more: str) -> None:
    for name in ("penalties-2026-11-01-part1.csv", "penalties-2026-11-01-part2.csv", more):
        put(tmp_path, name, f"{CODES[0]},a")
    assert await said(await open_one(MANIFEST, str(tmp_path)), 0) is UNAVAILABLE


async def test_what_is_of_no_day_or_of_another_name_is_no_part(tmp_path: Path, open_one: Any) -> None:
    for day, other in (("2026-11-01", "part"), ("2026-13-01", "part"), ("2026-11-1", "part"), ("2026-12-01", "teil")):
        for number in (1, 2):
            put(tmp_path, f"penalties-{day}-{other}{number}.csv", f"{CODES[0]},{day} {number}")
    assert await said(await open_one(MANIFEST, str(tmp_path)), 0) == ["2026-11-01 1", "2026-11-01 2"]


async def test_a_drop_may_count_once_the_next_one_has_begun(tmp_path: Path, open_one: Any) -> None:
    supply = await open_one(MANIFEST.replace("count: 2", "followed: true"), str(tmp_path))
    for part in "abc":
        put(tmp_path, f"penalties-2026-11-01-part{part}.csv", f"{CODES[0]},first {part}")
    await indexed(supply)
    assert await said(supply, 0) is UNAVAILABLE
    put(tmp_path, "penalties-2026-11-03-parta.csv", f"{CODES[0]},second a")
    await indexed(supply)
    assert await said(supply, 0) == ["first a", "first b", "first c"]
    put(tmp_path, "penalties-2026-11-04-parta.csv", f"{CODES[0]},third a")
    await indexed(supply)
    assert await said(supply, 0) == ["second a"]


async def test_a_marker_is_no_part_though_it_is_named_like_one(tmp_path: Path, open_one: Any) -> None:
    text = MARKED.replace("-part*.csv*", "*").replace(".done", ".done, count: 2")
    put(tmp_path, "penalties-2026-11-01.done", header="")
    put(tmp_path, "penalties-2026-11-01_a", f"{CODES[0]},a")
    supply = await open_one(text, str(tmp_path))
    assert await said(supply, 0) is UNAVAILABLE
    put(tmp_path, "penalties-2026-11-01", f"{CODES[0]},b")
    assert await said(supply, 0) == ["b", "a"]


async def test_signs_of_patterns_stand_for_themselves_beside_the_date(tmp_path: Path, open_one: Any) -> None:
    text = MANIFEST.replace("penalties-%Y-%m-%d-part*.csv*", '"[p]?(%Y%m)*+.csv"')
    put(tmp_path, "p1(202612)1+.csv", f"{CODES[0]},other")
    for part in ("1", "2"):
        put(tmp_path, f"[p]?(202611){part}+.csv", f"{CODES[0]},{part}")
    assert await said(await open_one(text, str(tmp_path)), 0) == ["1", "2"]


async def test_only_the_first_part_may_have_the_header(tmp_path: Path, open_one: Any) -> None:
    text = MANIFEST.replace("{count: 2}", "{count: 3, header: first}\n        skip: 1")
    put(tmp_path, "penalties-2026-11-01-partaa.csv", f"{CODES[0]},a", header="a title\ncode,number\n")
    put(tmp_path, "penalties-2026-11-01-partab.csv", f"{CODES[0]},b", f"{CODES[1]},c", header="")
    put(tmp_path, "penalties-2026-11-01-partac.csv", f"{CODES[0]},d", header="")
    assert await said(await open_one(text, str(tmp_path)), 0, 1) == ["a", "b", "d", "c"]
    assert await said(await open_one(text.replace(", header: first", ""), str(tmp_path)), 0) is UNAVAILABLE


@pytest.mark.parametrize("part", [1, 2])
async def test_half_a_part_leaves_the_drop_before_in_place(tmp_path: Path, open_one: Any, part: int) -> None:
    for number in (1, 2):
        put(tmp_path, f"penalties-2026-11-01-part{number}.csv", f"{CODES[0]},old {number}")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await said(supply, 0) == ["old 1", "old 2"]
    put(tmp_path, f"penalties-2026-11-02-part{3 - part}.csv", f"{CODES[0]},new {3 - part}")
    (tmp_path / f"penalties-2026-11-02-part{part}.csv").write_text(f"code,number\n{CODES[0]},ha")
    await indexed(supply)
    assert await said(supply, 0) == ["old 1", "old 2"]
    put(tmp_path, f"penalties-2026-11-02-part{part}.csv", f"{CODES[0]},new {part}")
    await indexed(supply)
    assert await said(supply, 0) == ["new 1", "new 2"]


async def test_a_part_that_is_replaced_takes_over(tmp_path: Path, open_one: Any) -> None:
    for number in (1, 2):
        put(tmp_path, f"penalties-2026-11-01-part{number}.csv", f"{CODES[0]},{number}")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await said(supply, 0) == ["1", "2"]
    put(tmp_path, "penalties-2026-11-01-part1.csv", f"{CODES[0]},corrected")
    await indexed(supply)
    assert await said(supply, 0) == ["corrected", "2"]
    (tmp_path / "penalties-2026-11-01-part2.csv").write_text(f"code,number\n{CODES[1]},moved\n{CODES[0]},over\n")
    assert await said(supply, 0) == ["corrected", "over"]


async def test_parts_of_two_states_are_never_read_together(
    tmp_path: Path, open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(value: str) -> None:
        for number in (1, 2):
            put(tmp_path, f"penalties-2026-11-01-part{number}.csv", f"{CODES[0]},{value} {number}")

    opening = file.open_drop
    opened: list[str] = []

    async def open_drop(path: Path, form: Any) -> Any:
        if len(opened) == 1:
            place("second")
        opened.append(path.name)
        return await opening(path, form)

    monkeypatch.setattr(file, "open_drop", open_drop)
    place("first")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await said(supply, 0) == ["second 1", "second 2"]
    assert [name[-5] for name in opened] == ["1", "2", "1", "2"]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("", datetime(2026, 11, 1, 1, tzinfo=UTC)),
        ("{name: penalties-%Y-%m-%d-part*.csv}", datetime(2026, 10, 31, 16, tzinfo=UTC)),
        ("{marker: text}", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("{marker: modified}", datetime(2026, 11, 1, 3, tzinfo=UTC)),
        ("{column: number}", datetime(2026, 11, 9, 16, tzinfo=UTC)),
    ],
)
async def test_the_parts_have_one_date_of_their_data(
    tmp_path: Path, open_one: Any, as_of: str, expected: datetime
) -> None:
    for number, name in enumerate(("-part1.csv", "-part2.csv", ".done"), 1):
        path = put(tmp_path, f"penalties-2026-11-01{name}", f"{CODES[0]},2026-11-{number + 8:02}")
        moment = datetime(2026, 11, 1, number, tzinfo=UTC).timestamp()
        if name == ".done":
            path.write_text("2026-11-01T12:00:00+08:00")
        os.utime(path, (moment, moment))
    text = MARKED + (f"        asOf: {as_of}\n" if as_of else "")
    answer = (await ask(await open_one(text, str(tmp_path)), CODES[:1]))[CODES[0]]
    assert answer.as_of == expected


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("part*.csv*", "part*%N.csv"), "where %N begins"),
        (("{count: 2}", "{}"), "to tell when all are there"),
        (("penalties-%Y-%m-%d-part*.csv*", "penalties-*.csv"), "needs %Y"),
        (("-%d-", "-%Q-"), "needs %Y"),
        (("-%d-", "-%Y-"), "needs %Y"),
        (("count: 2", "count: 0"), "count"),
        (("count: 2", "marker: all.done"), "needs %Y"),
        (("count: 2", "marker: p%Y%N.done"), "needs %Y"),
        (("count: 2}", "count: 2, header: first}\n        format: jsonLines"), "parts.header: not for"),
        (("count: 2}", "count: 2}\n        asOf: {marker: text}"), "no marker"),
        (("count: 2}", "count: 2}\n        marker: .ok\n        asOf: {marker: text}"), "no marker"),
        (("        parts: {count: 2}\n", ""), "goes with parts"),
    ],
)
def test_parts_that_cannot_be_told_are_a_mistake_in_the_manifest(
    tmp_path: Path, change: tuple[str, str], mistake: str
) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(dedent(MANIFEST.replace(*change)), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=mistake):
        load_manifest(path, SHAPES)


@given(
    st.sets(st.builds("p{}-{}of{}.csv".format, st.integers(2024, 2027), st.integers(0, 4), st.integers(0, 4))),
    st.none() | st.integers(1, 4),
)
def test_whatever_lies_there_no_drop_lacks_a_part_or_is_of_two_dates(names: set[str], count: int | None) -> None:
    found = DropNames("p%Y-*of%N.csv", parts=DropParts(count=count)).newest(names)
    by_year: dict[str, list[str]] = {}
    for name in sorted(names):
        by_year.setdefault(name[:5], []).append(name)
    whole = {
        year: files
        for year, files in by_year.items()
        if {name[-5] for name in files} == {str(len(files))} and count in {None, len(files)}
    }
    assert (None if found is None else list(found.files)) == (whole[max(whole)] if whole else None)
