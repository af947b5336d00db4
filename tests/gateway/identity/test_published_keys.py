"""Issuers that publish their keys, on real sockets: fetched, rotated, withdrawn, lost and found again."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from structlog.testing import capture_logs

from connectors.errors import AddressInvalid
from connectors.published import LARGEST
from gateway.errors import (
    IssuerKeysMissingError,
    SettingsInvalidError,
    TokenAlgorithmError,
    TokenKeyUnknownError,
    TokenSignatureError,
)
from gateway.identity import key_sets
from gateway.identity.credentials import Credentials
from gateway.identity.identity import Authenticator, load_authenticator
from gateway.identity.key_sets import key_set
from gateway.settings import IssuerSettings, Settings
from tests.connectors.certificates import Authority
from tests.connectors.support import Agency, Asked, Reply


@dataclass
class Publisher:
    """An issuer's web server, and its keys."""

    server: Agency
    keys: list[ECKey] = field(default_factory=lambda: [new_key()])
    document: Any = None
    """What it publishes in place of its keys."""
    holds: asyncio.Event | None = None
    """Until when it lets whoever asks wait."""

    @property
    def id(self) -> str:
        return self.server.address

    async def answer(self, asked: Asked) -> Reply:
        if self.holds is not None:
            await self.holds.wait()
        if asked.path == "/.well-known/openid-configuration":
            return {"issuer": self.id, "jwks_uri": f"{self.id}/keys", "token_endpoint": f"{self.id}/token"}
        if asked.path == "/keys":
            return self.document if self.document is not None else KeySet(self.keys).as_dict(private=False)
        return 404, {}

    def token(self, key: ECKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        key = key or self.keys[-1]
        good = {
            "iss": self.id,
            "aud": "xinqiao",
            "sub": "officer-1",
            "org": "first-bank",
            "roles": ["bank.officer"],
            "exp": int(time.time()) + 600,
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid, **(header or {})}, good | claims, key)

    @property
    def fetched(self) -> int:
        return sum(asked.path == "/keys" for asked in self.server.asked)


def new_key() -> ECKey:
    return ECKey.generate_key("P-256", auto_kid=True)


@asynccontextmanager
async def listening(publisher: Publisher, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    server = await asyncio.start_server(publisher.server.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    publisher.server.address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    publisher = Publisher(Agency())
    publisher.server.answer = publisher.answer
    async with listening(publisher):
        yield publisher


@pytest.fixture
def make(organisations: Mapping[str, Any]) -> Callable[..., Authenticator]:
    """Makes an authenticator whose one issuer publishes its keys."""

    def made(publisher: Publisher, **issuer: Any) -> Authenticator:
        settings = IssuerSettings.model_validate({"id": publisher.id, "jwks": f"{publisher.id}/keys", **issuer})
        plain = ("127.0.0.0/8",)
        return load_authenticator(Settings(issuers=(settings,), plain_networks=plain), lambda: organisations)

    return made


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "UNKNOWN_SECONDS", 0)


def bearer(token: str) -> Credentials:
    return Credentials(f"Bearer {token}")


@pytest.mark.parametrize("jwks", ["by address", "by discovery"])
async def test_published_keys_are_fetched_at_the_start_and_not_for_each_token(publisher, make, jwks: str) -> None:
    authenticator = make(publisher, **({} if jwks == "by address" else {"jwks": None}))
    async with authenticator.following():
        for number in range(20):
            principal = await authenticator.authenticate(bearer(publisher.token(sub=str(number))))
            assert principal.subject == str(number)
    assert publisher.fetched == 1


@pytest.mark.usefixtures("no_wait")
async def test_a_new_key_counts_from_its_first_token_on(publisher, make) -> None:
    authenticator = make(publisher)
    async with authenticator.following():
        publisher.keys.append(new_key())
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"
        assert (await authenticator.authenticate(bearer(publisher.token(publisher.keys[0])))).subject == "officer-1"
    assert publisher.fetched == 2


async def test_unknown_keys_make_the_gateway_ask_once_in_a_while_whatever_is_sent(publisher, make) -> None:
    authenticator = make(publisher)
    async with authenticator.following():
        for _ in range(30):
            with pytest.raises(TokenKeyUnknownError):
                await authenticator.authenticate(bearer(publisher.token(new_key())))
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"
    assert publisher.fetched == 1


@pytest.mark.usefixtures("no_wait")
async def test_those_who_bring_a_new_key_at_once_wait_for_one_answer(publisher, make) -> None:
    authenticator = make(publisher)
    async with authenticator.following():
        known = publisher.token()
        publisher.keys.append(new_key())
        publisher.holds = asyncio.Event()
        waiting = [
            asyncio.create_task(authenticator.authenticate(bearer(publisher.token(sub=str(number)))))
            for number in range(10)
        ]
        while publisher.fetched < 2:  # noqa: ASYNC110 - the publisher's socket wakes nobody here
            await asyncio.sleep(0.001)
        # Whoever brings a known key does not wait.
        assert (await authenticator.authenticate(bearer(known))).subject == "officer-1"
        assert not any(task.done() for task in waiting)
        publisher.holds.set()
        assert [principal.subject for principal in await asyncio.gather(*waiting)] == [str(n) for n in range(10)]
    assert publisher.fetched == 2


async def test_a_withdrawn_key_stops_counting_also_for_tokens_already_checked(publisher, make) -> None:
    authenticator = make(publisher)
    async with authenticator.following():
        old = publisher.token()
        await authenticator.authenticate(bearer(old))
        publisher.keys = [new_key()]
        (keys,) = authenticator._tokens.keys
        await keys.look()
        with pytest.raises(TokenKeyUnknownError):
            await authenticator.authenticate(bearer(old))


async def test_keys_are_read_again_after_their_time(publisher, make) -> None:
    authenticator = make(publisher, keys_seconds=1)
    authenticator._tokens.keys[0]._seconds = 0.01
    async with authenticator.following(), asyncio.timeout(20):
        while publisher.fetched < 3:  # noqa: ASYNC110 - the publisher's socket wakes nobody here
            await asyncio.sleep(0.001)


async def test_keys_that_cannot_be_read_any_more_stay_and_the_log_says_so_once(publisher, make) -> None:
    authenticator = make(publisher)
    async with authenticator.following():
        (keys,) = authenticator._tokens.keys
        with capture_logs() as logs:
            for document in ({"keys": "none"}, {"keys": "none"}, {"keys": []}, [1], {"keys": [{"kty": "RSA"}]}):
                publisher.document = document
                await keys.look()
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"
    assert [entry["event"] for entry in logs] == ["keys of an issuer cannot be read"] * 2


@pytest.mark.usefixtures("no_wait")
async def test_an_issuer_that_is_away_does_not_keep_the_gateway_from_starting(publisher, make) -> None:
    publisher.document = (500, {})
    authenticator = make(publisher)
    async with authenticator.following():
        with pytest.raises(IssuerKeysMissingError) as caught:
            await authenticator.authenticate(bearer(publisher.token()))
        assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "5")
        publisher.document = None
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"


