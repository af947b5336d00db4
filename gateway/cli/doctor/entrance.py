"""Who may come in: issuers, API keys, certificates, consents."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from ipaddress import ip_address

from connectors.reach import Reach
from gateway.cli.doctor.certificates import SOON, certificates, readable_by_others
from gateway.cli.doctor.finding import Finding, Trouble, attempt, fault, good, warning
from gateway.cli.output import counted
from gateway.edge.tls import ServerCertificate
from gateway.errors import GatewayError
from gateway.identity.api_key_file import ApiKey, read_api_keys
from gateway.identity.consents import read_issuer
from gateway.identity.key_sets import read_keys
from gateway.settings import PREFIX, ConsentIssuerSettings, IssuerSettings, Settings
from gateway.stages.trusted import read_documents


async def entrance(settings: Settings, now: dt.datetime) -> list[Finding]:
    """What is found of whoever may come in. Asks the issuers that publish their keys for them."""
    reach = Reach(settings.networks, settings.plain_networks)
    issuers = await asyncio.gather(*(_issuer(issuer, reach) for issuer in settings.issuers))
    return [*_anybody(settings), *issuers, *await asyncio.to_thread(_files, settings, now)]


def _anybody(settings: Settings) -> Iterator[Finding]:
    named = settings.issuers or settings.api_keys_file or settings.certificates
    if not named and settings.anonymous == "refuse":
        yield fault("callers", "nobody can come in", f"set {PREFIX}ISSUERS, {PREFIX}API_KEYS_FILE or others")
    if settings.anonymous == "public":
        yield good("callers", "whoever comes without credentials sees what is public")
    if settings.tls.certificate is None and not _is_loopback(settings.host):
        yield warning(
            "TLS",
            f"the gateway listens at {settings.host} without TLS",
            f"set {PREFIX}TLS__CERTIFICATE, or see to it that only a proxy that ends TLS can reach it",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _issuer(settings: IssuerSettings, reach: Reach) -> Finding:
    subject = f"issuer {settings.id}"
    keys = await attempt(read_keys(settings, reach))
    if not isinstance(keys, Trouble):
        return good(subject, f"{counted(len(keys.keys), 'key')} can be read")
    return fault(subject, keys, "until its keys can be read, its tokens are refused: see to its address or its file")


def _files(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    yield from _tls(settings, now)
    yield from _api_keys(settings, now)
    yield from _documents(settings)
    for issuer in settings.consent_issuers:
        yield _consents(issuer, now)


def _tls(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    tls = settings.tls
    if tls.certificate is None:
        return
    try:
        ServerCertificate(tls)
    except GatewayError as error:
        yield fault("TLS", str(error), "certificate and key must go together")
    else:
        yield certificates("TLS", tls.certificate, now)
    yield from readable_by_others("TLS", tls.key or tls.certificate)
    if tls.client_authorities is not None:
        yield certificates("callers' authorities", tls.client_authorities, now)


def _api_keys(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    if settings.api_keys_file is None:
        return
    try:
        keys = read_api_keys(settings.api_keys_file)
    except GatewayError as error:
        yield fault("API keys", str(error), "mend the file, or make it anew: xinqiao api-key make")
        return
    good_ones = [key for key in keys if key.revoked is None and key.expires > now]
    yield good("API keys", f"{counted(len(good_ones), 'key')} of {len(keys)} can be used")
    yield from readable_by_others("API keys", settings.api_keys_file)
    yield from (_expiring(key) for key in good_ones if key.expires <= now + SOON)


def _expiring(key: ApiKey) -> Finding:
    message = f"key {key.id} of {key.organisation} expires {key.expires.date().isoformat()}"
    return warning("API keys", message, f"xinqiao api-key rotate {key.id}")


def _documents(settings: Settings) -> Iterator[Finding]:
    """The list of what callers may run."""
    if settings.documents.file is None:
        return
    try:
        listed = read_documents(settings.documents.file)
    except GatewayError as error:
        yield fault("trusted operations", str(error), f"mend the file, or name another in {PREFIX}DOCUMENTS__FILE")
    else:
        yield good("trusted operations", f"{counted(len(listed.by_id), 'operation')} can be read")


def _consents(settings: ConsentIssuerSettings, now: dt.datetime) -> Finding:
    subject = f"consents by {settings.id}"
    try:
        state = read_issuer(settings, None, now.timestamp())
    except GatewayError as error:
        return fault(subject, str(error), "see to the file of its keys")
    if state.faults:
        return fault(
            subject, "; ".join(state.faults), "put a new list in place: until then none of its consents counts"
        )
    revocations = state.issuer.revocations
    if revocations is None or not revocations.is_fresh(now.timestamp()):
        return fault(subject, "its revocation list is past its time", "put a new list in place")
    return good(subject, "its keys and its revocations can be read")
