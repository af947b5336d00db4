"""Every error of every library beneath the kinds is one of the contract's failures, named as such where it arises.

Whatever is left over is caught where an agency is asked (`Line.call`), as a fault in the connector: none of these is.
The errors of databases are in `test_sql_failures`, those of httpx by themselves in `test_http_errors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import io
import lzma
import socket
import sqlite3
import ssl
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.parsers import expat

import aiocache.exceptions
import anyio
import asyncssh
import cryptography.exceptions
import h11
import httpcore
import httptools
import httpx
import joserfc.errors
import lxml.etree
import msgspec
import openpyxl.utils.exceptions
import pyarrow.lib
import pytest
import redis.exceptions
import zeep.exceptions
from aiocache.backends.redis import RedisCache
from cryptography.hazmat.primitives import hashes
from joserfc import jwt
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from connectors import json_body, soap_envelope, xml_body
from connectors.contract import FailureCode
from connectors.drops import sftp, tables, unpacking, worker
from connectors.drops.form import DropForm, DropUnusable, FileFormat
from connectors.drops.index import DropIndex
from connectors.errors import ConnectionNotConfigured
from connectors.fast_lane import FastLane
from connectors.http1 import Http1Connection
from connectors.kinds import file
from connectors.seal import Seal
from connectors.settings import SecondLevelSettings
from tests.connectors.soap_support import BATCH, answered, penalty, replying
from tests.connectors.support import CODES, LOOPBACK, Agency, Asked, ask

TIMEOUT, UNAVAILABLE = FailureCode.AGENCY_TIMEOUT, FailureCode.AGENCY_UNAVAILABLE
BAD = FailureCode.AGENCY_BAD_RESPONSE
SECRET = "a value that nobody may see"

ORDINARY = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What a library may raise beside its own errors: whatever comes of data that it did not expect."""


def errors_of(*modules: ModuleType) -> list[type[Exception]]:
    """The errors that the packages of these modules define, and show there."""
    packages = {module.__name__.partition(".")[0] for module in modules}
    found = {
        kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception)
        and not name.startswith("_")
        and not issubclass(kind, Warning)
        and kind.__module__.partition(".")[0].lstrip("_") in packages
    }
    assert found, modules
    return sorted(found, key=lambda kind: kind.__name__)


def raising(kind: type[Exception]) -> Callable[..., Any]:
    """What raises such an error, with a value in it, however its constructor is."""

    def fail(*_: Any, **__: Any) -> Any:
        raise made(kind)

    return fail


def made(kind: type[Exception]) -> Exception:
    for number in range(1, 6):
        with contextlib.suppress(Exception):
            return kind(*[SECRET] * number)
    return kind.__new__(kind, SECRET)


def awaiting(kind: type[Exception]) -> Callable[..., Any]:
    async def fail(*_: Any, **__: Any) -> Any:
        raising(kind)()

    return fail


def named(*groups: Iterable[type[Exception]]) -> Any:
    """Parametrises a test by these kinds of error."""
    kinds = sorted({kind for group in groups for kind in group}, key=lambda kind: f"{kind.__module__}.{kind.__name__}")
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")


async def failure(supply: Any, *, silent: bool = True) -> FailureCode | None:
    """Why there is no answer. No other place had to catch it, and nothing of the error's message is logged; unless it
    is about a WSDL, which holds no secrets.
    """
    with capture_logs() as logs:
        answer = (await ask(supply, CODES[:1]))[CODES[0]]
    text = str(logs)
    assert not silent or SECRET not in text
    assert "fault in the connector" not in text
    return answer.failure


REST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        request: {path: "/p/{key}"}
        fields: {facts: f}
