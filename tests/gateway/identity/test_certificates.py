"""Callers' certificates: by TLS to the gateway itself, on real sockets, and through a proxy that ends TLS before it."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.edge.connections import Connections
from gateway.edge.forwarded import ForwardedCertificates
from gateway.edge.server import running_server
from gateway.edge.tls import CertificateProtocol, ServerCertificate
from gateway.errors import (
    AuthenticationFailedError,
    CertificateExpiredError,
    CertificateMalformedError,
    CertificateUnknownError,
    OrganisationsDifferError,
    ProxyUnknownError,
    SettingsInvalidError,
    TokenBoundError,
)
from gateway.identity.certificates import Certificate, Certificates, read_certificate
from gateway.identity.credentials import Credentials
from gateway.identity.identity import Authenticator, load_authenticator
from gateway.messages import Principal
from gateway.settings import CertificateSettings, ConnectionSettings, ProxySettings, Settings, TlsSettings
from tests.connectors.certificates import Authority
from tests.gateway.conftest import running_in_a_thread

BANK = {"subject": "CN=risk.first-bank.example", "organisation": "first-bank", "roles": ["bank.officer"]}
NAME = "risk.first-bank.example"
QUERY = {"query": "{ __typename }"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def der(authority: Authority) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate_pem(authority))


def certificate_pem(authority: Authority, name: str = NAME) -> str:
    text = authority.issue(name).read_text()
    return text[text.index("-----BEGIN CERTIFICATE-----") :]


@pytest.fixture(scope="module")
def certificate(der: bytes) -> Certificate:
    return read_certificate(der)


def authenticator(
    signer: Any, organisations: Mapping[str, Any], *entries: Mapping[str, Any], anonymous: str = "refuse"
) -> Authenticator:
    settings = Settings(
        issuers=(signer.settings,),
        certificates=[CertificateSettings.model_validate(entry) for entry in entries],
        proxies=ProxySettings(networks=["10.0.0.0/8"]),
        anonymous=anonymous,
    )
    return load_authenticator(settings, lambda: organisations)


def test_a_certificate_is_read_as_openssl_shows_it(certificate: Certificate, der: bytes) -> None:
    assert (certificate.subject, certificate.issuer) == (f"CN={NAME}", "CN=authority")
    assert certificate.dns == {NAME}
    assert certificate.begins < time.time() < certificate.ends
    assert base64.urlsafe_b64decode(certificate.thumbprint + "=") == x509.load_der_x509_certificate(der).fingerprint(
        SHA256()
    )


@given(st.binary(), st.integers(0, 400), st.integers(0, 255))
def test_whatever_comes_as_a_certificate_is_read_or_refused(der: bytes, junk: bytes, place: int, byte: int) -> None:
    for text in (junk, der[:place], der[:place] + bytes([byte]) + der[place + 1 :]):
        with suppress(CertificateMalformedError):
            assert read_certificate(text).thumbprint


@pytest.mark.parametrize(
    ("named", "fits"),
    [
        ({"subject": f"CN={NAME}"}, True),
        ({"dns": NAME}, True),
        ({"dns": NAME, "issuer": "CN=authority"}, True),
        ({"dns": NAME, "issuer": "CN=another"}, False),
        ({"dns": "first-bank.example"}, False),
        ({"subject": "CN=first-bank.example"}, False),
        ({"uri": "spiffe://first-bank/risk"}, False),
        ({"subject": f"CN={NAME}", "uri": "spiffe://first-bank/risk"}, False),
    ],
)
def test_a_certificate_stands_for_an_organisation_where_it_has_all_that_is_named(
    certificate: Certificate, named: dict[str, str], *, fits: bool
) -> None:
    certificates = Certificates([CertificateSettings.model_validate({**named, "organisation": "first-bank"})])
    if fits:
        assert certificates.organisation(certificate) == "first-bank"
    else:
        with pytest.raises(CertificateUnknownError):
            certificates.organisation(certificate)


def test_the_first_entry_that_fits_counts(certificate: Certificate) -> None:
    entries = [{"dns": "other", "organisation": "a"}, {"dns": NAME, "organisation": "b"}, {**BANK, "organisation": "c"}]
    assert Certificates(map(CertificateSettings.model_validate, entries)).organisation(certificate) == "b"


def test_a_certificate_counts_within_its_time_alone(certificate: Certificate) -> None:
    now = [time.time()]
    certificates = Certificates([CertificateSettings.model_validate(BANK)], clock=lambda: now[0])
    for good in (now[0], certificate.begins, certificate.ends - 1):
        now[0] = good
        assert certificates.organisation(certificate)
    for bad in (certificate.begins - 1, certificate.ends):
        now[0] = bad
        with pytest.raises(CertificateExpiredError):
            certificates.organisation(certificate)


async def test_a_certificate_alone_names_a_caller(signer, organisations, certificate) -> None:
    caller = await authenticator(signer, organisations, BANK).authenticate(Credentials(certificate=certificate))
    assert caller == Principal(f"CN={NAME}", "first-bank", frozenset({"bank.officer"}))
    named = authenticator(signer, organisations, {**BANK, "name": "risk-system"})
    assert (await named.authenticate(Credentials(certificate=certificate))).subject == "risk-system"


@pytest.mark.parametrize("anonymous", ["refuse", "public"])
async def test_a_certificate_that_names_nobody_is_refused_also_where_anybody_may_ask(
    signer, organisations, certificate, anonymous: str
) -> None:
    for entries in ((), ({"dns": NAME, "organisation": "first-bank"},)):
        strict = authenticator(signer, organisations, *entries, anonymous=anonymous)
        with pytest.raises(CertificateUnknownError):
            await strict.authenticate(Credentials(certificate=certificate))


async def test_the_token_beside_a_certificate_must_be_of_the_same_organisation(
    signer, organisations, certificate
) -> None:
    strict = authenticator(signer, organisations, {"dns": NAME, "organisation": "first-bank"})
    good = Credentials(f"Bearer {signer.token()}", certificate=certificate)
    assert (await strict.authenticate(good)).subject == "officer-1"
    other = signer.token(org="company", roles=["company"])
    with pytest.raises(OrganisationsDifferError):
        await strict.authenticate(Credentials(f"Bearer {other}", certificate=certificate))


async def test_a_token_bound_to_a_certificate_counts_with_that_one_alone(
    signer, organisations, certificate, authority: Authority
) -> None:
    strict = authenticator(signer, organisations, BANK)
    bound = f"Bearer {signer.token(cnf={'x5t#S256': certificate.thumbprint})}"
    assert (await strict.authenticate(Credentials(bound, certificate=certificate))).subject == "officer-1"
    another = read_certificate(ssl.PEM_cert_to_DER_cert(certificate_pem(authority)))
    half = f"Bearer {signer.token(cnf={'x5t#S256': certificate.thumbprint, 'jkt': 'a'})}"
    with pytest.raises(TokenBoundError):
        await strict.authenticate(Credentials(half, certificate=certificate))
    for other in (None, another):
        with pytest.raises(TokenBoundError):
            await strict.authenticate(Credentials(bound, certificate=other))


@pytest.mark.parametrize("confirmation", [{"jkt": "a"}, {"x5t#S256": 5}, {}, "x", {"x5t#S256": "a", "jkt": "b"}])
async def test_a_token_bound_to_anything_else_is_no_bearers_token(signer, organisations, confirmation: Any) -> None:
    strict = authenticator(signer, organisations)
    with pytest.raises(TokenBoundError):
        await strict.authenticate(Credentials(f"Bearer {signer.token(cnf=confirmation)}"))


def envoy(pem: str) -> str:
    return f'Hash=ab;Cert="{quote(pem, safe="")}";Subject="CN=a,O=\\"b\\", c;d";URI=;DNS={NAME}'


FORMS = {
    "rfc9440": lambda pem: f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()}:",
    "pem": lambda pem: quote(pem, safe=""),
    "envoy": envoy,
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_in_which_proxies_forward_certificates_is_read(form: str, authority: Authority) -> None:
    pem = certificate_pem(authority)
    forwarded = ForwardedCertificates(ProxySettings(networks=["10.0.0.0/8"], format=form))
    expected = read_certificate(ssl.PEM_cert_to_DER_cert(pem))
    for peer in ("10.1.2.3", "::ffff:10.1.2.3"):
        assert forwarded.certificate(peer, FORMS[form](pem)) == expected


@pytest.mark.parametrize("peer", [None, "", "11.0.0.1", "::1", "localhost", "10.0.0.1.example", "::ffff:11.0.0.1"])
def test_nobody_but_the_declared_proxies_is_believed(authority: Authority, peer: str | None) -> None:
    forwarded = ForwardedCertificates(ProxySettings(networks=["10.0.0.0/8"]))
    value = FORMS["rfc9440"](certificate_pem(authority))
    assert forwarded.certificate("10.0.0.1", value)
    with pytest.raises(ProxyUnknownError):
        forwarded.certificate(peer, value)


def test_a_second_certificate_in_one_header_is_refused(authority: Authority) -> None:
    forwarded = ForwardedCertificates(ProxySettings(networks=["10.0.0.0/8"], format="envoy"))
    first, second = (envoy(certificate_pem(authority, name)) for name in (NAME, "evil.example"))
    for value in (f"{first},{second}", f"{first};{second}", f"By=a,{second}", f"{first},By=a"):
        with pytest.raises(CertificateMalformedError):
            forwarded.certificate("10.0.0.1", value)


@pytest.mark.parametrize("form", FORMS)
@given(
    value=st.text(max_size=60)
    | st.text('Cert=%2";,:\\ABC-', max_size=40)
    | st.binary(max_size=40).map(lambda junk: f":{base64.b64encode(junk).decode()}:")
)
def test_no_value_of_the_header_passes_for_a_certificate_or_breaks_the_check(form: str, value: str) -> None:
    forwarded = ForwardedCertificates(ProxySettings(networks=["10.0.0.0/8"], format=form))
    with pytest.raises(CertificateMalformedError):
        forwarded.certificate("10.0.0.1", value)


def test_a_header_that_is_too_long_is_refused() -> None:
    forwarded = ForwardedCertificates(ProxySettings(networks=["10.0.0.0/8"]))
    with pytest.raises(CertificateMalformedError, match="16384"):
        forwarded.certificate("10.0.0.1", ":" + "A" * 20_000 + ":")


@pytest.fixture
async def through(
    application: Callable[..., Any], echo: Any, signer, organisations
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes a client whose requests come from a peer's address, with a certificate on the connection or without."""
    clients = []

    def made(peer: str, certificate: Certificate | None = None) -> httpx.AsyncClient:
        proxies = ProxySettings(networks=["10.0.0.0/8"])
        settings = Settings(
            issuers=(signer.settings,), certificates=(CertificateSettings.model_validate(BANK),), proxies=proxies
        )
        app = application(echo, settings=settings, authenticator=load_authenticator(settings, lambda: organisations))

        async def over_tls(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "xinqiao.certificate": certificate}, receive, send)

        transport = httpx.ASGITransport(over_tls if certificate else app, client=(peer, 4_000))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
        return clients[-1]

    yield made
    for client in clients:
        await client.aclose()


