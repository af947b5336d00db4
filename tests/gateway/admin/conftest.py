"""An administration over a store in a directory, behind the real HTTP edge, without a socket."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from connectors.health import AgencyHealth, AgencyState
from connectors.kindness.counts import Counts
from connectors.row_counts import RowCounts
from gateway.admin.desk import Desk, Running
from gateway.admin.open import admin_route
from gateway.assembly import Installation, read_installation
from gateway.audit.open import audit_log, log_place
from gateway.edge.app import create_app
from gateway.editions.compiler import Compiler
from gateway.editions.reload import Refusal
from gateway.errors import HttpError
from gateway.identity.identity import load_authenticator
from gateway.messages import Principal
from gateway.settings import Settings
from gateway.stages.record import refusal_record
from policies.load import PolicyFiles, load_policy, read_directory
from policies.policy import Policy
from policies.store.contract import Store
from policies.store.initial import initialise
from policies.store.open import open_store

ROOT = Path(__file__).parents[3]
REFUSED = (
    Refusal("tax.yaml", "tax", ("line 3: kind: unknown kind 'rset'",), datetime(2026, 11, 1, tzinfo=UTC)),
    Refusal("court.yaml", "court", ("not UTF-8",), datetime(2026, 11, 1, tzinfo=UTC)),
    Refusal("new.yaml", None, ("not YAML",), datetime(2026, 11, 1, tzinfo=UTC)),
)

HEALTH = tuple(
    AgencyHealth(agency, state, 1, Counts(calls=9, failures=2, timeouts=1), {"TaxCredit": RowCounts(8, 1, 2, 10, 4)})
    for agency, state in (("tax", AgencyState.LEFT_ALONE), ("court", AgencyState.ASKED))
)


@dataclass
class Administrators:
    """Callers of the administration, by name, and what it kept."""

    client: httpx.AsyncClient
    tokens: dict[str, str]
    store: Store
    audit_file: Path
    process: Compiler

    async def ask(self, who: str, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.send(who, query, **variables)
        return orjson.loads(answer.content)

    async def send(self, who: str, query: str, **variables: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        return await self.client.post("/admin/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def files(self) -> dict[str, str]:
        answer = await self.ask("al", "{ version { files { name content } } }")
        return {file["name"]: file["content"] for file in answer["data"]["version"]["files"]}

    async def propose(self, who: str, changes: dict[str, str], why: str = "a reason") -> dict[str, Any]:
        files = [{"name": name, "content": text} for name, text in {**(await self.files()), **changes}.items()]
        return await self.ask(
            who,
            "mutation ($files: [PolicyFileInput!]!, $why: String!) {"
            " propose(files: $files, why: $why) { id digest base changed } }",
            files=files,
            why=why,
        )

    def audited(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.audit_file.read_bytes().splitlines()]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def processes() -> AsyncIterator[tuple[Compiler, Compiler]]:
    """One for analyses and one for emergencies."""
    async with Compiler() as analyses, Compiler() as emergencies:
        yield analyses, emergencies


@pytest.fixture(scope="package")
def shipped() -> tuple[Installation, PolicyFiles, Policy]:
    """The installation and the policy that are shipped."""
    installation, files = read_installation(Settings()), read_directory(ROOT / "policies")
    return installation, files, load_policy(files, installation.catalogue, installation.cells)


@pytest.fixture
async def administrators(
    make_signer: Callable[..., Any],
    tmp_path: Path,
    processes: tuple[Compiler, Compiler],
    shipped: tuple[Installation, PolicyFiles, Policy],
) -> AsyncIterator[Administrators]:
    signer, now = make_signer(), int(time.time())
    settings = Settings(issuers=(signer.settings,), anonymous="public", audit_file=tmp_path / "audit.jsonl")

    def token(subject: str, organisation: str, role: str = "policy.admin", **claims: Any) -> str:
        usual = {"sub": subject, "org": organisation, "roles": [role], "amr": ["pwd", "mfa"], "auth_time": now}
        return signer.token(**{**usual, **claims})

    tokens = {
        "al": token("al", "policy-office"),
        "bo": token("bo", "policy-office"),
        "tess": token("tess", "tax-data-office"),
        "bank": token("officer", "first-bank", "bank.officer"),
        "by password": token("al", "policy-office", amr=["pwd"]),
        "of yesterday": token("al", "policy-office", auth_time=now - 86_400),
        "undated": token("al", "policy-office", auth_time=None),
    }
    installation, files, policy = shipped
    store = await open_store(tmp_path / "store")
    await initialise(store, files, by="al", why="to begin", at=datetime.now(UTC))
    authenticator = load_authenticator(settings, lambda: policy.organisations)
    process, emergencies = processes
    async with audit_log(settings, "") as audit:

        async def refused(request_id: str, principal: Principal | None, error: HttpError) -> None:
            await audit.append(refusal_record(request_id, principal, error.code, datetime.now(UTC)))

        async def reached(_number: int) -> None:
            """No gateway here decides by what is published."""

        running = Running(store, audit, lambda: policy, reached, emergencies, lambda: REFUSED, lambda: HEALTH)
        desk = Desk(lambda: installation.offered, process, log_place(settings), running)
        app: Starlette = create_app(
            pipeline=None,
            authenticator=authenticator,
            settings=settings,
            record_refusal=refused,
            readiness={},
            extra_routes=[admin_route(desk, authenticator, settings, refused)],
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            yield Administrators(client, tokens, store, settings.audit_file, process)