"""


async def rows(_: Asked) -> Any:
    return [{"f": "x"}]


@pytest.fixture
async def open_rest(agency: Agency, open_one: Any) -> Any:
    agency.answer = rows

    async def opened(connection: str = "", address: str = "") -> Any:
        text = REST.replace('{url: "${ADDRESS}"}', f'{{url: "${{ADDRESS}}"{connection}}}')
        return await open_one(text, address or agency.address)

    return opened


# Connecting


@named(errors_of(ssl), errors_of(socket), (OSError, ConnectionResetError, TimeoutError, ValueError, UnicodeError))
@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_what_opening_a_connection_raises(
    open_rest: Any, lane: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_rest(f", lane: {lane}")
    if lane == "fast":
        monkeypatch.setattr(FastLane, "_connect_to", awaiting(kind))
    else:
        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", awaiting(kind))
    expected = UNAVAILABLE if issubclass(kind, OSError) else BAD
    if issubclass(kind, TimeoutError):
        expected = TIMEOUT
    assert await failure(supply) is expected


@named(errors_of(socket), (UnicodeError, OSError))
async def test_what_looking_up_a_name_raises(
    open_rest: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_rest(address="http://agency.example")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", awaiting(kind))
    assert await failure(supply) is (UNAVAILABLE if issubclass(kind, OSError | UnicodeError) else BAD)


# HTTP


@named(errors_of(httptools))
async def test_what_httptools_raises(open_rest: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    supply = await open_rest()
    made = Http1Connection.__init__

    def with_parser(connection: Any, *args: Any) -> None:
        made(connection, *args)
        connection._parser = SimpleNamespace(feed_data=raising(kind))

    monkeypatch.setattr(Http1Connection, "__init__", with_parser)
    assert await failure(supply) is BAD


@named(errors_of(httpcore), errors_of(h11), errors_of(anyio), ORDINARY)
async def test_what_the_libraries_beneath_httpx_raise(
    open_rest: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_rest(", lane: httpx")
    monkeypatch.setattr(httpcore.AsyncConnectionPool, "handle_async_request", awaiting(kind))
    expected = BAD
    if issubclass(kind, httpcore.NetworkError | httpcore.ProxyError | OSError):
        expected = UNAVAILABLE
    if issubclass(kind, httpcore.TimeoutException | TimeoutError):
        expected = TIMEOUT
    assert await failure(supply) is expected


# What answers are written in


@named(errors_of(msgspec), (ValueError, RecursionError, OverflowError))
async def test_what_reading_json_raises(open_rest: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    supply = await open_rest()
    if issubclass(kind, msgspec.MsgspecError):
        monkeypatch.setattr(json_body, "_decode", raising(kind))
        assert await failure(supply) is None  # the standard library reads it, then
        kind = ValueError
    monkeypatch.setattr(json_body, "_read", raising(kind))
    assert await failure(supply) is BAD


@named(errors_of(expat), (UnicodeDecodeError, UnicodeError))
async def test_what_reading_xml_raises(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    class Parser:
        Parse = staticmethod(raising(kind))

    monkeypatch.setattr(expat.ExpatError, "code", 1, raising=False)
    monkeypatch.setattr(xml_body.expat, "ParserCreate", lambda *_: Parser())
    with pytest.raises(xml_body.XmlRefused) as refused:
        await xml_body.read_xml(b"<x/>")
    assert SECRET not in str(refused.value)


@named(errors_of(zeep.exceptions), errors_of(lxml.etree), ORDINARY)
async def test_what_writing_an_envelope_raises(
    agency: Agency, open_soap: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    replying(agency, answered(penalty(CODES[0])))
    supply = await open_soap(BATCH)
    assert await failure(supply) is None
    monkeypatch.setattr(lxml.etree, "tostring", raising(kind))
    assert await failure(supply) is BAD


@named(errors_of(zeep.exceptions), errors_of(lxml.etree), ORDINARY)
async def test_what_reading_a_wsdl_raises(
    agency: Agency, open_soap: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soap_envelope, "Document", raising(kind))
    replying(agency, "<definitions/>")
    supply = await open_soap(BATCH.replace("wsdl: penalties.wsdl", 'wsdl: {fetch: "?wsdl"}'))
    assert await failure(supply, silent=False) is BAD
    with pytest.raises(ConnectionNotConfigured, match="penalties"):
        await open_soap(BATCH)


# Signing


@pytest.fixture
async def open_signed(open_rest: Any, tmp_path: Path) -> Any:
    key = tmp_path / "key.pem"
    key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    schemes = {
        "jwt": f'{{scheme: jwt, algorithm: ES256, key: "file:{key}"}}',
        "signature": '{scheme: signature, algorithm: hmac-sm3, secret: "${SECRET}", text: "{path}",'
        " sent: {in: header, name: X-Signature}}",
    }

    async def opened(scheme: str) -> Any:
        return await open_rest(f", auth: {schemes[scheme]}")

    return opened


@named(errors_of(joserfc.errors), errors_of(cryptography.exceptions), ORDINARY)
async def test_what_signing_a_token_raises(
    open_signed: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_signed("jwt")
    assert await failure(supply) is None
    supply = await open_signed("jwt")
    monkeypatch.setattr(jwt, "encode", raising(kind))
    assert await failure(supply) is UNAVAILABLE


@named(errors_of(cryptography.exceptions), ORDINARY)
async def test_what_digesting_a_request_raises(
    open_signed: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_signed("signature")
    monkeypatch.setattr(hashes, "Hash", raising(kind))
    assert await failure(supply) is UNAVAILABLE


# The cache's second level, which is never needed


@named(errors_of(redis.exceptions), errors_of(aiocache.exceptions), (OSError, TimeoutError), ORDINARY)
async def test_what_the_store_of_rows_raises(
    agency: Agency, open_one: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    agency.answer = rows
    text = REST.replace("        request:", "        timeToLive: 60\n        request:")
    supply = await open_one(text, agency.address, second_level=SecondLevelSettings("redis://127.0.0.1:9", b"k" * 32))
    for call in ("multi_get", "multi_set"):
        monkeypatch.setattr(RedisCache, call, awaiting(kind))
    assert await failure(supply) is None


@named(errors_of(cryptography.exceptions), ORDINARY)
def test_what_opening_a_sealed_entry_raises(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.seal.AESGCMSIV", lambda _: SimpleNamespace(decrypt=raising(kind)))
    assert Seal(b"k").open(b"name", b"content") is None


# Drops

DROP = """
    agency: customs
    name: {en: Customs, zh: 海关}
    kind: file
    connection: {path: "${ADDRESS}"}
    datasets:
      - {record: Penalty, file: drop.csv, key: code, missingMeans: none, fields: {facts: f}}