async def test_a_request_through_a_declared_proxy_is_of_whom_the_proxy_says(through, echo, authority) -> None:
    headers = {"Client-Cert": FORMS["rfc9440"](certificate_pem(authority))}
    response = await through("10.0.0.1").post("/graphql", json=QUERY, headers=headers)
    assert response.status_code == 200
    assert echo.received[0].principal.organisation == "first-bank"


async def test_the_same_request_from_elsewhere_is_refused_and_audited(through, echo, authority, refusals) -> None:
    headers = {"Client-Cert": FORMS["rfc9440"](certificate_pem(authority))}
    response = await through("192.168.0.1").post("/graphql", json=QUERY, headers=headers)
    assert response.status_code == 401
    assert refusals.lines == [(None, "PROXY_UNKNOWN")]
    assert not echo.received


async def test_a_proxys_own_certificate_is_not_its_callers(through, certificate: Certificate) -> None:
    assert (await through("10.0.0.1", certificate).post("/graphql", json=QUERY)).status_code == 401
    assert (await through("192.168.0.1", certificate).post("/graphql", json=QUERY)).status_code == 200


async def test_an_empty_header_is_none(through) -> None:
    response = await through("10.0.0.1").post("/graphql", json=QUERY, headers={"Client-Cert": ""})
    assert response.json()["errors"][0]["extensions"]["code"] == "CREDENTIALS_REQUIRED"


