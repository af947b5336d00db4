"""`xinqiao demo`: a nation of seven agencies, and a gateway over them, on this machine alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final
from urllib.parse import quote, urlencode

import orjson
import typer
import uvloop
from pydantic import SecretStr

from gateway.cli.key_files import add_public_key, new_key_file
from gateway.cli.output import Json, failing_plainly, print_json, print_table
from gateway.demo.people import AUDIENCE, CALLERS, CONSENT_ISSUER, ISSUER, LIFETIME, consent, key_set, new_key, tokens
from gateway.demo.supervisor import SEED, Nation, running_nation
from gateway.edge.server import interrupted, running_server
from gateway.logs import configure_logging
from gateway.settings import AdministrationSettings, AuditSettings, ConsentIssuerSettings, IssuerSettings, Settings
from policies.load import read_directory
from policies.store.initial import initialise
from policies.store.open import open_store

SHOWCASE: Final = "everything"
"""The company that every example is about: known to all seven agencies."""

PURPOSES: Final[Mapping[str, str]] = {
    "bank": "credit.underwriting",
    "rural_bank": "credit.underwriting",
    "tax_inspector": "supervision.tax",
    "regulator": "supervision.inspection",
    "policy_admin": "policy.administration",
    "policy_approver": "policy.administration",
    "tax_admin": "policy.administration",
    "company": "self.review",
}
"""For what each caller asks in the examples."""

QUERY: Final = """\
query Company($code: CreditCode!) {
  enterprise(code: $code) {
    registration { status record { name legalRepresentative } }
    penalties { status records { decidedOn amount { amount } responsiblePerson source { agency { id } } } }
    taxArrears { status records { balance { amount from to } } access { coordinate decision reason } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The running demonstration: the gateway's address, its callers' tokens, the showcase company's consent to the
    bank, and the nation.
    """

    address: str
    tokens: Mapping[str, str]
    consent: str
    nation: Nation

    @property
    def url(self) -> str:
        """The GraphQL endpoint."""
        return f"{self.address}/graphql"

    @property
    def company(self) -> str:
        """The showcase company's credit code."""
        return self.nation.showcase[SHOWCASE]


def demo(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free one.")] = 8000,
    seed: Annotated[int, typer.Option(help="Which nation: the same seed gives the same one.")] = SEED,
    postgres: Annotated[
        str | None, typer.Option(help="A PostgreSQL database for the business registry, in place of SQLite.")
    ] = None,
    json: Json = False,
) -> None:
    """Start a nation of seven agencies and a gateway over them; Ctrl-C stops all."""
    with failing_plainly():
        configure_logging("console", "warning")
        uvloop.run(_demo(port, seed, postgres, json=json))


async def _demo(port: int, seed: int, postgres: str | None, *, json: bool) -> None:
    if not json:
        typer.echo("Starting seven agencies and the gateway ...")
    interruption = asyncio.create_task(interrupted())
    starting = asyncio.create_task(_run(port, seed, postgres, json=json))
    await asyncio.wait((interruption, starting), return_when=asyncio.FIRST_COMPLETED)
    for task in (interruption, starting):
        task.cancel()
    await asyncio.gather(interruption, starting, return_exceptions=True)
    if not starting.cancelled():
        starting.result()


async def _run(port: int, seed: int, postgres: str | None, *, json: bool) -> None:
    async with running_demonstration(port, seed, postgres) as demonstration:
        if json:
            print_json(
                {
                    "url": demonstration.url,
                    "tokens": demonstration.tokens,
                    "codes": demonstration.nation.codes,
                    "agencies": demonstration.nation.agencies,
                    "consent": demonstration.consent,
                }
            )
        else:
            _tell(demonstration)
        await asyncio.Event().wait()


@asynccontextmanager
async def running_demonstration(port: int, seed: int, postgres: str | None) -> AsyncIterator[Demonstration]:
    """The nation and the gateway, for as long as the context lasts; nothing of it is left behind."""
    key, consent_key = new_key(), new_key()
    with TemporaryDirectory(prefix="xinqiao-demo-") as directory:
        data = Path(directory)
        async with running_nation(data, seed, postgres) as nation:
            policies = data / "policies"
            await _begin_policies(policies)
            settings = Settings(
                drain=0,
                port=port,
                policies=str(policies),
                secret=SecretStr(secrets.token_urlsafe(32)),
                audience=AUDIENCE,
                issuers=(IssuerSettings(id=ISSUER, jwks=key_set(key)),),
                consent_issuers=(ConsentIssuerSettings(id=CONSENT_ISSUER, jwks=key_set(consent_key)),),
                anonymous="public",
                plain_networks=(ip_network("127.0.0.0/8"),),
                administration=AdministrationSettings(login_seconds=LIFETIME.total_seconds()),
                audit_file=data / "audit.jsonl",
                audit=_audit_keys(data),
            )
            async with running_server(settings, nation.environment) as address:
                company, now = nation.showcase[SHOWCASE], datetime.now(UTC)
                yield Demonstration(address, tokens(key, company, now), consent(consent_key, company, now), nation)


def _audit_keys(directory: Path) -> AuditSettings:
    """Keys that sign checkpoints of the audit log, and receipts."""
    key, public = directory / "audit.jwk", directory / "audit.jwks.json"
    add_public_key(public, new_key_file(key, "Ed25519"))
    return AuditSettings(signing_key=key, keys=public)


async def _begin_policies(directory: Path) -> None:
    """A store of versions, whose first is the policy that ships with the package."""
    store = await open_store(directory)
    files = await asyncio.to_thread(read_directory, Path(str(resources.files("policies"))))
    await initialise(store, files, by="policy-office", why="The first rules of the nation.", at=datetime.now(UTC))
    await store.close()


def _tell(demonstration: Demonstration) -> None:
    """What a newcomer needs: who may log in, where to click, what to paste."""
    print_table(
        "Who may log in (for 24 hours)",
        ("who", "is", "asks for"),
        [(caller.key, caller.description, PURPOSES[caller.key]) for caller in CALLERS],
    )
    typer.echo("\nIn a browser, logged in as (nothing leaves this machine):")
    for caller in CALLERS:
        typer.echo(f"\n  {caller.key}\n  {_page(demonstration, caller.key)}")
    typer.echo("\nTheir tokens:")
    for caller in CALLERS:
        typer.echo(f"\n  {caller.key}\n  {demonstration.tokens[caller.key]}")
    typer.echo(f"\nThe consent of {demonstration.company} to the bank (header X-Consent):")
    typer.echo(f"\n  {demonstration.consent}")
    typer.echo(
        "\nTo paste into another terminal, with one of the tokens in place of ... (the purpose is the bank's):\n"
    )
    typer.echo(_curl(demonstration))
    print_table("\nAgencies", ("agency", "address"), list(demonstration.nation.agencies.items()))
    typer.echo(f"Xinqiao answers at {demonstration.url}. Ctrl-C stops everything.")


def _curl(demonstration: Demonstration) -> str:
    body = orjson.dumps({"query": " ".join(QUERY.split()), "variables": {"code": demonstration.company}}).decode()
    return (
        f"TOKEN=...\ncurl -s {demonstration.url} -H 'Content-Type: application/json' \\\n"
        f"  -H \"Authorization: Bearer $TOKEN\" -H 'X-Purpose: {PURPOSES['bank']}' \\\n"
        f"  -d '{body}'\n"
    )


def _page(demonstration: Demonstration, caller: str) -> str:
    parts = {"token": demonstration.tokens[caller], "purpose": PURPOSES[caller], "code": demonstration.company}
    return f"{demonstration.address}/graphiql#{urlencode(parts, quote_via=quote)}"
