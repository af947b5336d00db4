from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import import_key

from connectors import secret as secret_module
from connectors.contract import Outcome
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

SECRET = "S3cr3t-of-the-court"

HMAC_TEXT = "{method}\\n{path}\\n{query}\\n{bodyDigest}\\n{timestamp}\\n{nonce}"
HMAC = (
    'auth: {scheme: signature, algorithm: %s, secret: "${KEY}", text: "' + HMAC_TEXT + '", encoding: base64, '
    "sent: {name: X-Sign, prefix: v1=}, timestamp: {name: X-Time}, nonce: {name: X-Nonce}, "
    "body: {algorithm: %s, sent: {name: X-Digest}}}"
)
PLAIN = (
    'auth: {scheme: signature, algorithm: %s, secret: "${KEY}", text: "{%s}&key={secret}", encoding: HEX, '
    'sent: {in: query, name: sign}, parameters: {appKey: "${APP}"}, '
    'timestamp: {in: query, name: ts, format: "%%Y%%m%%d%%H%%M%%S"}}'
)

IN_BODY = "keys: {in: body, name: code}"


def manifest(connection: str) -> str:
    return f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}/接口", {connection}}}
    datasets:
      - record: Penalty
        request: {{method: POST, path: /p, keys: {{in: body, name: code}}, query: {{z: "2 3/", a: 值}}}}
        fields: {{facts: f}}
    """


async def asked_once(agency: Agency, open_one: Any, connection: str, **environment: str) -> Asked:
    async def nothing(_: Asked) -> Any:
        return []

    agency.answer = nothing
    agency.read = bytes  # as it came
    supply = await open_one(manifest(connection), agency.address, environment={"KEY": SECRET, **environment})
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    return agency.asked[-1]


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sm3"])
@pytest.mark.parametrize("body", ["md5", "sm3"])
async def test_an_hmac_is_what_the_agency_computes(agency: Agency, open_one: Any, digest: str, body: str) -> None:
    asked = await asked_once(agency, open_one, HMAC % (f"hmac-{digest}", body))
    shown = asked.headers["x-digest"]
    assert shown == hashlib.new(body, asked.body).hexdigest()
    query = "a=%E5%80%BC&z=2%203%2F"
    lines = ["POST", "/%E6%8E%A5%E5%8F%A3/p", query, shown, asked.headers["x-time"], asked.headers["x-nonce"]]
    expected = hmac.new(SECRET.encode(), "\n".join(lines).encode(), digest).digest()
    assert asked.headers["x-sign"] == "v1=" + base64.b64encode(expected).decode()
    assert abs(int(asked.headers["x-time"]) - time.time()) < 60


async def test_each_request_has_a_nonce_of_its_own(agency: Agency, open_one: Any) -> None:
    first = await asked_once(agency, open_one, HMAC % ("hmac-sha256", "sha256"))
    second = await asked_once(agency, open_one, HMAC % ("hmac-sha256", "sha256"))
    assert first.headers["x-nonce"] != second.headers["x-nonce"]
    assert first.headers["x-sign"] != second.headers["x-sign"]


@pytest.mark.parametrize("digest", ["md5", "sm3"])
@pytest.mark.parametrize("mark", ["plainQuery", "bareQuery"])
async def test_old_systems_digest_the_secret_with_the_sorted_query(
    agency: Agency, open_one: Any, digest: str, mark: str
) -> None:
    asked = await asked_once(agency, open_one, PLAIN % (digest, mark), APP="me&you")
    query = dict(asked.query)
    sign = query.pop("sign")
    assert query["appKey"] == "me&you"
    assert len(query["ts"]) == 14
    equals, between = ("=", "&") if mark == "plainQuery" else ("", "")
    text = between.join(f"{name}{equals}{query[name]}" for name in sorted(query)) + f"&key={SECRET}"
    assert sign == hashlib.new(digest, text.encode()).hexdigest().upper()


FORM = PLAIN.replace("in: query", "in: form")


def as_form(connection: str) -> str:
    return (
        manifest(connection)
        .replace(IN_BODY, f"{IN_BODY}, format: form, body: {{b: 处罚}}")
        .replace('z: "2 3/", a: 值', "a: 1")
    )


async def signed_form(agency: Agency, open_one: Any, connection: str) -> tuple[Asked, dict[str, str]]:
    """The request, and the fields of its form."""

    async def nothing(_: Asked) -> Any:
        return []

    agency.answer = nothing
    agency.read = bytes
    supply = await open_one(as_form(connection), agency.address, environment={"KEY": SECRET, "APP": "me&you"})
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    return agency.asked[-1], dict(parse_qsl(agency.asked[-1].body.decode(), strict_parsing=True))


@pytest.mark.parametrize("headers", ["", 'headers: {content-type: "application/x-www-form-urlencoded;v=${APP}"}, '])
async def test_a_form_is_signed_within_itself_with_all_its_fields(agency: Agency, open_one: Any, headers: str) -> None:
    asked, fields = await signed_form(agency, open_one, headers + FORM % ("sm3", "plainQuery"))
    sign = fields.pop("sign")
    assert set(fields) == {"b", "code", "appKey", "ts"}
    signed = fields | dict(asked.query)
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed)) + f"&key={SECRET}"
    assert sign == hashlib.new("sm3", text.encode()).hexdigest().upper()


async def test_a_signature_in_a_header_is_over_the_fields_of_a_form_too(agency: Agency, open_one: Any) -> None:
    scheme = (
        'auth: {scheme: signature, algorithm: sha256, secret: "${KEY}", text: "{bareQuery}{secret}", sent: {name: S}}'
    )
    asked, fields = await signed_form(agency, open_one, scheme)
    text = f"a1b{fields['b']}code{fields['code']}{SECRET}"
    assert asked.headers["s"] == hashlib.sha256(text.encode()).hexdigest()


MEMBERS = (
    'auth: {scheme: signature, algorithm: %s, secret: "${KEY}", text: "%s", encoding: HEX, sent: {in: body, name: %s},'
    " parameters: {head.app: me}, timestamp: {in: body, name: ts, format: epochSeconds}}"
)


async def signed_body(agency: Agency, open_one: Any, connection: str) -> Any:
    """The JSON that was sent."""

    async def nothing(_: Asked) -> Any:
        return []

    agency.answer = nothing
    text = manifest(connection).replace(IN_BODY, f"{IN_BODY}, body: {{b: 处罚, page: {{no: 1, of: null}}}}")
    supply = await open_one(text, agency.address, environment={"KEY": SECRET, "APP": "a"})
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    return agency.asked[-1].body


async def test_a_body_is_signed_within_itself_with_all_its_members(agency: Agency, open_one: Any) -> None:
    body = await signed_body(agency, open_one, MEMBERS % ("sm3", "{plainQuery}&key={secret}", "sign"))
    sign = body.pop("sign")
    assert body == {
        "b": "处罚",
        "page": {"no": 1, "of": None},
        "code": CODES[0],
        "head": {"app": "me"},
        "ts": body["ts"],
    }
    signed = dict(agency.asked[-1].query) | body | {"page": '{"no":1,"of":null}', "head": '{"app":"me"}'}
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed)) + f"&key={SECRET}"
    assert sign == hashlib.new("sm3", text.encode()).hexdigest().upper()


async def test_members_of_a_body_may_be_signed_by_name(agency: Agency, open_one: Any) -> None:
    template = "{body.head.app}|{body.page}|{body.nowhere}|{timestamp}|{secret}"
    body = await signed_body(agency, open_one, MEMBERS % ("sm3", template, "head.sign"))
    text = f'me|{{"no":1,"of":null}}||{body["ts"]}|{SECRET}'
    assert body["head"] == {"app": "me", "sign": hashlib.new("sm3", text.encode()).hexdigest().upper()}


@pytest.mark.parametrize("keys", ["keys: {in: body, name: code}, format: form", "keys: {in: body, style: list}"])
async def test_what_is_no_object_has_no_members_for_it(open_one: Any, keys: str) -> None:
    text = manifest(MEMBERS % ("md5", "{secret}", "sign")).replace(IN_BODY, keys)
    with pytest.raises(ConnectionNotConfigured, match=r"connection\.auth is not for these requests"):
        await open_one(text, "http://127.0.0.1:1", environment={"KEY": SECRET})


async def test_a_key_may_go_into_a_form(agency: Agency, open_one: Any) -> None:
    scheme = 'auth: {scheme: apiKey, in: form, name: 密钥, value: "${KEY}"}'
    _, fields = await signed_form(agency, open_one, scheme)
    assert fields == {"b": "处罚", "code": CODES[0], "密钥": SECRET}


@pytest.mark.parametrize(
    "connection", [FORM % ("md5", "plainQuery"), 'auth: {scheme: apiKey, in: form, name: k, value: "${KEY}"}']
)
async def test_what_is_no_form_has_no_fields_for_it(open_one: Any, connection: str) -> None:
    with pytest.raises(ConnectionNotConfigured, match=r"connection\.auth is not for these requests"):
        await open_one(manifest(connection), "http://127.0.0.1:1", environment={"KEY": SECRET, "APP": "a"})


@pytest.mark.parametrize(
    "change",
    [
        ("{nonce}", "{nonsense}"),
        ("timestamp: {name: X-Time}, ", ""),
        ("nonce: {name: X-Nonce}, ", ""),
        ("hmac-sha256", "sha256"),
        ("hmac-sha256", "hmac-sha3"),
        ("auth:", "headers: {x-digest: '${A}'}, auth:"),
    ],
)
def test_a_template_that_cannot_work_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(manifest(HMAC % ("hmac-sha256", "sha256")))
    load_manifest(file, SHAPES)
    file.write_text(manifest((HMAC % ("hmac-sha256", "sha256")).replace(*change)))
    with pytest.raises(ManifestInvalid):
        load_manifest(file, SHAPES)


KEYS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def public(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


KEY_TYPES = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA", "Ed25519": "OKP"}


def read_token(token: str, key: Any, algorithm: str) -> Any:
    return jwt.decode(token, import_key(public(key), KEY_TYPES[algorithm]), algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_of_ours_is_signed_with_the_key_of_a_file(
    agency: Agency, open_one: Any, tmp_path: Path, algorithm: str
) -> None:
    key, file = KEYS[algorithm](), tmp_path / "key.pem"
    file.write_text(pem(key))
    auth = f'auth: {{scheme: jwt, key: "file:{file}", algorithm: {algorithm}, keyId: k1, claims: {{iss: us, aud: b}}}}'
    asked = await asked_once(agency, open_one, auth)
    token = read_token(asked.headers["authorization"].removeprefix("Bearer "), key, algorithm)
    assert token.header == {"typ": "JWT", "alg": algorithm, "kid": "k1"}
    assert {"iss": "us", "aud": "b"}.items() <= token.claims.items()
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert abs(token.claims["iat"] - time.time()) < 60


async def test_a_refused_token_of_ours_is_signed_anew(agency: Agency, open_one: Any) -> None:
    shown: list[str] = []

    async def answer(asked: Asked) -> Any:
        shown.append(asked.headers["authorization"])
        return [] if len(shown) != 2 else (401, {})

    agency.answer = answer
    auth = 'auth: {scheme: jwt, key: "${PEM}", algorithm: ES256}'
    supply = await open_one(manifest(auth), agency.address, environment={"PEM": pem(KEYS["ES256"]())})
    for _ in range(2):
        assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    assert shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize("use", ["client", "grant"])
async def test_a_token_is_given_for_an_assertion(
    agency: Agency, open_one: Any, tmp_path: Path, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_module, "LOOK_SECONDS", 0)
    forms: list[dict[str, str]] = []

    async def answer(asked: Asked) -> Any:
        if asked.path != "/token":
            return []
        forms.append(asked.body)
        return {"access_token": "t", "expires_in": 0}

    agency.answer = answer
    agency.read = lambda content: dict(parse_qsl(content.decode())) if b"=" in content else json.loads(content)
    first, second, file = KEYS["ES256"](), KEYS["ES256"](), tmp_path / "key.pem"
    file.write_text(pem(first))
    auth = (
        'auth: {scheme: oauth2, tokenUrl: "${ADDRESS}/token", clientId: us, '
        f'assertion: {{key: "file:{file}", algorithm: ES256, use: {use}}}}}'
    )
    supply = await open_one(manifest(auth), agency.address)
    await ask(supply, CODES[:1])
    (tmp_path / "new").write_text(pem(second))
    (tmp_path / "new").replace(file)
    await ask(supply, CODES[:1])
    (tmp_path / "new").write_text("no key, but a text")
    (tmp_path / "new").replace(file)
    await ask(supply, CODES[:1])
    urn = "urn:ietf:params:oauth"
    name = {"client": "client_assertion", "grant": "assertion"}[use]
    rest = {
        "client": {
            "grant_type": "client_credentials",
            "client_assertion_type": f"{urn}:client-assertion-type:jwt-bearer",
            "client_id": "us",
        },
        "grant": {"grant_type": f"{urn}:grant-type:jwt-bearer"},
    }[use]
    for form, key in zip(forms, (first, second, second), strict=True):
        claims = read_token(form.pop(name), key, "ES256").claims
        assert {"iss": "us", "sub": "us", "aud": f"{agency.address}/token"}.items() <= claims.items()
        assert form == rest


@pytest.mark.parametrize(
    "key",
    [pem(ec.generate_private_key(ec.SECP384R1())), public(KEYS["ES256"]()), "{}", "[]", "S3cr3t", '{"kty": "EC"}'],
)
async def test_a_key_that_cannot_sign_stops_the_start(open_one: Any, key: str) -> None:
    auth = 'auth: {scheme: jwt, key: "${PEM}", algorithm: ES256}'
    with pytest.raises(ConnectionNotConfigured, match=r"connection\.auth\.key is not a private key") as raised:
        await open_one(manifest(auth), "http://127.0.0.1:1", environment={"PEM": key})
    assert "S3cr3t" not in str(raised.value)
    assert "BEGIN" not in str(raised.value)


@pytest.mark.parametrize("proof", ["", ', clientSecret: "${A}", assertion: {key: "${A}", algorithm: ES256}'])
def test_a_client_has_one_proof(tmp_path: Path, proof: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(manifest('auth: {scheme: oauth2, tokenUrl: "${A}", clientId: us' + proof + "}"))
    with pytest.raises(ManifestInvalid, match="one of them"):
        load_manifest(file, SHAPES)
