from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from connectors.reach import Reach
from gateway.errors import (
    AuthenticationFailedError,
    CredentialsAmbiguousError,
    CredentialsRequiredError,
    IssuerUnknownError,
    KeyExpiredError,
    KeyUnknownError,
    OrganisationUnknownError,
    RoleNotRegisteredError,
    SchemeUnsupportedError,
    SettingsInvalidError,
    TokenAlgorithmError,
    TokenAudienceError,
    TokenExpiredError,
    TokenKeyUnknownError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenSignatureError,
)
from gateway.identity.api_key_file import ApiKey, read_api_keys
from gateway.identity.api_keys import ApiKeys, digest, new_secret
from gateway.identity.certificates import Certificates
from gateway.identity.credentials import Credentials
from gateway.identity.identity import ANONYMOUS, Authenticator
from gateway.identity.tokens import TokenVerifier, load_issuer
from gateway.messages import Principal
from gateway.settings import LEEWAY, IssuerSettings

NOW = 1_800_000_000
PEPPER = "p" * 32


def segment(content: bytes) -> str:
    """A part of a compact JWT."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.fixture
def verifier(signer: Any) -> TokenVerifier:
    return TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())], clock=lambda: NOW)


@pytest.fixture
def token(signer: Any) -> Callable[..., str]:
    """A token that is good at NOW, but for the claims given."""
    return lambda header=None, **claims: signer.token(header, **{"exp": NOW + 60, **claims})


async def test_a_good_token_names_its_caller(verifier: TokenVerifier, token: Callable[..., str]) -> None:
    assert await verifier.verify(token()) == Principal("officer-1", "first-bank", frozenset({"bank.officer"}))


async def test_a_company_speaks_for_itself(verifier: TokenVerifier, token: Callable[..., str]) -> None:
    principal = await verifier.verify(token(org="company", roles=["company"], company="91330106589876543T"))
    assert principal.company == "91330106589876543T"


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": NOW - LEEWAY}, TokenExpiredError),
        ({"exp": None}, TokenMalformedError),
        ({"exp": "soon"}, TokenMalformedError),
        ({"exp": float("inf")}, TokenMalformedError),
        ({"nbf": NOW + LEEWAY + 1}, TokenNotYetValidError),
        ({"iat": NOW + LEEWAY + 1}, TokenNotYetValidError),
        ({"aud": "another"}, TokenAudienceError),
        ({"aud": ["another"]}, TokenAudienceError),
        ({"aud": None}, TokenMalformedError),
        ({"iss": "https://other.example"}, IssuerUnknownError),
        ({"iss": None}, IssuerUnknownError),
        ({"sub": None}, TokenMalformedError),
        ({"sub": ""}, TokenMalformedError),
        ({"org": 7}, TokenMalformedError),
        ({"roles": "bank.officer"}, TokenMalformedError),
        ({"roles": []}, TokenMalformedError),
        ({"roles": [1]}, TokenMalformedError),
        ({"company": 5}, TokenMalformedError),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused_with_the_claims_own_code(
    verifier: TokenVerifier, token: Callable[..., str], claims: dict[str, Any], error: type[AuthenticationFailedError]
) -> None:
    with pytest.raises(error):
        await verifier.verify(token(**claims))


@pytest.mark.parametrize("claims", [{"exp": NOW - LEEWAY + 1}, {"nbf": NOW + LEEWAY}, {"aud": ["other", "xinqiao"]}])
async def test_clocks_may_differ_by_the_leeway_and_audiences_may_be_several(
    verifier: TokenVerifier, token: Callable[..., str], claims: dict[str, Any]
) -> None:
    assert (await verifier.verify(token(**claims))).subject == "officer-1"


async def test_a_token_is_checked_once_but_never_outlives_its_expiry(
    signer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [float(NOW)]
    verifier = TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())], clock=lambda: now[0])
    text = signer.token(exp=NOW + 60)
    principal = await verifier.verify(text)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.identity.tokens.jws.validate_compact", lambda *_: pytest.fail("checked again"))
        assert await verifier.verify(text) is principal
    now[0] = NOW + 60 + LEEWAY
    with pytest.raises(TokenExpiredError):
        await verifier.verify(text)


async def test_no_more_tokens_are_kept_than_the_bound(signer: Any) -> None:
    verifier = TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())], cache_entries=3)
    for number in range(10):
        await verifier.verify(signer.token(sub=str(number)))
    assert len(verifier._verified) == 3


def claims_by(signer: Any) -> dict[str, Any]:
    """What its issuer would say of a caller, soundly."""
    return {
        "iss": signer.settings.id,
        "aud": "xinqiao",
        "sub": "x",
        "org": "first-bank",
        "roles": ["x"],
        "exp": NOW + 9,
    }


async def test_another_key_with_the_same_id_does_not_sign_for_the_issuer(verifier: TokenVerifier, signer: Any) -> None:
    forged = ECKey.import_key({**ECKey.generate_key("P-256").as_dict(private=True), "kid": signer.key.kid})
    claims = claims_by(signer)
    with pytest.raises(TokenSignatureError):
        await verifier.verify(jwt.encode({"alg": "ES256", "kid": signer.key.kid}, claims, forged))


async def test_a_key_that_the_token_brings_along_is_ignored(verifier: TokenVerifier, signer: Any) -> None:
    own = ECKey.generate_key("P-256", auto_kid=True)
    header = {
        "alg": "ES256",
        "jwk": own.as_dict(private=False),
        "jku": "https://evil.example/keys",
        "x5u": "https://e.example",
    }
    claims = claims_by(signer)
    with pytest.raises(TokenSignatureError):
        await verifier.verify(jwt.encode(header, claims, own))
    with pytest.raises(TokenKeyUnknownError):
        await verifier.verify(jwt.encode({**header, "kid": own.kid}, claims, own))


async def test_a_public_key_is_no_hmac_secret(verifier: TokenVerifier, signer: Any, token: Callable[..., str]) -> None:
    """RFC 8725, section 2.1: HS256 keyed with the issuer's public key."""
    head = segment(orjson.dumps({"alg": "HS256", "kid": signer.key.kid}))
    signed = f"{head}.{token().split('.')[1]}"
    signature = hmac.digest(signer.key.as_pem(private=False), signed.encode(), "sha256")
    with pytest.raises(TokenAlgorithmError, match="ES256, Ed25519, PS256, RS256"):
        await verifier.verify(f"{signed}.{segment(signature)}")