async def test_the_header_may_come_once(through, authority) -> None:
    value = FORMS["rfc9440"](certificate_pem(authority))
    headers = [("Client-Cert", value), ("Client-Cert", value)]
    assert (await through("10.0.0.1").post("/graphql", json=QUERY, headers=headers)).status_code == 400


async def test_without_declared_proxies_the_header_is_nothing(client: httpx.AsyncClient, echo, authority) -> None:
    headers = {"Client-Cert": FORMS["rfc9440"](certificate_pem(authority))}
    await client.post("/graphql", json=QUERY, headers=headers)
    assert echo.received[0].principal.subject == "anonymous"


@contextmanager
def secured(app: Any, tls: TlsSettings) -> Iterator[tuple[str, ServerCertificate]]:
    """A real server with TLS on a free loopback port, in a thread."""
    own, bounds = ServerCertificate(tls), Connections(ConnectionSettings())

    class Protocol(CertificateProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, bounds=bounds, **kwargs)

    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        ws="none",
        http=Protocol,
        ssl_context_factory=lambda *_: own.context,
    )
    with running_in_a_thread(config) as port:
        yield f"https://127.0.0.1:{port}", own


@pytest.fixture
def tls(authority: Authority) -> TlsSettings:
    return TlsSettings(certificate=authority.issue("127.0.0.1"), client_authorities=authority.file)