async def test_an_issuer_that_does_not_answer_is_given_up(publisher, make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.published.DOCUMENT_SECONDS", 0.05)
    publisher.holds = asyncio.Event()
    authenticator = make(publisher)
    async with authenticator.following():
        with pytest.raises(IssuerKeysMissingError):
            await authenticator.authenticate(bearer(publisher.token()))
    publisher.holds.set()


@pytest.mark.usefixtures("no_wait")
@pytest.mark.usefixtures("no_wait")
async def test_a_request_does_not_wait_long_for_a_new_key_and_the_next_finds_it(
    publisher, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "SEEK_SECONDS", 0.01)
    authenticator = make(publisher)
    async with authenticator.following():
        publisher.keys.append(new_key())
        publisher.holds = asyncio.Event()
        with pytest.raises(TokenKeyUnknownError):
            await authenticator.authenticate(bearer(publisher.token()))
        publisher.holds.set()
        await authenticator._tokens.keys[0].look()
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"
    assert publisher.fetched == 2


async def test_whatever_goes_wrong_with_reading_keys_they_are_read_again(publisher, make) -> None:
    authenticator = make(publisher)
    (keys,) = authenticator._tokens.keys
    read = keys._read

    async def fails() -> None:
        raise RuntimeError("secret")

    keys._read = fails
    with capture_logs() as logs:
        await keys.look()
    assert logs[0]["fault"] == "RuntimeError"
    keys._read = read
    await keys.look()
    assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"


async def test_a_token_of_a_refused_algorithm_makes_the_gateway_ask_nobody(publisher, make) -> None:
    authenticator = make(publisher)
    key = RSAKey.generate_key(2048, auto_kid=True)
    token = jwt.encode({"alg": "RS512", "kid": key.kid}, {"iss": publisher.id}, key, algorithms=["RS512"])
    async with authenticator.following():
        with pytest.raises(TokenAlgorithmError):
            await authenticator.authenticate(bearer(token))
    assert publisher.fetched == 1


@pytest.mark.usefixtures("no_wait")
async def test_a_key_with_a_known_id_that_is_another_does_not_make_it_ask_either(publisher, make) -> None:
    forged = ECKey.import_key({**new_key().as_dict(private=True), "kid": publisher.keys[0].kid})
    authenticator = make(publisher)
    async with authenticator.following():
        with pytest.raises(TokenSignatureError):
            await authenticator.authenticate(bearer(publisher.token(forged)))
    assert publisher.fetched == 1


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"issuer": "https://another.example", "jwks_uri": "http://127.0.0.1:9/keys"}, "is not that of this issuer"),
        ({"issuer": "ITS OWN"}, "names no jwks_uri"),
        ({"issuer": "ITS OWN", "jwks_uri": "file:///etc/passwd"}, "ADDRESS_INVALID"),
        ({"issuer": "ITS OWN", "jwks_uri": "http://169.254.169.254/latest"}, "ADDRESS_INVALID"),
        ([], "is not that of this issuer"),
    ],
)
async def test_a_discovery_document_leads_to_no_keys_of_others(publisher, make, document: Any, fault: str) -> None:
    if isinstance(document, dict) and document["issuer"] == "ITS OWN":
        document["issuer"] = publisher.id

    async def answer(_: Asked) -> Reply:
        return document

    publisher.server.answer = answer
    authenticator = make(publisher, jwks=None)
    with capture_logs() as logs:
        async with authenticator.following():
            pass
    assert fault in logs[0]["fault"]


