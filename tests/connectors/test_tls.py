from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from connectors import tls as tls_module
from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectionNotConfigured
from connectors.tls import MachineAuthorities
from tests.connectors.certificates import Authority
from tests.connectors.support import CODES, Agency, Asked, ask, http_reply

MANIFEST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", lane: {lane}, {more}}}
    datasets:
      - {{record: Penalty, request: {{path: "/{{key}}"}}, fields: {{facts: f}}}}
"""


def manifest(more: str, lane: str = "fast") -> str:
    return MANIFEST.format(more=more, lane=lane)


Serve = Callable[[ssl.SSLContext], Awaitable[tuple[str, list[str]]]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves over TLS; gives the address, and the names by which clients came."""
    async with AsyncExitStack() as stack:

        async def serve(context: ssl.SSLContext) -> tuple[str, list[str]]:
            names: list[str] = []

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.readuntil(b"\r\n\r\n")
                shown = writer.get_extra_info("ssl_object").getpeercert()
                names.append(dict(part[0] for part in shown["subject"])["commonName"] if shown else "")
                writer.write(http_reply([{"f": "x"}]).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
            stack.callback(server.close)
            return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", names

        yield serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_both_lanes_trust_a_private_authority_and_show_our_certificate(
    authority: Authority, serve: Serve, open_one: Any, lane: str
) -> None:
    address, names = await serve(authority.server("127.0.0.1", asks_who_calls=True))
    more = 'tls: {authority: "${CA}", certificate: "file:${OWN}"}'
    environment = {"CA": str(authority.file), "OWN": str(authority.issue("xinqiao"))}
    supply = await open_one(manifest(more, lane), address, environment=environment)
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    assert names == ["xinqiao"]


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize("more", ["", 'tls: {authority: "file:${CA}"}'], ids=["unknown authority", "no certificate"])
async def test_without_them_nothing_is_asked(
    authority: Authority, serve: Serve, open_one: Any, lane: str, more: str
) -> None:
    address, names = await serve(authority.server("127.0.0.1", asks_who_calls=True))
    supply = await open_one(manifest(more, lane), address, environment={"CA": str(authority.file)})
    rows = (await ask(supply, CODES[:1]))[CODES[0]]
    assert rows.outcome is Outcome.FAILED
    assert rows.failure in {FailureCode.AGENCY_UNAVAILABLE, FailureCode.AGENCY_BAD_RESPONSE}
    assert names == []


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_where_nothing_is_encrypted_no_authorities_are_read(
    agency: Agency, open_one: Any, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: Asked) -> Any:
        return [{"f": "x"}]

    agency.answer = answer
    monkeypatch.setattr(ssl, "create_default_context", None)
    supply = await open_one(manifest("", lane), agency.address)
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED


async def test_agencies_share_whom_the_machine_trusts_and_none_is_trusted_for_what_another_names(
    authority: Authority, serve: Serve, open_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path | None] = []
    create = ssl.create_default_context

    def created(cafile: Path | None = None) -> ssl.SSLContext:
        read.append(cafile)
        return create(cafile=cafile)

    monkeypatch.setattr(ssl, "create_default_context", created)
    address, _ = await serve(authority.server("127.0.0.1"))
    read.clear()
    machine = MachineAuthorities()
    for lane, more, outcome in (
        ("fast", f'tls: {{authority: "file:{authority.file}"}}', Outcome.ANSWERED),
        ("fast", "", Outcome.FAILED),
        ("httpx", "", Outcome.FAILED),
    ):
        supply = await open_one(manifest(more, lane), address, authorities=machine)
        assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is outcome
    assert read == [authority.file, None]


async def test_a_token_is_fetched_with_the_same_certificate(authority: Authority, serve: Serve, open_one: Any) -> None:
    address, names = await serve(authority.server("127.0.0.1", asks_who_calls=True))
    more = (
        'tls: {authority: "${CA}", certificate: "${OWN}"}, '
        'auth: {scheme: oauth2, tokenUrl: "${ADDRESS}", clientId: a, clientSecret: "${SECRET}", token: "0.f"}'
    )
    environment = {"CA": str(authority.file), "OWN": str(authority.issue("xinqiao"))}
    await ask(await open_one(manifest(more), address, environment=environment), CODES[:1])
    assert names[:1] == ["xinqiao"]


async def test_a_key_of_its_own_may_be_encrypted(authority: Authority, serve: Serve, open_one: Any) -> None:
    address, names = await serve(authority.server("127.0.0.1", asks_who_calls=True))
    certificate, key, password = split(authority.issue("xinqiao"))
    tls = '{authority: "${CA}", certificate: "${OWN}", key: "${OWN_KEY}", password: "${PASSWORD}"}'
    environment = {"CA": str(authority.file), "OWN": str(certificate), "OWN_KEY": str(key), "PASSWORD": password}
    supply = await open_one(manifest(f"tls: {tls}"), address, environment=environment)
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    assert names == ["xinqiao"]
    with pytest.raises(ConnectionNotConfigured, match=r"connection\.tls\.certificate") as raised:
        await open_one(manifest(f"tls: {tls}"), address, environment=environment | {"PASSWORD": "wrong-one"})
    assert "wrong-one" not in repr(raised.value)


async def test_a_new_certificate_is_shown_and_a_bad_one_is_not(
    authority: Authority, serve: Serve, open_one: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "LOOK_SECONDS", 0)
    address, names = await serve(authority.server("127.0.0.1", asks_who_calls=True))
    own = tmp_path / "own.pem"
    shutil.copy(authority.issue("first"), own)
    more = 'tls: {authority: "${CA}", certificate: "${OWN}"}'
    supply = await open_one(manifest(more), address, environment={"CA": str(authority.file), "OWN": str(own)})
    await ask(supply, CODES[:1])
    authority.issue("second").replace(own)
    await ask(supply, CODES[:1])
    certificate, _, _ = split(authority.issue("third"))
    certificate.replace(own)  # without its key
    await ask(supply, CODES[:1])
    assert names == ["first", "second", "second"]


@pytest.mark.parametrize("key", ["authority", "certificate"])
@pytest.mark.parametrize("file", ["/nowhere", "/dev/null", "/"])
async def test_files_that_are_none_stop_the_start(open_one: Any, key: str, file: str) -> None:
    with pytest.raises(ConnectionNotConfigured, match=rf"connection\.tls\.{key}") as raised:
        await open_one(manifest(f'tls: {{{key}: "${{FILE}}"}}'), "https://127.0.0.1:1", environment={"FILE": file})
    assert "nowhere" not in str(raised.value)


def split(both: Path) -> tuple[Path, Path, str]:
    """The certificate, its key encrypted, and the password."""
    content, password = both.read_bytes(), "p@ss 密"
    certificate, key = both.with_suffix(".crt"), both.with_suffix(".key")
    certificate.write_bytes(x509.load_pem_x509_certificate(content).public_bytes(Encoding.PEM))
    private = load_pem_private_key(content, None)
    key.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    )
    return certificate, key, password
