"""What the tests of the HTTP edge share: an issuer of tokens, an application around any pipeline, a real server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
import structlog
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette

from gateway.edge.app import create_app
from gateway.edge.connections import Connections, TimedProtocol
from gateway.errors import HttpError
from gateway.identity.identity import Authenticator, load_authenticator
from gateway.logs import OURS
from gateway.messages import Answered, Principal, Received
from gateway.settings import ConnectionSettings, IssuerSettings, Settings


@dataclass(frozen=True)
class Registered:
    """An organisation as the policy registers it."""

    roles: frozenset[str]


@dataclass(frozen=True)
class Signer:
    """An issuer's signing key, with the settings by which the gateway knows it."""

    key: ECKey
    settings: IssuerSettings

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good token for a bank officer, but for the claims given; None leaves a claim out."""
        good = {
            "iss": self.settings.id,
            "aud": "xinqiao",
            "sub": "officer-1",
            "org": "first-bank",
            "roles": ["bank.officer"],
            "exp": int(time.time()) + 600,
        }
        kept = {name: value for name, value in {**good, **claims}.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, **(header or {})}, kept, self.key)


@dataclass
class Echo:
    """A pipeline that answers with what it received; `{` stands for text that is not GraphQL."""

    received: list[Received] = field(default_factory=list)

    async def answer(self, received: Received) -> Answered:
        self.received.append(received)
        return Answered(orjson.dumps({"data": {"query": received.query}}), executed=received.query != "{")


@dataclass
class Refusals:
    """An audit of refusals that keeps them: who, where known, and the code."""

    lines: list[tuple[Principal | None, str]] = field(default_factory=list)

    async def __call__(self, request_id: str, principal: Principal | None, error: HttpError) -> None:
        assert request_id
        self.lines.append((principal, error.code))


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Leaves the log of the process as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def make_signer() -> Callable[..., Signer]:
    """Makes an issuer with a key of its own."""

    def make(issuer: str = "https://id.example", **settings: Any) -> Signer:
        key = ECKey.generate_key("P-256", auto_kid=True)
        jwks = KeySet([key]).as_dict(private=False)
        return Signer(key, IssuerSettings.model_validate({"id": issuer, "jwks": jwks, **settings}))

    return make


@pytest.fixture(scope="session")
def signer(make_signer: Callable[..., Signer]) -> Signer:
    return make_signer()


@pytest.fixture(scope="session")
def organisations() -> Mapping[str, Registered]:
    return {
        "first-bank": Registered(frozenset({"bank.officer"})),
        "company": Registered(frozenset({"company"})),
    }


@pytest.fixture
def settings(signer: Signer) -> Settings:
    return Settings(issuers=(signer.settings,), anonymous="public")


@pytest.fixture
def authenticator(settings: Settings, organisations: Mapping[str, Registered]) -> Authenticator:
    return load_authenticator(settings, lambda: organisations)


@pytest.fixture
def refusals() -> Refusals:
    return Refusals()


@pytest.fixture
def application(authenticator: Authenticator, settings: Settings, refusals: Refusals) -> Callable[..., Starlette]:
    """Builds the application around a pipeline; any part can be given in the place of the fixtures'."""

    def build(pipeline: Any, **parts: Any) -> Starlette:
        usual = {"authenticator": authenticator, "settings": settings, "record_refusal": refusals, "readiness": {}}
        return create_app(pipeline=pipeline, **{**usual, **parts})

    return build


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def client(application: Callable[..., Starlette], echo: Echo) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the application around `echo`, without a socket."""
    transport = httpx.ASGITransport(application(echo))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@contextmanager
def running_in_a_thread(config: uvicorn.Config) -> Iterator[int]:
    """A real server, on this port."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server did not start"
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def serving() -> Callable[[Starlette], AbstractContextManager[str]]:
    """Runs a real server of an application on a free loopback port, in a thread, and gives its address."""

    @contextmanager
    def serve(app: Starlette) -> Iterator[str]:
        protocol: Any = partial(TimedProtocol, bounds=Connections(ConnectionSettings()))
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", http=protocol)
        with running_in_a_thread(config) as port:
            yield f"http://127.0.0.1:{port}"

    return serve
