from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from policies.consent import ConsentIssuer, ConsentVerifier, issue_consent
from policies.errors import (
    ConsentForged,
    ConsentRefused,
    ConsentRevocationUnknown,
    ConsentRevoked,
    RevocationsInvalid,
)
from policies.revocation import LEEWAY, TYPE, RevocationList, issue_revocations, read_revocations
from policies.signature import MAX_BYTES
from policies.tree import Tree

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS = NOW.timestamp()
KEY = ECKey.generate_key("P-256", auto_kid=True)
PURPOSES = Tree({"credit": "any"})


def public(*keys: Key) -> KeySet:
    return KeySet.import_key_set({"keys": [key.as_dict(private=False) for key in keys]})


def revocations(*revoked: str, key: Any = KEY, **changes: Any) -> bytes:
    claims = {"issuer": "notary", "issued": NOW, "expires": NOW + timedelta(hours=1)} | changes
    return issue_revocations(key, revoked=revoked, **claims).encode()


def signed(claims: object, **header: object) -> bytes:
    protected = {"alg": "ES256", "kid": KEY.kid, "typ": TYPE} | header
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    return jws.serialize_compact(protected, json.dumps(claims), KEY, registry=registry).encode()


def read(text: bytes, now: float = SECONDS) -> RevocationList:
    return read_revocations(text, "notary", public(KEY), now)


def consent(id_: str = "c-1", key: Any = KEY) -> str:
    return issue_consent(
        key,
        id=id_,
        issuer="notary",
        audience="xinqiao",
        company="91330100799655058B",
        organisation="first-bank",
        purposes=["credit"],
        scope=["RESTRICTED"],
        issued=NOW - timedelta(days=1),
        expires=NOW + timedelta(days=1),
    )


def verifier(listed: RevocationList | None, keys: KeySet | None = None) -> ConsentVerifier:
    issuer = ConsentIssuer("notary", keys or public(KEY), frozenset({"any"}), listed)
    return ConsentVerifier({"notary": issuer}, "xinqiao", PURPOSES)


def test_a_list_names_what_is_revoked_and_until_when_it_may_be_relied_on() -> None:
    assert read(revocations("c-1", "c-2")) == RevocationList(frozenset({"c-1", "c-2"}), SECONDS, SECONDS + 3_600)
    assert read(revocations() + b"\n").revoked == frozenset()


@pytest.mark.parametrize(
    "key",
    [OKPKey.generate_key("Ed25519", auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)],
    ids=lambda key: key.key_type,
)
def test_lists_are_signed_by_any_key_of_the_issuers_set(key: Key) -> None:
    assert read_revocations(revocations("c-1", key=key), "notary", public(KEY, key), SECONDS).revoked == {"c-1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no JWS"),
        (b"not a list", "no JWS"),
        (b"\xff\xfe", "no JWS"),
        (b"x" * (MAX_BYTES + 1), "longer than"),
        (consent().encode(), r"type \(typ\) must be consent-revocations\+jwt"),
        (revocations(key=ECKey.generate_key("P-256", auto_kid=True)), "signature"),
        (revocations("c-1")[:-4] + b"AAAA", "signature"),
        (revocations(issuer="another"), "another issuer's"),
        (revocations(issued=NOW + timedelta(seconds=LEEWAY + 1)), "in the future"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_is_none_or_is_not_the_issuers_is_refused_with_its_reason(text: bytes, message: str) -> None:
    with pytest.raises(RevocationsInvalid, match=message):
        read(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iat": "now"},
        {"exp": None},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"revoked": None},
        {"revoked": "c-1"},
        {"revoked": ["c-1", 2]},
        {"revoked": [""]},
        {"revoked": ["\ud800"]},
        {"revoked": {"c-1": 1}},
    ],
    ids=str,
)
def test_a_claim_of_another_form_is_refused_by_name(changes: dict[str, object]) -> None:
    claims = {"iss": "notary", "iat": SECONDS, "exp": SECONDS + 60, "revoked": []} | changes
    with pytest.raises(RevocationsInvalid, match=f"`{next(iter(changes))}`"):
        read(signed(claims))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_list_that_is_not_signed_with_a_public_key_is_refused(algorithm: str) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": TYPE}).encode()).rstrip(b"=")
    payload = revocations().split(b".")[1]
    secret = OctKey.generate_key(256)
    with pytest.raises(RevocationsInvalid, match="signature"):
        read_revocations(header + b"." + payload + b".", "notary", KeySet([secret]), SECONDS)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.binary(max_size=40), min_size=3, max_size=3).map(
            lambda parts: b".".join(base64.urlsafe_b64encode(part) for part in parts)
        ),
        st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists, max_leaves=5).map(signed),
        st.dictionaries(st.sampled_from(["iss", "iat", "exp", "revoked"]), st.none() | st.text() | st.floats()).map(
            signed
        ),
    )
)
def test_no_bytes_whatever_are_taken_for_a_list(text: bytes) -> None:
    with pytest.raises(RevocationsInvalid):
        read(text)


