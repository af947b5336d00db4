"""The documents that agencies' answers are, or hold as a text: JSON or XML, in the encodings of Chinese systems."""

from __future__ import annotations

import codecs
from typing import Any, Final, Literal

from connectors.json_body import read_json
from connectors.paths import MISSING, follow, rows_at
from connectors.turns import Turn
from connectors.xml_body import ENCODINGS, read_xml

Format = Literal["json", "xml"]
Encoding = Literal["utf-8", "gb18030", "gbk", "big5"]

_PIECE: Final = 64 * 1024
"""Bytes that are decoded between two looks at the clock: some 1 ms."""


async def read_document(content: bytes, form: Format, encoding: Encoding | None = None) -> Any:  # noqa: ANN401  (an agency's document has any shape)
    """The document, of XML what is within its root element.

    Without `encoding` JSON is in UTF-8 (or 16), XML in what it declares. Others have their turn on the event loop while
    a large one is read. Raises `ValueError`, `ArithmeticError` or `RecursionError`.
    """
    if form == "json":
        return await read_json(content if encoding in {None, "utf-8"} else await _in_utf8(content, encoding))
    root = next(iter((await read_xml(content, encoding)).values())) or {}
    return root if isinstance(root, dict) else {"#text": root}


def put_empty_lists(document: dict[str, Any], paths: tuple[str, ...], *, optional: bool, told: bool) -> None:
    """Writes the lists that XML cannot: an element that may be repeated is not there where there is none of it.

    `paths` lead to such elements, one within the other. The element around has to be there, empty as it may be; with
    `optional`, those around it may be left out as well. Unless an error is `told` otherwise, the element around the
    first has nothing else in it: there it might be an error.
    """
    around: list[Any] = [document]
    for index, path in enumerate(paths):
        for each in around:
            if isinstance(each, dict):
                _put_empty_list(each, path, optional=optional, alone=not told and index == 0)
        around = [row for each in around for row in rows_at(each, path) or ()]


def _put_empty_list(around: dict[str, Any], path: str, *, optional: bool, alone: bool) -> None:
    *steps, last = path.split(".")
    for step in steps:
        inner = follow(around, step)
        if inner is MISSING and not optional:
            return
        if inner is MISSING or inner is None or inner == "":
            inner = around[step] = {}
        if not isinstance(inner, dict):
            return
        around = inner
    if alone and around.get(last) is None and around.keys() - {last}:
        around.pop(last, None)
        return
    if not around.get(last, ""):
        around[last] = []


async def _in_utf8(content: bytes, encoding: Encoding | None) -> bytes:
    decode = codecs.getincrementaldecoder(ENCODINGS[encoding or "utf-8"])().decode
    turn = Turn()
    pieces: list[bytes] = []
    for start in range(0, len(content), _PIECE):
        pieces.append(decode(content[start : start + _PIECE]).encode())
        if turn.is_over():
            await turn.pass_on()
    pieces.append(decode(b"", final=True).encode())
    return b"".join(pieces)
