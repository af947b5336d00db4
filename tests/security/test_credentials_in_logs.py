"""Tokens, keys, consents and certificates stand in no line of the log nor of the audit, whatever is sent, and whatever
goes wrong with it.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
import orjson
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet

from gateway.edge.app import create_app
from gateway.errors import HttpError
from gateway.identity.api_key_file import ApiKey
from gateway.identity.api_keys import ApiKeys, digest
from gateway.identity.certificates import Certificates
from gateway.identity.identity import Authenticator, load_authenticator
from gateway.logs import OURS, configure_logging
from gateway.messages import Answered, Principal, Received
from gateway.settings import IssuerSettings, ProxySettings, Settings
from gateway.stages.record import refusal_record
from tests.gateway.stages.conftest import build_world

MARK = "sEcReTsEcReT"
ENCODED = tuple(base64.b64encode(b"x" * shift + MARK.encode())[4:12].decode() for shift in range(3))
"""The middle of the mark as it stands in base64, at each of its three offsets."""

KEY_SECRET = (MARK * 4)[:43]


def segment(document: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


jwts = st.builds(
    lambda header, claims, tail: f"{segment(header)}.{segment(claims)}.{MARK}{tail}",
    st.fixed_dictionaries(
        {},
        optional={
            "alg": st.sampled_from(["ES256", "none", "HS256", MARK]),
            "kid": st.just(MARK),
            "typ": st.just("JWT"),
        },
    ),
    st.fixed_dictionaries(
        {}, optional={"iss": st.sampled_from(["https://id.example", MARK]), "sub": st.just(MARK), "org": st.just(MARK)}
    ),
    st.text("abc_-.", max_size=5),
)
keys = st.sampled_from([f"xq_risk1_{KEY_SECRET}", f"xq_other_{KEY_SECRET}", f"xq_{MARK}", MARK])
secrets = jwts | keys
values = st.builds("{}{}".format, st.sampled_from(["Bearer ", "bearer ", "Basic ", "", "Bearer  "]), secrets)
requests = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": values,
        "X-API-Key": secrets,
        "X-Consent": st.lists(secrets, min_size=1, max_size=3).map(",".join),
        "Client-Cert": st.builds(":{}:".format, secrets) | secrets,
        "X-Purpose": st.sampled_from(["credit.underwriting", "nonsense"]),
    },
)
extensions = st.fixed_dictionaries({}, optional={"consents": st.lists(secrets, max_size=3) | secrets})


class Failing:
    """A pipeline that fails with what it was given in its message, and logs its exception."""

    async def answer(self, received: Received) -> Answered:
        try:
            return {}[received]  # type: ignore[index]
        except (KeyError, TypeError) as error:
            logging.getLogger("library").exception("failed")
            raise RuntimeError(f"{received}") from error


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, at the lowest level."""
    root, written = logging.getLogger(), io.StringIO()
    handlers, level, stream = root.handlers, root.level, sys.stderr
    sys.stderr = written
    configure_logging("json", "debug")
    sys.stderr = stream
    yield written
    root.handlers, root.level = handlers, level
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


built_world = cache(build_world)


@asynccontextmanager
async def callers(signer_jwks: Mapping[str, Any], pipeline: Any, lines: list[Any]) -> AsyncIterator[httpx.AsyncClient]:
    world = built_world()
    options = Settings(
        issuers=(IssuerSettings.model_validate({"id": "https://id.example", "jwks": signer_jwks}),),
        anonymous="public",
        proxies=ProxySettings(networks=["127.0.0.1"]),
    )
    key = ApiKey.model_validate(
        {
            "id": "risk1",
            "digest": digest(KEY_SECRET, "p" * 32),
            "subject": "risk-system",
            "organisation": "first-bank",
            "roles": ["bank.officer"],
            "expires": "2099-01-01T00:00:00Z",
        }
    )
    whole = load_authenticator(options, lambda: world.gateway.editions.current.policy.organisations)
    authenticator = Authenticator(
        whole._tokens, ApiKeys([key], "p" * 32), Certificates(()), whole._organisations, anonymous=True
    )

    async def refused(request_id: str, principal: Principal | None, error: HttpError) -> None:
        lines.append(refusal_record(request_id, principal, error.code, None))  # type: ignore[arg-type]

    app = create_app(
        pipeline=pipeline or world.gateway,
        authenticator=authenticator,
        settings=options,
        record_refusal=refused,
        readiness={},
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client
    lines.extend(world.audit.lines)
    world.audit.lines.clear()


def leaks(text: str) -> list[str]:
    return [mark for mark in (MARK, KEY_SECRET, *ENCODED) if mark in text]


@pytest.mark.parametrize("pipeline", [None, Failing()], ids=["working", "failing"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(headers=requests, sent=extensions)
def test_no_credential_is_logged_audited_or_answered(
    signer_jwks: Mapping[str, Any], log: io.StringIO, pipeline: Any, headers: dict[str, str], sent: dict[str, Any]
) -> None:
    lines: list[Any] = []

    async def ask() -> str:
        async with callers(signer_jwks, pipeline, lines) as client:
            body = {"query": '{ me { subject } enterprise(code: "x") { creditCode } }', "extensions": sent}
            response = await client.post("/graphql", json=body, headers=headers)
            assert response.status_code in {200, 400, 401, 403, 500}
            return response.text

    answered = asyncio.run(ask())
    assert lines
    assert leaks(log.getvalue() + repr(lines) + answered) == []


def test_what_fails_really_was_logged(signer_jwks: Mapping[str, Any], log: io.StringIO) -> None:
    async def ask() -> int:
        async with callers(signer_jwks, Failing(), []) as client:
            headers = {"X-API-Key": f"xq_risk1_{KEY_SECRET}", "X-Consent": MARK}
            return (await client.post("/graphql", json={"query": "{ me { subject } }"}, headers=headers)).status_code

    assert asyncio.run(ask()) == 500
    assert "failed" in log.getvalue()
    assert "RuntimeError" in log.getvalue()
    assert leaks(log.getvalue()) == []


def test_settings_show_no_secret() -> None:
    shown = Settings(secret=MARK * 3, api_keys_file="keys", api_keys_pepper=MARK * 3, cache_key=MARK * 3)
    assert leaks(f"{shown!r} {shown}") == []


@pytest.fixture(scope="module")
def signer_jwks() -> Mapping[str, Any]:
    return KeySet([ECKey.generate_key("P-256", auto_kid=True)]).as_dict(private=False)