"""
DELIMITED = DropForm(key="code", columns=frozenset({"f"}), nested=False)
ARCHIVES = (
    errors_of(zipfile),
    errors_of(zlib),
    errors_of(gzip),
    (lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError),
)


@named(*ARCHIVES)
def test_what_unpacking_raises(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(unpacking._OPENERS, ".zip", raising(kind))
    with pytest.raises(DropUnusable) as refused:
        unpacking.unpack(io.BytesIO(b"PK"), "drop.zip", None, io.BytesIO())
    assert SECRET not in str(refused.value)


@named(
    errors_of(openpyxl.utils.exceptions),
    errors_of(pyarrow.lib),
    errors_of(lxml.etree),
    errors_of(zipfile),
    errors_of(zlib),
    ORDINARY,
)
@pytest.mark.parametrize("form", [FileFormat.XLSX, FileFormat.PARQUET])
def test_what_reading_a_table_raises(kind: type[Exception], form: FileFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables._READERS, form, raising(kind))
    with pytest.raises(DropUnusable) as refused:
        tables.write_lines(io.BytesIO(), SimpleNamespace(format=form), io.BytesIO())
    assert SECRET not in str(refused.value)


@pytest.fixture
async def dropped(open_one: Any, tmp_path: Path) -> Any:
    directory = tmp_path / "drop"
    directory.mkdir()
    (directory / "drop.csv").write_text(f"code,f\n{CODES[0]},x\n")
    return await open_one(DROP, str(directory))


@pytest.mark.usefixtures("indexed_here")
@named(errors_of(sqlite3), (OSError,))
async def test_what_looking_into_an_index_raises(
    dropped: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await failure(dropped) is None
    monkeypatch.setattr(DropIndex, "rows", raising(kind))
    assert await failure(dropped) is UNAVAILABLE


@named(errors_of(msgspec), errors_of(sqlite3), (OSError, TimeoutError), ORDINARY)
async def test_what_indexing_a_drop_raises(
    dropped: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "open_drop", awaiting(kind))
    assert await failure(dropped) is UNAVAILABLE


@named(errors_of(sqlite3), errors_of(zipfile), ORDINARY)
def test_what_the_process_that_indexes_raises(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    job = msgspec.json.encode(worker.Job(0, "drop.csv", DELIMITED, "/none"))
    monkeypatch.setattr(worker, "index", raising(kind))
    refused = msgspec.json.decode(worker.work(job), type=worker.Refused)
    assert refused.reason == kind.__name__


@named(errors_of(asyncssh), (OSError, TimeoutError), ORDINARY)
async def test_what_fetching_drops_raises(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncssh, "connect", raising(kind))
    server = sftp.SftpServer("127.0.0.1", 9, LOOPBACK, "user", "/", None, None, None)
    with capture_logs() as logs:
        fetching = sftp.SftpDrops("customs", server, [], tmp_path, every=60, timeout=60)
        await fetching.looked()
        await fetching.close()
    assert [line["event"] for line in logs] == ["drops not fetched"]
    assert SECRET not in str(logs)
