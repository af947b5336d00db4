"""What whoever tries a manifest is told to look at, for it would be read wrongly without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.manifest_file import load_manifest
from connectors.paths import ASKED_KEY
from connectors.remarks import remarks
from tests.connectors.support import CODES, SHAPES

FIRST, SECOND = CODES[:2]
REQUEST = "request: {path: /p, keys: {in: query, name: code}}"


def dataset(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "court.yaml"
    path.write_text(
        'agency: court\nname: {en: Court, zh: 法院}\nkind: rest\nconnection: {url: "${ADDRESS}"}\n'
        f"datasets:\n  - record: Penalty\n    fields: {{facts: f, documentNumber: holder}}\n    {text}\n",
        encoding="utf-8",
    )
    return load_manifest(path, SHAPES).datasets[0]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("甲公司".encode().decode("latin-1"), "UTF-8 that was read as LATIN-1"),
        ("处罚".encode("gbk").decode("latin-1"), "GBK that was read as LATIN-1"),
        ("处罚决定".encode().decode("gbk"), "UTF-8 that was read as GBK"),
        ("锟斤拷锟斤拷", "characters that were lost"),
        ("甲\ufffd", "characters that were lost"),
        ("甲公司〔2021〕1号", None),
        ("Müller × Söhne", None),
        ("联通", None),
        ("ＡＢＣ１２３", None),
        ("plain", None),
    ],
)
async def test_texts_that_were_decoded_wrongly_are_pointed_out(tmp_path: Path, text: str, how: str | None) -> None:
    rows = [{"f": text, ASKED_KEY: FIRST}]
    told = await remarks(dataset(tmp_path, REQUEST), [], rows)
    assert [how is not None and how in remark for remark in told] == ([True] if how else [])
    assert text not in "".join(told)


@pytest.mark.parametrize(
    ("code", "key", "remarked"),
    [
        (str(SECOND), "", True),
        (SECOND.lower(), "", True),
        (FIRST.lower(), "", False),
        ("no code", "", False),
        (str(SECOND), "key: xydm", False),
    ],
)
async def test_rows_of_other_companies_are_pointed_out_where_nothing_tells_whose_they_are(
    tmp_path: Path, code: str, key: str, *, remarked: bool
) -> None:
    rows = [{"f": "x", "xydm": code, "holder": str(SECOND), ASKED_KEY: FIRST}]
    told = await remarks(dataset(tmp_path, f"{REQUEST}\n    {key}"), [], rows)
    assert any("set key: xydm" in remark for remark in told) is remarked


@pytest.mark.parametrize(("paging", "remarked"), [("page: no", True), ("page: no, total: n", False)])
async def test_pages_that_end_by_their_size_alone_are_pointed_out(
    tmp_path: Path, paging: str, *, remarked: bool
) -> None:
    request = REQUEST.replace("name: code}", f"name: code}}, paging: {{{paging}}}")
    told = await remarks(dataset(tmp_path, request), [], [])
    assert any("the rest would be lost" in remark for remark in told) is remarked