def test_a_consent_on_the_list_is_refused_and_another_of_its_issuer_counts() -> None:
    checks = verifier(read(revocations("c-1")))
    with pytest.raises(ConsentRevoked):
        checks.verify(consent(), "first-bank", "credit", NOW)
    assert checks.verify(consent("c-2"), "first-bank", "credit", NOW).id == "c-2"


def test_without_a_list_or_past_its_freshness_no_consent_of_the_issuer_counts() -> None:
    with pytest.raises(ConsentRevocationUnknown):
        verifier(None).verify(consent(), "first-bank", "credit", NOW)
    stale = verifier(read(revocations("c-1", expires=NOW + timedelta(hours=1))))
    at_its_end = NOW + timedelta(hours=1)
    assert stale.verify(consent("c-2"), "first-bank", "credit", at_its_end - timedelta(seconds=1)).id == "c-2"
    with pytest.raises(ConsentRevocationUnknown):
        stale.verify(consent("c-2"), "first-bank", "credit", at_its_end)
    with pytest.raises(ConsentRevoked):
        stale.verify(consent("c-1"), "first-bank", "credit", at_its_end)


def test_what_was_checked_once_is_checked_again_for_time_caller_purpose_and_revocation() -> None:
    first, token = verifier(read(revocations())), consent("c-9")
    keys = first.issuers["notary"].keys
    assert first.verify(token, "first-bank", "credit", NOW)
    for organisation, purpose, now in (
        ("second-bank", "credit", NOW),
        ("first-bank", None, NOW),
        ("first-bank", "credit", NOW + timedelta(days=2)),
        ("first-bank", "credit", NOW - timedelta(days=2)),
    ):
        with pytest.raises(ConsentRefused):
            first.verify(token, organisation, purpose, now)
    issuer = ConsentIssuer("notary", keys, frozenset({"any"}), read(revocations("c-9")))
    revoked = ConsentVerifier({"notary": issuer}, "xinqiao", PURPOSES, first.genuine)
    with pytest.raises(ConsentRevoked):
        revoked.verify(token, "first-bank", "credit", NOW)


def test_a_signature_is_checked_once_for_as_long_as_the_keys_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    validate = jws.validate_compact
    monkeypatch.setattr(jws, "validate_compact", lambda *args, **names: checked.append(1) or validate(*args, **names))
    token, checks = consent(), verifier(read(revocations()))
    checked.clear()
    for _ in range(3):
        checks.verify(token, "first-bank", "credit", NOW)
    assert len(checked) == 1


def test_a_consent_that_counted_is_forged_once_its_key_is_taken_out() -> None:
    token, before = consent(), verifier(read(revocations()))
    assert before.verify(token, "first-bank", "credit", NOW)
    other = ECKey.generate_key("P-256", auto_kid=True)
    issuer = ConsentIssuer("notary", public(other), frozenset({"any"}))
    after = ConsentVerifier({"notary": issuer}, "xinqiao", PURPOSES, before.genuine)
    with pytest.raises(ConsentForged):
        after.verify(token, "first-bank", "credit", NOW)
    issuer = ConsentIssuer("notary", public(other, KEY), frozenset({"any"}))
    assert ConsentVerifier({"notary": issuer}, "xinqiao", PURPOSES, before.genuine).verify(
        token, "first-bank", "credit", NOW
    )


def test_an_issuer_that_is_no_longer_configured_is_unknown_though_its_consent_was_checked_before() -> None:
    token, before = consent(), verifier(read(revocations()))
    assert before.verify(token, "first-bank", "credit", NOW)
    with pytest.raises(ConsentRefused) as caught:
        ConsentVerifier({}, "xinqiao", PURPOSES, before.genuine).verify(token, "first-bank", "credit", NOW)
    assert caught.value.code == "CONSENT_ISSUER_UNKNOWN"


def test_how_many_checked_consents_are_kept_is_bounded() -> None:
    checks = verifier(read(revocations()))
    small: Any = type(checks.genuine)(2)
    checks = ConsentVerifier(checks.issuers, "xinqiao", PURPOSES, small)
    for number in range(5):
        checks.verify(consent(f"c-{number}"), "first-bank", "credit", NOW)
    assert len(small) == 2