async def test_a_key_of_another_kind_than_the_algorithm_does_not_fit(verifier: TokenVerifier, signer: Any) -> None:
    key = RSAKey.generate_key(2048, {"kid": signer.key.kid})
    claims = claims_by(signer)
    with pytest.raises(TokenKeyUnknownError):
        await verifier.verify(jwt.encode({"alg": "RS256", "kid": signer.key.kid}, claims, key))


async def test_an_unsigned_token_is_refused(verifier: TokenVerifier, token: Callable[..., str]) -> None:
    header, claims = segment(b'{"alg":"none"}'), token().split(".")[1]
    with pytest.raises(TokenAlgorithmError):
        await verifier.verify(f"{header}.{claims}.")


async def test_a_consent_is_no_callers_token(verifier: TokenVerifier, token: Callable[..., str]) -> None:
    with pytest.raises(TokenMalformedError, match="typ"):
        await verifier.verify(token({"typ": "consent+jwt"}))
    assert (await verifier.verify(token({"typ": "at+jwt"}))).subject == "officer-1"


async def test_an_issuer_speaks_only_for_the_organisations_that_the_operator_lists(
    make_signer: Callable[..., Any],
) -> None:
    signer = make_signer(organisations=["second-bank"])
    verifier = TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())])
    assert (await verifier.verify(signer.token(org="second-bank"))).organisation == "second-bank"
    with pytest.raises(OrganisationUnknownError):
        await verifier.verify(signer.token(org="first-bank"))


async def test_of_several_issuers_each_signs_for_itself_alone(make_signer: Callable[..., Any]) -> None:
    first, second = make_signer("https://one.example"), make_signer("https://two.example", audience="its-own")
    verifier = TokenVerifier([load_issuer(one.settings, "xinqiao", Reach()) for one in (first, second)])
    assert (await verifier.verify(first.token())).subject == "officer-1"
    assert (await verifier.verify(second.token(aud="its-own"))).subject == "officer-1"
    with pytest.raises(TokenAudienceError):
        await verifier.verify(second.token())
    for header in ({}, {"kid": second.key.kid}):
        with pytest.raises((TokenKeyUnknownError, TokenSignatureError)):
            await verifier.verify(first.token(header, iss=second.settings.id, aud="its-own"))


async def test_an_issuers_leeway_is_its_own(make_signer: Callable[..., Any]) -> None:
    exact = make_signer(leeway=0)
    verifier = TokenVerifier([load_issuer(exact.settings, "xinqiao", Reach())], clock=lambda: NOW)
    assert (await verifier.verify(exact.token(exp=NOW + 1))).subject == "officer-1"
    with pytest.raises(TokenExpiredError):
        await verifier.verify(exact.token(exp=NOW))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["alg", "ES256", "b64", "kid", "crit", "typ"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "b64", "kid", "crit", "typ", "iss"]), inner)
    ),
)