async def test_a_document_that_is_too_large_is_not_read(publisher, make) -> None:
    publisher.document = {"keys": ["x" * LARGEST]}
    authenticator = make(publisher)
    with capture_logs() as logs:
        async with authenticator.following():
            pass
    assert "larger than" in logs[0]["fault"]


async def test_published_keys_come_by_tls_from_whom_the_operator_trusts(make, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    publisher = Publisher(Agency())
    publisher.server.answer = publisher.answer
    async with listening(publisher, authority.server("127.0.0.1")):
        trusting, other = make(publisher, authority=authority.file), make(publisher)
        async with trusting.following(), other.following():
            assert (await trusting.authenticate(bearer(publisher.token()))).subject == "officer-1"
            with pytest.raises(IssuerKeysMissingError):
                await other.authenticate(bearer(publisher.token()))


def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    issuer = IssuerSettings(id="https://id.example", authority=tmp_path / "none.pem")
    with pytest.raises(AddressInvalid, match="authority"):
        load_authenticator(Settings(issuers=(issuer,)), dict)


@pytest.mark.usefixtures("no_wait")
async def test_a_file_of_keys_is_read_again_when_a_token_names_a_new_one(tmp_path: Path, publisher, make) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(KeySet(publisher.keys).as_dict(private=False)))
    authenticator = make(publisher, jwks=path)
    async with authenticator.following():
        await authenticator.authenticate(bearer(publisher.token()))
        publisher.keys.append(new_key())
        path.write_text(json.dumps(KeySet(publisher.keys).as_dict(private=False)))
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"
        path.unlink()
        with pytest.raises(TokenKeyUnknownError):
            await authenticator.authenticate(bearer(publisher.token(new_key())))
        assert (await authenticator.authenticate(bearer(publisher.token()))).subject == "officer-1"


@pytest.mark.usefixtures("no_wait")
async def test_nothing_is_left_running_when_it_is_closed_while_keys_are_fetched(
    publisher, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.published.DOCUMENT_SECONDS", 1_000)
    authenticator = make(publisher)
    before = asyncio.all_tasks()
    async with authenticator.following():
        publisher.holds = asyncio.Event()
        asked = asyncio.create_task(authenticator.authenticate(bearer(publisher.token(new_key()))))
        while publisher.fetched < 2:  # noqa: ASYNC110 - the publisher's socket wakes nobody here
            await asyncio.sleep(0.001)
    await asyncio.gather(asked, return_exceptions=True)
    publisher.holds.set()
    assert {task.get_name() for task in asyncio.all_tasks() - before} & {
        "credentials",
        f"keys of {publisher.id}",
    } == set()


def test_keys_for_encryption_and_of_unknown_kinds_are_left_out() -> None:
    good = new_key().as_dict(private=False)
    others = [
        {**RSAKey.generate_key(2048, auto_kid=True).as_dict(private=False), "use": "enc"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "post-quantum"},
    ]
    assert [key.kid for key in key_set({"keys": [*others, good]}, "it")] == [good["kid"]]


@pytest.mark.parametrize("key", [OctKey.generate_key(256), new_key()])
def test_a_published_private_or_shared_key_spoils_the_set(key: Any) -> None:
    with pytest.raises(SettingsInvalidError, match="it must hold public keys only"):
        key_set({"keys": [new_key().as_dict(private=False), key.as_dict(private=True)]}, "it")


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["RSA", "EC", "OKP", "P-256", "AQAB"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid"]), inner)
    ),
)


@given(st.dictionaries(st.just("keys"), st.lists(ANY, max_size=4)) | ANY)
def test_whatever_is_published_in_the_place_of_keys_is_keys_or_refused(document: Any) -> None:
    try:
        found = key_set(document, "it")
    except SettingsInvalidError:
        return
    assert all(not key.is_private for key in found)


async def test_a_token_that_comes_too_early_is_503_over_http(
    application: Callable[..., Any], echo: Any, publisher, make
) -> None:
    publisher.document = (500, {})
    authenticator = make(publisher)
    transport = httpx.ASGITransport(application(echo, authenticator=authenticator))
    async with authenticator.following(), httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        headers = {"Authorization": f"Bearer {publisher.token()}"}
        response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "ISSUER_KEYS_MISSING"
