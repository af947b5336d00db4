"""What an agency sends is decoded as the standard library decodes it, at once or in pieces."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.json_body import read_json

REFUSED = object()


def plain(content: bytes) -> Any:
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=Decimal, strict=False)
    except (ValueError, ArithmeticError, RecursionError):
        return REFUSED


def read(content: bytes, piece: int) -> Any:
    try:
        return asyncio.run(read_json(content, piece))
    except (ValueError, ArithmeticError, RecursionError):
        return REFUSED


def alike(content: bytes) -> None:
    expected = repr(plain(content))
    for piece in (0, 24, 1_000_000):
        assert repr(read(content, piece)) == expected, piece


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,20})?", fullmatch=True)
STRINGS = st.text(st.characters()).map(json.dumps) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters='"\\')
).map('"{}"'.format)
ESCAPED = st.from_regex(r'"(\\u[dD][89a-fA-F][0-9a-f]{2}|\\[nrtbf/"\\]|[a-z]){0,4}"', fullmatch=True)
LEAVES = (
    NUMBERS | STRINGS | ESCAPED | st.sampled_from(["true", "false", "null", "-0", "-0.0", "1e400", "NaN", "-Infinity"])
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(
            st.tuples(STRINGS | ESCAPED, inner), max_size=4, unique_by=lambda part: json.loads(part[0], strict=False)
        ).map(lambda parts: "{" + ",".join(f"{name} :{value}" for name, value in parts) + "}")
    ),
    max_leaves=12,
)


@given(DOCUMENTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]))
@example('{"a": 1, "a": 2}', "utf-8")
@example("1" * 4_301, "utf-8")
@example('["' + "甲" * 100 + '", {"b": [1.10, "\\ud800"]}]', "utf-8")
def test_documents_are_read_alike(document: str, encoding: str) -> None:
    alike(document.encode(encoding, "surrogatepass"))


@given(DOCUMENTS, st.integers(0, 80), st.binary(max_size=2))
@example("[1, 2]", 5, b",")
@example("[01]", 0, b"")
def test_what_is_spoilt_is_refused_alike(document: str, place: int, spoilt: bytes) -> None:
    content = document.encode("utf-8", "surrogatepass")
    alike(content[:place] + spoilt + content[place + 1 :])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"[1,]",
        b"[1] x",
        b'"\xff"',
        b"[1e99999999999999999999]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    assert plain(content) is REFUSED
    alike(content)


async def test_others_have_their_turn_while_a_large_answer_is_decoded() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    rows = [{"facts": f"{number} 虚构事实；技术开发、技术服务", "amount": 1.25} for number in range(40_000)]
    content = json.dumps({"data": {"list": rows}}, ensure_ascii=False).encode()
    counting = asyncio.create_task(count())
    document = await read_json(content)
    counting.cancel()
    assert turns > 1
    assert document == {"data": {"list": [{**row, "amount": Decimal("1.25")} for row in rows]}}
