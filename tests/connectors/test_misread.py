"""What an answer that cannot be read is said to be, and that nothing of it is told."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from connectors.documents import Encoding, Format, read_document
from connectors.misread import misread

JSON = json.dumps([{"f": "罚款甲"}], ensure_ascii=False)
XML = "<a><f>罚款甲</f></a>"


async def said(content: bytes, form: Format = "json", encoding: Encoding | None = None) -> str:
    """What is said of a content that cannot be read."""
    with pytest.raises((ValueError, ArithmeticError, RecursionError)) as refused:
        await read_document(content, form, encoding)
    return misread(content, form, encoding, refused.value)


@pytest.mark.parametrize(
    ("content", "form", "encoding", "expected"),
    [
        (JSON.encode("gb2312"), "json", None, "utf-8; it can be read as gb18030: set response.encoding: gb18030"),
        (JSON.encode("gbk"), "json", "utf-8", "utf-8; it can be read as gb18030: set response.encoding: gb18030"),
        (JSON.encode(), "json", "gb18030", "gb18030; it can be read as utf-8: set response.encoding: utf-8"),
        (JSON.encode(), "json", "gbk", "gbk; it can be read as utf-8: set response.encoding: utf-8"),
        (b'["\xff"]', "json", None, "utf-8"),
        (
            XML.encode("gbk"),
            "xml",
            None,
            "the encoding that it declares; it can be read as gb18030: set response.encoding: gb18030",
        ),
        (XML.encode(), "xml", "gb18030", "gb18030; it can be read as utf-8: set response.encoding: utf-8"),
    ],
)
async def test_an_answer_in_another_encoding_is_said_to_be(
    content: bytes, form: Format, encoding: Encoding | None, expected: str
) -> None:
    assert await said(content, form, encoding) == f"not {form.upper()} (it is not in {expected})"


@pytest.mark.parametrize(
    ("content", "form", "what"),
    [
        (b"", "json", "it is empty"),
        (b" \r\n", "xml", "it is empty"),
        (gzip.compress(JSON.encode(), mtime=0), "json", "packed by gzip, and its headers do not say so"),
        (gzip.compress(XML.encode(), mtime=0), "xml", "packed by gzip"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>secret</html>", "json", "it is HTML or XML"),
        (b"jQuery1124_1('secret')", "json", "JSONP"),
        (JSON.encode(), "xml", "it is JSON"),
        (b"<a>secret</b>", "xml", "mismatched tag"),
        (b'["secret",]', "json", "JSONDecodeError"),
        (b"[nan]", "json", "JSONDecodeError"),
    ],
)
async def test_an_answer_that_is_something_else_is_said_to_be(content: bytes, form: Any, what: str) -> None:
    text = await said(content, form)
    assert what in text
    assert "secret" not in text