@given(
    st.text()
    | st.tuples(JSON, JSON | st.just({"iss": "https://id.example"}), st.binary()).map(
        lambda parts: f"{segment(orjson.dumps(parts[0]))}.{segment(orjson.dumps(parts[1]))}.{segment(parts[2])}"
    )
)
async def test_no_text_whatever_passes_for_a_token_or_breaks_the_check(signer: Any, text: str) -> None:
    with pytest.raises(AuthenticationFailedError):
        await TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())]).verify(text)


@pytest.mark.parametrize("text", ["[" * 9_000, "." * 9_000, segment(b"[" * 300) + ".e30.", "é.é.é"])
async def test_a_long_or_deep_token_is_malformed(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(TokenMalformedError):
        await verifier.verify(text)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"not json", b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}'])
def test_a_bad_key_set_stops_the_start_and_names_issuer_and_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    settings = IssuerSettings.model_validate({"id": "https://id.example", "jwks": path})
    with pytest.raises(SettingsInvalidError, match=rf"https://id\.example \({re.escape(str(path))}\)"):
        load_issuer(settings, "xinqiao", Reach())


def test_a_private_or_shared_key_stops_the_start() -> None:
    for key in (ECKey.generate_key("P-256"), OctKey.generate_key(256)):
        settings = IssuerSettings.model_validate({"id": "a", "jwks": {"keys": [key.as_dict(private=True)]}})
        with pytest.raises(SettingsInvalidError, match="The key set of a must hold public keys only"):
            load_issuer(settings, "xinqiao", Reach())


async def test_a_key_set_may_be_a_file(tmp_path: Path, signer: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(orjson.dumps(signer.settings.jwks))
    settings = IssuerSettings.model_validate({"id": signer.settings.id, "jwks": str(path)})
    assert (
        await TokenVerifier([load_issuer(settings, "xinqiao", Reach())]).verify(signer.token())
    ).subject == "officer-1"
    path.unlink()
    with pytest.raises(SettingsInvalidError, match=r"keys\.json\) cannot be read: No such file"):
        load_issuer(settings, "xinqiao", Reach())


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.fixture
def entry(secret: str) -> dict[str, Any]:
    return {
        "id": "risk1",
        "digest": digest(secret, PEPPER),
        "subject": "risk-system",
        "organisation": "first-bank",
        "roles": ["bank.officer"],
        "expires": "2027-01-15T08:00:01Z",  # NOW + 1 s
    }


def test_an_api_key_names_its_caller_until_it_expires(entry: dict[str, Any], secret: str) -> None:
    now = [float(NOW)]
    keys = ApiKeys([ApiKey.model_validate(entry)], PEPPER, clock=lambda: now[0])
    assert keys.verify(f"xq_risk1_{secret}") == Principal("risk-system", "first-bank", frozenset({"bank.officer"}))
    now[0] = NOW + 1
    with pytest.raises(KeyExpiredError):
        keys.verify(f"xq_risk1_{secret}")


@pytest.mark.parametrize(
    "text", ["", "xq_risk1_", "xq_risk1_" + "A" * 43, "xq_other_" + "A" * 43, "xq_risk1_" + "A" * 44]
)
def test_a_wrong_secret_and_an_unknown_id_look_the_same(entry: dict[str, Any], text: str) -> None:
    with pytest.raises(KeyUnknownError):
        ApiKeys([ApiKey.model_validate(entry)], PEPPER).verify(text)


def test_without_the_pepper_the_file_opens_nothing(entry: dict[str, Any], secret: str) -> None:
    with pytest.raises(KeyUnknownError):
        ApiKeys([ApiKey.model_validate(entry)], "q" * 32).verify(f"xq_risk1_{secret}")


def test_api_keys_come_from_a_yaml_or_json_file(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "keys"
    path.write_bytes(orjson.dumps({"keys": [entry]}))
    from_json = read_api_keys(path)
    path.write_text(
        "keys:\n- {{id: risk1, digest: '{digest}', subject: risk-system, organisation: first-bank,\n"
        "   roles: [bank.officer], expires: 2027-01-15T08:00:01Z}}\n".format(**entry)
    )
    assert read_api_keys(path) == from_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keys: [", "not YAML or JSON"),
        ("keys:\n- id: risk1", "keys.0.digest: Field required"),
        ("keys:\n- expires: 2027-01-01T00:00:00", "keys.0.expires: Input should have timezone info"),
        ("key: []", "keys: Field required"),
        ("", "valid dictionary"),
    ],
)
def test_a_bad_key_file_stops_the_start_and_names_the_entry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(SettingsInvalidError) as caught:
        read_api_keys(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_an_id_given_to_two_keys_stops_the_start(entry: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalidError, match="risk1 is there twice"):
        ApiKeys([ApiKey.model_validate(entry)] * 2, PEPPER)


@pytest.fixture
def strict(signer: Any, entry: dict[str, Any], organisations: Mapping[str, Any]) -> Authenticator:
    """An authenticator that lets no anonymous caller in."""
    tokens = TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())])
    keys = ApiKeys([ApiKey.model_validate(entry)], PEPPER, clock=lambda: NOW)
    return Authenticator(tokens, keys, Certificates(()), lambda: organisations, anonymous=False)


