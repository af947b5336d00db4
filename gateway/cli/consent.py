"""`xinqiao consent`: an issuer of consents for tests and sandboxes, and what the gateway makes of a consent."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.assembly import policy_files, read_installation
from gateway.cli.consent_files import existing_list, signing_key
from gateway.cli.key_files import KeySetFile, NewKey, make_key_pair
from gateway.cli.output import FAILED, Json, failing_plainly, print_json, print_table
from gateway.identity.consents import read_issuer
from gateway.settings import Settings, load_settings
from policies.consent import MAX_CHARACTERS, Consent, ConsentVerifier, issue_consent
from policies.errors import ConsentRefused, PurposeRefused
from policies.policy import Policy
from policies.revocation import issue_revocations
from policies.scope import check_scope
from schema.credit_code import CreditCode

consent: Final = typer.Typer(
    name="consent",
    help="Issue, check and revoke consents, for tests and sandboxes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyFile = Annotated[Path, typer.Option("--key", help="The issuer's private key, a JWK file.")]
Issuer = Annotated[str, typer.Option(help="The issuer's id: its `iss`.")]


@consent.command()
def keys(key: NewKey, jwks: KeySetFile, *, json: Json = False) -> None:
    """Make a key pair (P-256). The old keys of the set stay, for the consents that they signed."""
    make_key_pair(key, jwks, "P-256", json=json)


@consent.command()
def issue(  # noqa: PLR0913  # one option a claim
    *,
    key: KeyFile,
    issuer: Issuer,
    company: Annotated[str, typer.Option(help="The company that consents: its credit code.")],
    organisation: Annotated[str, typer.Option(help="To whom.")],
    purpose: Annotated[list[str], typer.Option(help="For what, and all below it; may be repeated.")],
    scope: Annotated[list[str], typer.Option(help="To what: a tier, Type, Type.field or Type.*; may be repeated.")],
    audience: Annotated[str, typer.Option(help="The gateway that it is for: its XINQIAO_AUDIENCE.")] = "xinqiao",
    days: Annotated[int, typer.Option(min=1, max=36_500, help="How long it holds.")] = 30,
    consent_id: Annotated[
        str | None, typer.Option("--id", help="Its id (`jti`), by which it is revoked; by default a new one.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign a consent, and print it."""
    with failing_plainly():
        check_scope(scope, read_installation(load_settings()).catalogue)
        code = CreditCode.parse(company)
    now = dt.datetime.now(dt.UTC)
    id_ = consent_id or str(uuid.uuid4())
    token = issue_consent(
        signing_key(key),
        id=id_,
        issuer=issuer,
        audience=audience,
        company=code,
        organisation=organisation,
        purposes=purpose,
        scope=scope,
        issued=now,
        expires=now + dt.timedelta(days=days),
    )
    if len(token) > MAX_CHARACTERS:
        message = (
            f"the consent would be longer than {MAX_CHARACTERS} characters; name tiers or Type.* rather than fields"
        )
        raise typer.BadParameter(message, param_hint="--scope")
    if json:
        print_json({"consent": token, "id": id_})
    else:
        typer.echo(token)


@consent.command()
def revoke(  # noqa: PLR0913  # the options of a command
    key: KeyFile,
    issuer: Issuer,
    ids: Annotated[
        list[str] | None, typer.Argument(help="The ids (`jti`) of consents; none only renews the list.")
    ] = None,
    *,
    existing: Annotated[Path | None, typer.Option("--list", help="The list so far, whose ids stay.")] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="The key set that the list so far is checked with; by default the key alone.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=8_760, help="How long the list may be relied on.")] = 24,
    json: Json = False,
) -> None:
    """Sign a revocation list, and print it."""
    private = signing_key(key)
    now = dt.datetime.now(dt.UTC)
    revoked, issued = set(ids or ()), now
    if existing:
        before = existing_list(existing, issuer, private, jwks, now)
        revoked |= before.revoked
        # The gateway lets no older list take a newer one's place.
        issued = max(now, dt.datetime.fromtimestamp(before.issued, dt.UTC))
    text = issue_revocations(
        private, issuer=issuer, revoked=revoked, issued=issued, expires=now + dt.timedelta(hours=hours)
    )
    if json:
        print_json({"revocations": text, "revoked": sorted(revoked)})
    else:
        typer.echo(text)


@consent.command()
def verify(
    token: Annotated[str, typer.Argument(help="The consent; - reads standard input.")],
    organisation: Annotated[str, typer.Option(help="Who would use it.")],
    purpose: Annotated[str, typer.Option(help="For what.")],
    *,
    at: Annotated[str | None, typer.Option(help="When, as 2026-11-24T12:00:00+08:00; by default now.")] = None,
    json: Json = False,
) -> None:
    """Say whether a gateway with these settings would count a consent (its issuers: XINQIAO_CONSENT_ISSUERS)."""
    moment = _moment(at)
    text = (sys.stdin.read() if token == "-" else token).strip()  # noqa: S105  # the name of a stream
    with failing_plainly():
        settings = load_settings()
        policy = read_installation(settings).load(asyncio.run(policy_files(settings.policies))).policy
        verifier = _verifier(settings, policy)
    try:
        policy.check_purpose(organisation, purpose)
        counted = verifier.verify(text, organisation, purpose, moment)
    except (ConsentRefused, PurposeRefused) as refused:
        if json:
            print_json({"counts": False, "code": refused.code, "message": str(refused)})
        else:
            typer.echo(f"{refused.code}: {refused}", err=True)
        raise typer.Exit(FAILED) from None
    _show(counted, json=json)


def _verifier(settings: Settings, policy: Policy) -> ConsentVerifier:
    states = [read_issuer(issuer, None, time.time()) for issuer in settings.consent_issuers]
    for state in states:
        for fault in state.faults:
            typer.echo(f"{state.issuer.id}: {fault}", err=True)
    return ConsentVerifier({state.issuer.id: state.issuer for state in states}, settings.audience, policy.purposes)


def _moment(text: str | None) -> dt.datetime:
    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "must be a moment with its offset, as 2026-11-24T12:00:00+08:00"
        raise typer.BadParameter(message, param_hint="--at")
    return moment


def _show(consent: Consent, *, json: bool) -> None:
    expires = dt.datetime.fromtimestamp(consent.expires, dt.UTC).isoformat()
    purposes, scope = sorted(consent.purposes), sorted(consent.scope)
    told = {
        "id": consent.id,
        "issuer": consent.issuer,
        "company": consent.company,
        "organisation": consent.organisation,
        "expires": expires,
    }
    if json:
        print_json({"counts": True, **told, "purposes": purposes, "scope": scope})
        return
    rows = [*told.items(), ("purposes", ", ".join(purposes)), ("scope", ", ".join(scope))]
    print_table("The consent counts.", ("claim", "says"), rows)