@pytest.fixture
def guarded(application: Callable[..., Any], echo: Any, signer, organisations) -> Any:
    return application(echo, authenticator=authenticator(signer, organisations, BANK))


def test_the_certificate_of_a_connection_names_the_caller_of_each_of_its_requests(
    guarded, echo, tls: TlsSettings, authority: Authority
) -> None:
    with secured(guarded, tls) as (url, _), httpx.Client(verify=authority.client(NAME)) as client:
        for _ in range(3):
            assert client.post(f"{url}/graphql", json=QUERY).status_code == 200
    assert [received.principal.subject for received in echo.received] == [f"CN={NAME}"] * 3


def test_without_a_certificate_a_token_is_needed(guarded, tls: TlsSettings, authority: Authority, signer) -> None:
    with secured(guarded, tls) as (url, _), httpx.Client(verify=authority.client()) as client:
        assert client.post(f"{url}/graphql", json=QUERY).status_code == 401
        headers = {"Authorization": f"Bearer {signer.token()}"}
        assert client.post(f"{url}/graphql", json=QUERY, headers=headers).status_code == 200


def test_one_connections_certificate_is_not_anothers(guarded, tls: TlsSettings, authority: Authority) -> None:
    with (
        secured(guarded, tls) as (url, _),
        httpx.Client(verify=authority.client(NAME)) as known,
        httpx.Client(verify=authority.client()) as nobody,
    ):
        for _ in range(3):
            assert known.post(f"{url}/graphql", json=QUERY).status_code == 200
            assert nobody.post(f"{url}/graphql", json=QUERY).status_code == 401