async def test_a_caller_comes_by_token_or_by_key(strict: Authenticator, signer: Any, secret: str) -> None:
    assert (await strict.authenticate(Credentials(f"Bearer {signer.token()}", None))).subject == "officer-1"
    assert (await strict.authenticate(Credentials(f"bearer  {signer.token()}", None))).subject == "officer-1"
    assert (await strict.authenticate(Credentials(None, f"xq_risk1_{secret}"))).subject == "risk-system"


async def test_without_credentials_the_setting_decides(strict: Authenticator, authenticator: Authenticator) -> None:
    assert await authenticator.authenticate(Credentials(None, None)) == ANONYMOUS
    with pytest.raises(CredentialsRequiredError) as caught:
        await strict.authenticate(Credentials(None, None))
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="xinqiao"'}


async def test_bad_credentials_never_count_as_none(authenticator: Authenticator) -> None:
    for authorization, key in (("Bearer x", None), ("Basic eDp5", None), ("", None), (None, ""), (None, "xq_a_b")):
        with pytest.raises(AuthenticationFailedError):
            await authenticator.authenticate(Credentials(authorization, key))


async def test_a_token_comes_by_the_scheme_bearer_alone(strict: Authenticator, signer: Any) -> None:
    for scheme in ("Basic", "Token", ""):
        with pytest.raises(SchemeUnsupportedError):
            await strict.authenticate(Credentials(f"{scheme} {signer.token()}", None))


async def test_two_credentials_are_one_too_many(strict: Authenticator, signer: Any, secret: str) -> None:
    with pytest.raises(CredentialsAmbiguousError):
        await strict.authenticate(Credentials(f"Bearer {signer.token()}", f"xq_risk1_{secret}"))


async def test_an_organisation_must_be_registered(strict: Authenticator, signer: Any) -> None:
    with pytest.raises(OrganisationUnknownError, match="'third-bank' is not registered") as caught:
        await strict.authenticate(Credentials(f"Bearer {signer.token(org='third-bank')}", None))
    assert caught.value.status == 403


async def test_every_role_must_be_registered_for_the_organisation(strict: Authenticator, signer: Any) -> None:
    with pytest.raises(RoleNotRegisteredError, match=r"'first-bank' is not registered for the role 'policy\.admin'"):
        await strict.authenticate(Credentials(f"Bearer {signer.token(roles=['bank.officer', 'policy.admin'])}", None))


async def test_a_registration_that_ends_ends_for_tokens_already_checked(
    signer: Any, organisations: Mapping[str, Any]
) -> None:
    registered = dict(organisations)
    authenticator = Authenticator(
        TokenVerifier([load_issuer(signer.settings, "xinqiao", Reach())]),
        ApiKeys((), ""),
        Certificates(()),
        lambda: registered,
        anonymous=False,
    )
    text = f"Bearer {signer.token()}"
    await authenticator.authenticate(Credentials(text, None))
    del registered["first-bank"]
    with pytest.raises(OrganisationUnknownError):
        await authenticator.authenticate(Credentials(text, None))


async def test_no_error_repeats_the_credentials(strict: Authenticator, signer: Any, secret: str) -> None:
    texts = [signer.token(aud="other"), signer.token() + "x", "xq_none_" + secret, "secret-that-is-no-token"]
    for text in texts:
        for authorization, key in ((f"Bearer {text}", None), (None, text)):
            with pytest.raises(AuthenticationFailedError) as caught:
                await strict.authenticate(Credentials(authorization, key))
            assert text not in str(caught.value)
            assert text.rsplit(".", maxsplit=1)[-1] not in str(caught.value)
