from __future__ import annotations

import asyncio
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.xml_body import DEEPEST, XmlRefused, read_xml

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


async def read(text: str) -> Any:
    return await read_xml(text.encode())


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<a>text</a>", "text"),
        ("<a/>", ""),
        ("<a> </a>", " "),
        ("<a><![CDATA[<b>]]>&amp;&#x4e2d;</a>", "<b>&中"),
        ("<a><b>1</b></a>", {"b": "1"}),
        ("<a><b>1</b><c/><b>2</b><b>3</b></a>", {"b": ["1", "2", "3"], "c": ""}),
        ("<a>\n  <b>1</b>\n</a>", {"b": "1"}),
        ('<a n="1" m="">x</a>', {"@n": "1", "@m": "", "#text": "x"}),
        ("<a>x<b/>y</a>", {"b": "", "#text": "xy"}),
        ('<p:a xmlns:p="urn:p" xmlns:q="urn:q"><p:b q:c="1"/><q:b/></p:a>', {"b": [{"@c": "1"}, ""]}),
        (f'<a {XSI}><b xsi:nil="true"/><c xsi:nil=" 1 " n="2"/></a>', {"b": None, "c": None}),
        (f'<a {XSI} xsi:nil="false"/>', ""),
        (f'<a {XSI} xsi:type="q:s">x</a>', "x"),
        ('<a xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" e:arrayType="x[1]"><i>1</i></a>', {"i": "1"}),
        ("<?xml version='1.0'?><!-- c --><?pi x?><a><!-- c -->x<?pi y?></a>", "x"),
    ],
)
async def test_elements_are_texts_objects_and_lists(xml: str, value: Any) -> None:
    assert await read(xml) == {"a": value}


@pytest.mark.parametrize("declared", ["GB18030", "gbk", "GB2312"])
async def test_chinese_encodings_are_read_by_the_largest_of_them(declared: str) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><a>浙江镕㐀</a>'.encode("gb18030")
    assert await read_xml(content) == {"a": "浙江镕㐀"}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("<a>中</a>".encode("utf-8-sig"), None),
        ('<?xml version="1.0" encoding="utf-16"?><a>中</a>'.encode("utf-16"), None),
        ("<a>中</a>".encode("gbk"), "gbk"),
        ('<?xml version="1.0" encoding="utf-8"?><a>中</a>'.encode("gbk"), "gbk"),
        ('<?xml version="1.0" encoding="big5"?><a>中</a>'.encode("big5"), None),
    ],
    ids=["mark", "utf-16", "undeclared", "declared wrongly", "big5"],
)
async def test_the_encoding_is_the_manifests_the_marks_the_declarations_or_utf_8(
    content: bytes, encoding: str | None
) -> None:
    assert await read_xml(content, encoding) == {"a": "中"}


LAUGHS = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no element found"),
        (b"<a>", "no element found"),
        (b"<a></b>", "mismatched tag"),
        (b"<a/><b/>", "junk after document element"),
        (b"plain", "syntax error"),
        (b"<a>&nbsp;</a>", "undefined entity"),
        (b"<a>\x00</a>", "not well-formed"),
        (b"<a>\xff\xff</a>", "not in its encoding"),
        (b"<a>\xe4\xb8", "not in its encoding"),
        (b'<?xml version="1.0" encoding="ebcdic"?><a/>', "an encoding that is not read"),
        (b'<?xml version="1.0" encoding="idna"?><a/>', "an encoding that is not read"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        (LAUGHS.encode(), "document type"),
        (LAUGHS.encode("utf-16"), "document type"),
        (b"<a>" * (DEEPEST + 1), "levels"),
    ],
)
async def test_what_is_broken_or_could_do_harm_is_refused_without_telling_what_it_holds(
    content: bytes, reason: str
) -> None:
    with pytest.raises(XmlRefused, match=reason) as refused:
        await read_xml(content)
    assert refused.value.__cause__ is None
    assert "passwd" not in str(refused.value)


async def test_as_many_levels_as_are_allowed_are_read() -> None:
    assert await read("<a>" * DEEPEST + "</a>" * DEEPEST)


_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=20)


@given(st.lists(_texts, min_size=2), st.sampled_from(["utf-8", "gb18030", "utf-16"]), st.integers(0, 20_000))
async def test_texts_come_out_as_they_went_in_wherever_the_pieces_end(
    texts: list[str], encoding: str, before: int
) -> None:
    texts = [text.replace("\ufffe", "").replace("\uffff", "") for text in texts]
    rows = "".join(f"<r>{escape(text)}</r>" for text in texts)
    document = f'<?xml version="1.0" encoding="{encoding}"?><a><!--{"x" * before}-->{rows}</a>'
    assert await read_xml(document.encode(encoding)) == {"a": {"r": texts}}


async def test_others_have_their_turn_while_a_large_document_is_read() -> None:
    content = b"<a>" + b"<r><b>1</b><c>2</c></r>" * 40_000 + b"</a>"
    reading = asyncio.create_task(read_xml(content))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert len((await reading)["a"]["r"]) == 40_000
    assert turns > 10
