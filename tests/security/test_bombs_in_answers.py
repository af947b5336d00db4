"""Answers of an agency, or of somebody who speaks for one, that are small and would become large, or that would take
long to read: each is refused within the bounds that hold for all answers, and harms no other.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import product
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest

import connectors
import gateway
import policies
import schema
from connectors.amounts import read_decimal, read_integer, read_money
from connectors.contract import FailureCode, Outcome
from connectors.dates import read_date
from tests.connectors.support import CODES, Agency, ask

CODE = CODES[0]
MEGABYTE = 1024 * 1024
BAD = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
TOO_LARGE = (Outcome.FAILED, FailureCode.LIMIT)
UNUSABLE = (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE)

MANIFEST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", lane: {lane}}}
    datasets:
      - record: Penalty
        request: {{path: "/{{key}}"}}
        response: {{rows: rows, format: {form}}}
        fields: {{recordId: id, amount: amount, decidedOn: day, facts: facts, kind: kind}}
"""


def http(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def answered(agency: Agency, open_one: Any) -> Callable[..., Any]:
    """What becomes of an answer's bytes."""

    async def answered(content: bytes, lane: str = "fast", form: str = "json") -> Any:
        async def answer(_: Any) -> bytes:
            return content

        agency.answer = answer
        supply = await open_one(MANIFEST.format(lane=lane, form=form), agency.address, largest_answer=MEGABYTE)
        return (await ask(supply, [CODE]))[CODE]

    return answered


ZEROS = b"0" * 20 * MEGABYTE
GZIP, DEFLATE = gzip.compress(ZEROS), zlib.compress(ZEROS)
COMPRESSED = {
    "gzip": (GZIP, TOO_LARGE),
    "x-gzip": (GZIP, TOO_LARGE),
    "deflate": (DEFLATE, TOO_LARGE),
    "gzip, gzip": (gzip.compress(GZIP), BAD),
    "deflate, gzip": (gzip.compress(DEFLATE), BAD),
    "br": (b"\x00" * 99, BAD),
    "identity, gzip": (gzip.compress(b"{}"), BAD),
}


@pytest.mark.parametrize("coding", COMPRESSED)
@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_what_is_packed_is_unpacked_to_no_more_than_an_answer_may_have(
    answered: Callable[..., Any], lane: str, coding: str
) -> None:
    content, expected = COMPRESSED[coding]
    rows = await answered(http(content, f"Content-Encoding: {coding}"), lane)
    # The first lane reads nothing that is packed.
    assert (rows.outcome, rows.failure) == (expected if lane == "httpx" else BAD)


async def test_nothing_that_was_packed_twice_is_unpacked_at_all(
    answered: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undone one after the other, some thousand bytes become some thousand million before anybody counts."""
    unpacked: list[int] = []
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: unpacked.append(1))
    assert (
        await answered(http(gzip.compress(GZIP), "Content-Encoding: gzip, gzip"), "httpx")
    ).outcome is Outcome.FAILED
    assert unpacked == []


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML = {
    "entities within entities": f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]><r><rows>&l9;</rows></r>',
    "one long entity many times": f'<!DOCTYPE r [<!ENTITY a "{"x" * 9_999}">]><r>{"&a;" * 999}</r>',
    "a file": '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><r><rows><id>&f;</id></rows></r>',
    "an address": '<!DOCTYPE r [<!ENTITY f SYSTEM "http://169.254.169.254/latest">]><r><rows><id>&f;</id></rows></r>',
    "parameter entities": '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]><r/>',
    "a document type elsewhere": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
    "a public one": '<!DOCTYPE r PUBLIC "-//x" "http://127.0.0.1:9/x.dtd"><r/>',
    "depth": "<r>" * 100_000,
    "an attribute twice": "<r a='1' a='2'/>",
}


@pytest.mark.parametrize("what", XML)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_xml_bombs_and_external_entities(answered: Callable[..., Any], what: str, encoding: str) -> None:
    rows = await answered(http(XML[what].encode(encoding)), form="xml")
    assert (rows.outcome, rows.failure) == BAD


JSON = {
    "depth of lists": b'{"rows": ' + b"[" * 200_000,
    "closed depth": b'{"rows": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "depth of objects": b'{"rows": [{"id": ' + b'{"a": ' * 50_000,
    "a number of many digits": b'{"rows": [{"id": ' + b"9" * 500_000 + b"}]}",
    "an exponent beyond all": b'{"rows": [{"id": 1e99999999999999999999}]}',
    "too much": b'{"rows": [' + b" " * (2 * MEGABYTE),
}


@pytest.mark.parametrize("what", JSON)
async def test_json_that_would_break_its_reader(answered: Callable[..., Any], what: str) -> None:
    rows = await answered(http(JSON[what]))
    assert (rows.outcome, rows.failure) == (TOO_LARGE if what == "too much" else BAD)


async def test_a_number_that_is_none_is_no_value_and_told(answered: Callable[..., Any]) -> None:
    rows = await answered(http(b'{"rows": [{"id": NaN}]}'))
    assert rows.outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("content", ['{"rows": [], "rows": [ROW]}', '{"rows": [{"id": "another", ROWS]}'])
async def test_of_a_key_that_comes_twice_the_last_is_read(answered: Callable[..., Any], content: str) -> None:
    """As any of the readers does, whichever reads the answer."""
    row = '{"id": "one", "facts": "x"}'
    text = content.replace("ROWS", row[1:]).replace("ROW", row)
    spoilt = text.replace('"x"', '"\\ud800"')
    assert [rows["recordId"] for rows in (await answered(http(text.encode()))).rows] == ["one"]
    assert [rows["recordId"] for rows in (await answered(http(spoilt.encode()))).rows] == ["one"]


VALUES = {
    "amount": [10**400, 1e300, "1e999999999", "¥" + " " * 300_000 + "x", "1" + " " * 300_000 + "x", "9" * 300_000],
    "decidedOn": ["2021-01-01" + " " * 300_000 + "x", 10**18, -(10**18), "/Date(99999999999999999)/", "9" * 300_000],
    "kind": ["x" * 300_000, {"a": [1]}],
}


@pytest.mark.parametrize(
    ("field", "place"), [(field, n) for field, values in VALUES.items() for n in range(len(values))]
)
async def test_a_value_that_would_take_long_costs_one_field(
    answered: Callable[..., Any], field: str, place: int
) -> None:
    name = {"amount": "amount", "decidedOn": "day", "kind": "kind"}[field]
    row = {"id": "one", "facts": "x", name: VALUES[field][place]}
    rows = await answered(http(json.dumps({"rows": [row]}).encode()))
    if rows.outcome is Outcome.FAILED:
        assert rows.failure is FailureCode.AGENCY_BAD_RESPONSE
    else:
        assert rows.rows[0]["facts"] == "x"


@pytest.mark.parametrize("exponent", [b"1e1000000", b"-1E+400000000", b"1e-400000000"])
async def test_a_small_number_does_not_become_a_large_text(answered: Callable[..., Any], exponent: bytes) -> None:
    rows = await answered(http(b'{"rows": [{"id": ' + exponent + b', "amount": ' + exponent + b', "facts": "x"}]}'))
    assert len(repr(rows)) < 2_000


LONG = 200_000
"""Characters with which a pattern that goes back and forth is not done before the test's time is over."""


def modules() -> Iterator[ModuleType]:
    for package in (connectors, gateway, policies, schema):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if ".demo" not in found.name and not found.name.endswith("__main__"):
                yield import_module(found.name)


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and name not in BOUNDED:
                yield f"{module.__name__}.{name}", value


BOUNDED = {"_MONEY", "_IN_NUMERALS"}
"""Those that are asked only about short texts: `test_readers_take_no_time_over_long_texts` has theirs."""

PUMPED = [
    "0",
    "a",
    "A",
    " ",
    "\n",
    ".",
    ",",
    "-",
    "=",
    '"',
    "\\",
    "<",
    "{",
    "(",
    "省",
    "甲",
    "一",
    "a.",
    "a=",
    "0 ",
    "1,",
    "甲、",
]
PREFIXES = ["", "a", "<?xml ", "-----BEGIN CERTIFICATE-----", "2021-01-01", "/Date(", "甲"]


def test_no_pattern_takes_long_to_tell_that_a_text_is_another() -> None:
    found = list(patterns())
    assert len(found) > 40
    for (_, pattern), pumped, prefix in product(found, PUMPED, PREFIXES):
        text: Any = f"{prefix}{pumped * (LONG // len(pumped))}\x01"
        pattern.fullmatch(text.encode() if isinstance(pattern.pattern, bytes) else text)


@pytest.mark.parametrize("read", [read_money, read_decimal, read_integer, read_date])
def test_readers_take_no_time_over_long_texts(read: Callable[[object], object]) -> None:
    for pumped, prefix in product(
        [*PUMPED, "壹万", "人民币", "整", "\u3000", "零"], ["", "1", "¥", "人民币", "2021-01-01"]
    ):
        with pytest.raises((ValueError, ArithmeticError)):
            read(f"{prefix}{pumped * (LONG // len(pumped))}\x01")
