from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from joserfc.jwk import ECKey, OctKey
from typer.testing import CliRunner

from gateway.cli import app

COMPANY = "91330100799655058B"
ISSUER = "https://consent.example"
WHO = ("--organisation", "first-bank", "--purpose", "credit.underwriting")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `xinqiao consent` in a directory of its own, for a gateway that counts one issuer's consents."""
    monkeypatch.chdir(tmp_path)
    issuers = [{"id": ISSUER, "jwks": "jwks.json", "companies": ["33"], "revocations": "revocations.jwt"}]
    monkeypatch.setenv("XINQIAO_CONSENT_ISSUERS", orjson.dumps(issuers).decode())

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["consent", *arguments], input=stdin)

    return invoke


@pytest.fixture
def issuer(run: Run) -> Run:
    """The same, once the issuer has its keys and an empty list."""
    assert run("keys", "--key", "issuer.jwk", "--jwks", "jwks.json").exit_code == 0
    Path("revocations.jwt").write_text(run("revoke", "--key", "issuer.jwk", "--issuer", ISSUER).stdout)
    return run


def issue(run: Run, *more: str, company: str = COMPANY, scope: tuple[str, ...] = ("RESTRICTED",)) -> Result:
    scopes = [part for name in scope for part in ("--scope", name)]
    return run("issue", "--key", "issuer.jwk", "--issuer", ISSUER, "--company", company, *WHO, *scopes, *more)


def verified(run: Run, token: str, *more: str) -> dict[str, Any]:
    said = run("verify", "-", *WHO, "--json", *more, stdin=token)
    told: dict[str, Any] = orjson.loads(said.stdout)
    assert said.exit_code == (0 if told["counts"] else 1)
    return told


def test_a_consent_is_issued_counts_is_revoked_and_counts_no_more(issuer: Run) -> None:
    token = issue(issuer, "--id", "c-1", scope=("RESTRICTED", "TaxPayment.*", "Penalty", "Penalty.amount")).stdout
    told = verified(issuer, token)
    assert told["counts"]
    assert told["company"] == COMPANY
    assert told["scope"] == ["Penalty", "Penalty.amount", "RESTRICTED", "TaxPayment.*"]
    text = issuer("revoke", "c-1", "--key", "issuer.jwk", "--issuer", ISSUER, "--list", "revocations.jwt").stdout
    Path("revocations.jwt").write_text(text)
    assert verified(issuer, token)["code"] == "CONSENT_REVOKED"
    assert verified(issuer, issue(issuer).stdout)["counts"]


def test_verify_tells_people_what_the_consent_is_for_or_why_it_does_not_count(issuer: Run) -> None:
    token = issue(issuer).stdout.strip()
    said = issuer("verify", token, *WHO)
    assert said.exit_code == 0
    assert "The consent counts." in said.stdout
    assert COMPANY in said.stdout
    refused = issuer("verify", token, "--organisation", "second-bank", "--purpose", "credit.underwriting")
    assert refused.exit_code == 1
    assert token not in refused.output


def test_verify_says_what_a_gateway_would_say_at_another_time_for_another_purpose_or_company(issuer: Run) -> None:
    token = issue(issuer, "--days", "3").stdout
    assert verified(issuer, token, "--at", "2020-01-01T00:00:00+08:00")["code"] == "CONSENT_NOT_YET_VALID"
    assert verified(issuer, token, "--at", "2100-01-01T00:00:00Z")["code"] == "CONSENT_EXPIRED"
    assert verified(issuer, token, "--purpose", "credit.monitoring")["code"] == "CONSENT_FOR_OTHER_PURPOSE"
    assert verified(issuer, token, "--purpose", "supervision.tax")["code"] == "PURPOSE_REFUSED"
    assert verified(issuer, issue(issuer, "--audience", "other").stdout)["code"] == "CONSENT_WRONG_AUDIENCE"
    elsewhere = issue(issuer, company="91110000600037341L").stdout
    assert verified(issuer, elsewhere)["code"] == "CONSENT_BEYOND_ISSUER"


def test_verify_says_what_is_wrong_with_the_list(issuer: Run) -> None:
    token = issue(issuer).stdout
    Path("revocations.jwt").unlink()
    said = issuer("verify", "-", *WHO, stdin=token)
    assert said.exit_code == 1
    assert "CONSENT_REVOCATION_UNKNOWN" in said.stderr
    assert "revocations.jwt: there is no such file" in said.stderr