def test_a_certificate_of_an_authority_that_is_not_trusted_ends_the_connection(
    guarded, echo, tls: TlsSettings, authority: Authority, tmp_path: Path
) -> None:
    context = authority.client()
    context.load_cert_chain(Authority(tmp_path, "another").issue(NAME))
    with (
        secured(guarded, tls) as (url, _),
        httpx.Client(verify=context) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.post(f"{url}/graphql", json=QUERY)
    assert not echo.received


def test_where_certificates_are_required_nobody_else_gets_a_connection(
    guarded, tls: TlsSettings, authority: Authority
) -> None:
    required = tls.model_copy(update={"client_certificates": "required"})
    with secured(guarded, required) as (url, _):
        with httpx.Client(verify=authority.client()) as client, pytest.raises(httpx.TransportError):
            client.get(f"{url}/healthz")
        with httpx.Client(verify=authority.client(NAME)) as client:
            assert client.get(f"{url}/healthz").status_code == 200


def test_old_versions_of_tls_are_refused(guarded, tls: TlsSettings, authority: Authority) -> None:
    old = authority.client(NAME)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with secured(guarded, tls) as (url, _), httpx.Client(verify=old) as client, pytest.raises(httpx.TransportError):
        client.get(f"{url}/healthz")


def serial(url: str) -> int:
    host, port = url.removeprefix("https://").split(":")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()).serial_number


def test_a_new_certificate_counts_for_new_connections_and_a_bad_one_changes_nothing(
    guarded, tls: TlsSettings, authority: Authority
) -> None:
    with secured(guarded, tls) as (url, own):
        first = serial(url)
        authority.issue("127.0.0.1")
        asyncio.run(own.look())
        second = serial(url)
        assert second != first
        key, _, _ = authority.issue("another.example").read_text().partition("-----BEGIN CERTIFICATE-----")
        assert tls.certificate is not None
        for text in ("-----BEGIN", key + certificate_pem(authority)):
            tls.certificate.write_text(text)
            with capture_logs() as logs:
                asyncio.run(own.look())
            assert serial(url) == second
            assert logs[0]["event"] == "the gateway's certificate cannot be read"


@pytest.mark.parametrize("file", ["certificate", "client_authorities"])
def test_a_file_that_cannot_be_used_stops_the_start(tls: TlsSettings, tmp_path: Path, file: str) -> None:
    for path in (tmp_path / "none.pem", tmp_path / "bad.pem"):
        (tmp_path / "bad.pem").write_text("not PEM")
        with pytest.raises(SettingsInvalidError, match=f"XINQIAO_TLS__{file.upper()}"):
            ServerCertificate(tls.model_copy(update={file: path}))


async def test_the_whole_gateway_serves_by_tls_and_knows_its_callers_by_their_certificates(
    tmp_path: Path, tls: TlsSettings, authority: Authority
) -> None:
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    environment = {f"{name}_URL": "http://127.0.0.1:9" for name in names}
    environment |= {"REGISTRY_URL": f"sqlite:///{tmp_path / 'registry.db'}", "CUSTOMS_DROP": str(tmp_path)}
    settings = Settings(
        port=0,
        drain=0,
        secret="s" * 32,
        plain_networks=["127.0.0.0/8"],
        audit_file=tmp_path / "audit.jsonl",
        tls=tls,
        certificates=[CertificateSettings.model_validate(BANK)],
    )
    before = asyncio.all_tasks()
    async with running_server(settings, environment) as url:
        assert url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(verify=authority.client(NAME)) as client:
            answer = await client.post(f"{url}/graphql", json={"query": "{ me { organisation } }"})
    assert "first-bank" in answer.text
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"certificates": [BANK]}, "needs XINQIAO_TLS__CLIENT_AUTHORITIES or XINQIAO_PROXIES__NETWORKS"),
        ({"certificates": [{"organisation": "first-bank"}]}, "names no certificate"),
        ({"certificates": [{**BANK, "subject": "CN=a, O=b"}]}, "RFC 4514"),
        ({"tls": {"client_authorities": "ca.pem"}}, "need a certificate"),
        ({"tls": {"certificate": "a.pem", "client_certificates": "required"}}, "needs client_authorities"),
    ],
)
def test_settings_that_do_not_go_together_stop_the_start(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


async def test_no_error_repeats_what_a_caller_sent(signer, organisations, certificate) -> None:
    strict = authenticator(signer, organisations)
    with pytest.raises(AuthenticationFailedError) as caught:
        await strict.authenticate(Credentials(certificate=certificate))
    assert NAME not in str(caught.value)
