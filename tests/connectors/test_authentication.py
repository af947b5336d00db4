from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog

from connectors import secret as secret_module
from connectors.contract import FailureCode, Outcome
from connectors.environment import resolve
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

SECRET = "S3cr3t-of-the-court"

OAUTH2 = 'auth: {scheme: oauth2, tokenUrl: "${ADDRESS}/token", clientId: us, clientSecret: "${KEY}"%s}'


def manifest(connection: str, *, more: str = "") -> str:
    return f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}/api", {connection}}}
    {more}
    datasets:
      - record: Penalty
        request: {{method: POST, path: /p, keys: {{in: body, name: code}}, query: {{y: "2 3"}}}}
        fields: {{facts: f}}
    """


def read(content: bytes) -> Any:
    return json.loads(content) if content.startswith(b"{") else dict(parse_qsl(content.decode()))


class Tokens:
    """Gives tokens t1, t2, ..., and answers those that show one of `good`."""

    def __init__(self, agency: Agency, *, life: Any = 3600, good: Callable[[str], bool] = lambda _: True) -> None:
        agency.answer, agency.read = self.answer, read
        self.life, self.good = life, good
        self.given = 0
        self.asked: list[Asked] = []
        self.shown: list[str] = []
        self.came = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def answer(self, asked: Asked) -> Any:
        if asked.path == "/token":
            self.asked.append(asked)
            self.came.set()
            if self.gate is not None:
                await self.gate.wait()
            self.given += 1
            return {"access_token": f"t{self.given}", "expires_in": self.life, "token_type": "Bearer"}
        self.shown.append(asked.headers.get("authorization", ""))
        return [{"f": "x"}] if self.good(self.shown[-1]) else (401, {"error": SECRET})


async def fetched(supply: Any, number: int = 1) -> Any:
    answers = await ask(supply, CODES[:number])
    return answers[CODES[0]]


async def nothing(_: Asked) -> Any:
    return []


Parameters = list[tuple[str, str]]


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        ('{scheme: apiKey, name: X-Key, value: "${KEY}"}', {"x-key": SECRET}, []),
        (
            '{scheme: apiKey, name: Authorization, prefix: "APPCODE ", value: "${KEY}"}',
            {"authorization": f"APPCODE {SECRET}"},
            [],
        ),
        ('{scheme: apiKey, in: query, name: 密 钥, value: "${KEY}&x=1"}', {}, [("密 钥", f"{SECRET}&x=1")]),
        (
            '{scheme: basic, user: "${USER}", password: "${KEY}"}',
            {"authorization": "Basic " + base64.b64encode(f"局:{SECRET}".encode()).decode()},
            [],
        ),
    ],
    ids=["header", "header with a prefix", "query", "basic"],
)
async def test_a_secret_is_where_the_agency_looks_for_it(  # noqa: PLR0913, PLR0917
    agency: Agency, open_one: Any, auth: str, headers: dict[str, str], query: Parameters, lane: str
) -> None:
    agency.answer = nothing
    supply = await open_one(
        manifest(f"lane: {lane}, auth: {auth}"), agency.address, environment={"KEY": SECRET, "USER": "局"}
    )
    assert (await fetched(supply)).outcome is Outcome.ANSWERED
    asked = agency.asked[0]
    assert headers.items() <= asked.headers.items()
    assert asked.query == [("y", "2 3"), *query]
    assert asked.path == "/api/p"


async def test_a_secret_in_a_file_is_read_again_when_it_changes(
    agency: Agency, open_one: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_module, "LOOK_SECONDS", 0)
    agency.answer = nothing
    file = tmp_path / "key"
    file.write_text("first\n")
    supply = await open_one(
        manifest(f'auth: {{scheme: apiKey, name: X-Key, value: "file:{file}"}}, headers: {{Y: "${{SECRET}}"}}'),
        agency.address,
    )
    await fetched(supply)
    new = tmp_path / "new"
    new.write_text("second\r\n")
    os.replace(new, file)  # noqa: PTH105
    await fetched(supply)
    file.unlink()
    await fetched(supply)
    assert [asked.headers["x-key"] for asked in agency.asked] == ["first", "second", "second"]


async def test_a_variable_may_name_the_file(agency: Agency, open_one: Any, tmp_path: Path) -> None:
    agency.answer = nothing
    (tmp_path / "key").write_text("from the file")
    auth = 'auth: {scheme: apiKey, name: X-Key, value: "${KEY}"}'
    await fetched(await open_one(manifest(auth), agency.address, environment={"KEY": f"file:{tmp_path / 'key'}"}))
    assert agency.asked[0].headers["x-key"] == "from the file"


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        ('{scheme: apiKey, name: X-Key, value: "${KEY}"}', "auth.value"),
        ('{scheme: apiKey, name: "X Key", value: "${SECRET}"}', "auth.value"),
        ('{scheme: apiKey, name: Content-Length, value: "${SECRET}"}', "auth.value"),
        ('{scheme: apiKey, name: X-Key, value: "file:/nowhere/S3cr3t"}', "auth.value"),
        ('{scheme: apiKey, name: X-Key, value: "file:/dev/null"}', "auth.value"),
        ('{scheme: basic, user: "a:b", password: "${KEY}"}', "auth.user"),
        ('{scheme: oauth2, tokenUrl: "ftp://${SECRET}", clientId: a, clientSecret: "${KEY}"}', "auth.tokenUrl"),
        ('{scheme: oauth2, tokenUrl: "${ADDRESS}", clientId: a, clientSecret: "${NONE}"}', "auth.clientSecret"),
    ],
)
async def test_what_cannot_be_sent_stops_the_start_and_is_not_told(open_one: Any, auth: str, key: str) -> None:
    environment = {"KEY": f"{SECRET}\n"}
    with pytest.raises(ConnectionNotConfigured, match=rf"agency court: connection\.{key}") as raised:
        await open_one(manifest(f"auth: {auth}"), "http://127.0.0.1:1", environment=environment)
    assert "S3cr3t" not in repr(raised.value)


@pytest.mark.parametrize(
    "connection",
    [
        'auth: {scheme: apiKey, name: X-Key, value: "written out"}',
        'auth: {scheme: basic, user: a, password: "written out"}',
        'auth: {scheme: basic, user: a, password: "${A}"}, headers: {authorization: "${B}"}',
        'auth: {scheme: other, value: "${A}"}',
    ],
)
def test_a_secret_is_a_reference_and_a_header_is_set_once(tmp_path: Path, connection: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(manifest(connection))
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(file, SHAPES)
    assert "connection" in str(raised.value)


async def test_concurrent_calls_share_one_token(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency)
    tokens.gate = asyncio.Event()
    supply = await open_one(manifest(OAUTH2 % ", scope: a b"), agency.address, environment={"KEY": "p:ß"})
    calls = [asyncio.create_task(ask(supply, [code])) for code in CODES[:8]]
    await tokens.came.wait()
    tokens.gate.set()
    await asyncio.gather(*calls)
    await fetched(supply)
    assert len(tokens.asked) == 1
    assert tokens.asked[0].body == {"grant_type": "client_credentials", "scope": "a b"}
    assert base64.b64decode(tokens.asked[0].headers["authorization"].split()[1]) == b"us:p%3A%C3%9F"
    assert tokens.shown == ["Bearer t1"] * 9


async def test_a_token_is_sent_and_found_as_the_manifest_says(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency)
    more = ", clientIn: body, parameters: {audience: x}, token: token_type, sent: {in: query, name: access_token}"
    await fetched(await open_one(manifest(OAUTH2 % more), agency.address, environment={"KEY": SECRET}))
    assert tokens.asked[0].body == {
        "grant_type": "client_credentials",
        "audience": "x",
        "client_id": "us",
        "client_secret": SECRET,
    }
    assert "authorization" not in tokens.asked[0].headers
    assert agency.asked[-1].query == [("y", "2 3"), ("access_token", "Bearer")]


async def test_a_token_is_replaced_before_it_ends(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency, life=0)
    supply = await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET})
    await fetched(supply)
    await fetched(supply)
    assert tokens.shown == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("life", [None, "soon", "3600", True])
async def test_a_refused_token_is_replaced_once_and_the_call_repeated(agency: Agency, open_one: Any, life: Any) -> None:
    tokens = Tokens(agency, life=life, good=lambda shown: shown != "Bearer t1")
    supply = await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET})
    assert (await fetched(supply)).rows == ({"facts": "x"},)
    await fetched(supply)
    assert tokens.shown == ["Bearer t1", "Bearer t2", "Bearer t2"]


async def test_calls_refused_together_get_one_new_token(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency, good=lambda shown: shown != "Bearer t1")
    supply = await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET})
    answers = await asyncio.gather(*(ask(supply, [code]) for code in CODES[:8]))
    assert all(rows.outcome is Outcome.ANSWERED for one in answers for rows in one.values())
    assert len(tokens.asked) == 2


async def test_an_agency_that_refuses_every_token_is_asked_twice(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency, good=lambda _: False)
    rows = await fetched(await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET}))
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert tokens.shown == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ((401, {}), FailureCode.AGENCY_BAD_RESPONSE),
        ((503, {}), FailureCode.AGENCY_OVERLOADED),
        ({"access_token": 1}, FailureCode.AGENCY_BAD_RESPONSE),
        ({"access_token": "two\nlines"}, FailureCode.AGENCY_BAD_RESPONSE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", FailureCode.AGENCY_BAD_RESPONSE),
        (b"", FailureCode.AGENCY_BAD_RESPONSE),
    ],
)
async def test_no_token_is_a_failure_of_the_agency(
    agency: Agency, open_one: Any, reply: Any, failure: FailureCode
) -> None:
    async def answer(_: Asked) -> Any:
        return reply

    agency.answer, agency.read = answer, read
    rows = await fetched(await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET}))
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, failure)
    assert {asked.path for asked in agency.asked} == {"/token"}


async def test_a_token_that_does_not_come_keeps_nobody_past_its_deadline(agency: Agency, open_one: Any) -> None:
    tokens = Tokens(agency)
    tokens.gate = asyncio.Event()
    supply = await open_one(manifest(OAUTH2 % ""), agency.address, environment={"KEY": SECRET})
    answers = await ask(supply, CODES[:1], seconds=0.05)
    assert answers[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    tokens.gate.set()
    assert (await fetched(supply)).outcome is Outcome.ANSWERED
    assert len(tokens.asked) == 1


@pytest.mark.parametrize(
    "connection",
    [
        'auth: {scheme: apiKey, name: X-Key, value: "${KEY}"}',
        'auth: {scheme: apiKey, in: query, name: key, value: "${KEY}"}',
        'auth: {scheme: basic, user: a, password: "${KEY}"}',
        OAUTH2 % "",
        OAUTH2 % ", clientIn: body",
        'headers: {X-Key: "${KEY}"}, lane: httpx',
        'auth: {scheme: signature, algorithm: md5, secret: "${KEY}", text: "{secret}", sent: {name: X-Sign}}',
    ],
)
async def test_no_log_error_or_repr_shows_a_secret(
    agency: Agency, open_one: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, connection: str
) -> None:
    """The agency gives the secret back with every refusal, as some do."""
    caplog.set_level(logging.DEBUG)
    Tokens(agency, good=lambda _: False)
    with structlog.testing.capture_logs() as logged:
        supply = await open_one(manifest(connection), agency.address, environment={"KEY": SECRET})
        rows = await fetched(supply)
    assert rows.outcome is Outcome.FAILED
    assert logged
    resolved = resolve([load_manifest(tmp_path / "manifest.yaml", SHAPES)], {"ADDRESS": "http://h", "KEY": SECRET})
    line = supply._lines["court/Penalty"]
    shown = [logged, rows, resolved, resolved[0].connection, supply, line, line.source, vars(line.source)]
    shown += [vars(line.source._client), vars(line.source._client._authenticator or object)]
    encoded = base64.b64encode(f"us:{SECRET}".encode()).decode()
    for text in [caplog.text, *map(repr, shown), *map(str, shown)]:
        assert SECRET not in text
        assert encoded not in text
        assert "Bearer t" not in text