def test_verify_wants_a_moment_with_its_offset(issuer: Run) -> None:
    for moment in ("yesterday", "2026-11-24T12:00:00"):
        said = issuer("verify", "x", *WHO, "--at", moment)
        assert said.exit_code == 2
        assert "2026-11-24T12:00:00+08:00" in said.output


def test_the_private_key_is_its_owners_alone_and_is_never_overwritten_nor_published(run: Run) -> None:
    assert run("keys", "--key", "issuer.jwk", "--jwks", "jwks.json").exit_code == 0
    private = Path("issuer.jwk").read_bytes()
    assert stat.S_IMODE(Path("issuer.jwk").stat().st_mode) == 0o600
    assert all("d" not in key for key in orjson.loads(Path("jwks.json").read_bytes())["keys"])
    again = run("keys", "--key", "issuer.jwk", "--jwks", "jwks.json")
    assert again.exit_code == 2
    assert "name a new file" in again.output
    assert Path("issuer.jwk").read_bytes() == private


def test_keys_rotate_by_a_second_key_in_the_set(issuer: Run) -> None:
    old = issue(issuer).stdout
    Path("issuer.jwk").rename("old.jwk")
    said = issuer("keys", "--key", "issuer.jwk", "--jwks", "jwks.json", "--json")
    assert orjson.loads(said.stdout)["keys"] == 2
    new = issue(issuer, "--json")
    assert verified(issuer, old)["counts"]
    assert verified(issuer, orjson.loads(new.stdout)["consent"])["counts"]


def test_a_list_signed_with_an_older_key_is_carried_on_with_the_key_set(issuer: Run) -> None:
    listing = ("--issuer", ISSUER, "--list", "revocations.jwt")
    Path("revocations.jwt").write_text(issuer("revoke", "c-1", "--key", "issuer.jwk", *listing).stdout)
    issuer("keys", "--key", "new.jwk", "--jwks", "jwks.json")
    refused = issuer("revoke", "c-2", "--key", "new.jwk", *listing)
    assert refused.exit_code == 2
    assert "--jwks" in refused.output
    said = issuer("revoke", "c-2", "--key", "new.jwk", *listing, "--jwks", "jwks.json", "--json")
    assert orjson.loads(said.stdout)["revoked"] == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("scope", "hint"),
    [
        ("RESTRICTD", "did you mean `RESTRICTED`?"),
        ("Penalti", "did you mean `Penalty`?"),
        ("Penalty.amonut", "did you mean `Penalty.amount`?"),
        ("TaxPaiment.*", "did you mean `TaxPayment.*`?"),
        ("SEALED", "name each sealed field"),
        ("*", "tiers, Type, Type.field or Type.*"),
        ("any", "unknown scope `any`"),
    ],
)
def test_a_scope_that_names_nothing_is_refused_with_the_nearest_name(issuer: Run, scope: str, hint: str) -> None:
    said = issue(issuer, scope=("RESTRICTED", scope))
    assert said.exit_code == 2
    assert said.stderr.startswith("CONSENT_SCOPE_INVALID: ")
    assert hint in said.stderr
    assert not said.stdout


def test_a_mistyped_credit_code_is_refused(issuer: Run) -> None:
    said = issue(issuer, company=f"{COMPANY[:-1]}0")
    assert said.exit_code == 2
    assert not said.stdout


def test_a_consent_that_no_gateway_would_read_is_not_signed(issuer: Run) -> None:
    said = issue(issuer, "--id", "c" * 8_000)
    assert said.exit_code == 2
    assert "longer than 8192 characters" in " ".join(said.output.split())


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"not a key",
        b"{}",
        orjson.dumps(ECKey.generate_key("P-256").as_dict(private=False)),
        orjson.dumps(ECKey.generate_key("P-384").as_dict(private=True)),
        orjson.dumps(OctKey.generate_key(256).as_dict()),
    ],
    ids=["missing", "text", "empty", "public", "another curve", "shared secret"],
)
def test_a_key_that_cannot_sign_is_refused_with_the_way_out(run: Run, content: bytes | None) -> None:
    if content is not None:
        Path("issuer.jwk").write_bytes(content)
    said = issue(run)
    assert said.exit_code == 2
    assert "xinqiao consent keys" in said.output
