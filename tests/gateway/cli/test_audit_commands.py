"""`xinqiao audit` and `xinqiao receipt`, on a log that a gateway could have written."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import pwd
import stat
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from gateway.assembly import read_secrets
from gateway.audit.keys import load_signing_keys
from gateway.audit.open import audit_log, certifying
from gateway.cli import app, audit
from gateway.errors import SettingsInvalidError
from gateway.receipt import Receipts, Salt, salted_digest
from gateway.settings import load_settings

COMPANY, OTHER = "91330100799655058B", "91330100TEXT00025M"
AT = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)

Run = Callable[..., Result]


def answered(request: str, company: str = COMPANY, hour: int = 9, **more: Any) -> dict[str, Any]:
    decisions = [
        {"agency": "tax", "coordinate": f"TaxArrears.{field}", "decision": decision}
        for field, decision in (("balance", "MASKED"), ("reportedOn", "CLEAR"))
    ]
    return {
        "at": AT.replace(hour=hour),
        "requestId": request,
        "subject": "officer",
        "organisation": "first-bank",
        "purpose": "credit.underwriting",
        "outcome": "ANSWERED",
        "companies": [company],
        "classes": [{"bases": ["consent"], "companies": 1, "decisions": decisions}],
        **more,
    }


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `xinqiao` in a directory of its own, with an audit log that is signed and anchored."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    assert invoke("audit", "keys", "--key", "audit.jwk", "--jwks", "audit.jwks.json").exit_code == 0
    for name, value in {
        "SECRET": "s" * 32,
        "AUDIT_FILE": "log/audit.jsonl",
        "AUDIT__SIGNING_KEY": "audit.jwk",
        "AUDIT__KEYS": "audit.jwks.json",
        "AUDIT__ANCHORS": '["anchor"]',
    }.items():
        monkeypatch.setenv(f"XINQIAO_{name}", value)
    return invoke


def write(*records: dict[str, Any], part: str = "", certified: bool = True) -> None:
    async def written() -> None:
        settings = load_settings()
        async with audit_log(settings, part) as log:
            for record in records:
                await log.append(record)
        if certified:
            async with certifying(settings):
                pass

    asyncio.run(written())


def lines(path: str = "log/audit-reads.jsonl") -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_a_good_log_verifies_and_a_changed_one_is_told_with_the_place(run: Run) -> None:
    write(answered("r1"), answered("r2"))
    said = run("audit", "verify", "--json")
    assert said.exit_code == 0
    told = orjson.loads(said.stdout)
    assert (told["checkpoints"], told["anchored"], told["signed"]) == (1, {"anchor 1": 1}, True)
    file = Path("log/audit.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"r1"', b'"r9"'))
    said = run("audit", "verify")
    assert said.exit_code == 1
    assert "RECORD_CHANGED" in said.stdout
    assert not Path("log/audit-reads.jsonl").exists()


def test_verifying_without_a_key_or_an_anchor_says_what_cannot_be_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(answered("r1"))
    for name in ("SIGNING_KEY", "KEYS", "ANCHORS"):
        monkeypatch.delenv(f"XINQIAO_AUDIT__{name}")
    said = run("audit", "verify")
    assert said.exit_code == 0
    assert "can write it anew" in said.stdout
    assert "cannot be seen" in said.stdout
    assert (
        "anchor 1 has 1 checkpoint" in run("audit", "verify", "--keys", "audit.jwks.json", "--anchor", "anchor").stdout
    )


def test_who_looked_at_a_company_is_told_with_purpose_and_basis_and_of_no_other_company(run: Run) -> None:
    several = {
        "companies": [OTHER, COMPANY],
        "classes": [
            {"codes": [OTHER], "bases": ["jurisdiction"], "companies": 1, "decisions": []},
            {"codes": [COMPANY], "bases": [], "companies": 1, "decisions": []},
        ],
    }
    write(answered("late", hour=12), answered("elsewhere", OTHER), part="-1")
    write(answered("early", hour=8, **several), part="-2")
    looks = orjson.loads(run("audit", "who-looked", COMPANY, "--json").stdout)
    assert [(look["request"], look["bases"]) for look in looks] == [("early", []), ("late", ["consent"])]
    assert looks[1] == {
        "at": "2026-11-24T12:00:00+00:00",
        "organisation": "first-bank",
        "subject": "officer",
        "purpose": "credit.underwriting",
        "bases": ["consent"],
        "clear": ["TaxArrears.reportedOn"],
        "masked": ["TaxArrears.balance"],
        "withheld": [],
        "request": "late",
    }
    since = run("audit", "who-looked", COMPANY, "--since", "2026-11-24T17:00:00+08:00", "--json")
    assert [look["request"] for look in orjson.loads(since.stdout)] == ["late"]
    assert run("audit", "who-looked", "nonsense").exit_code == 2
    table = run("audit", "who-looked", COMPANY).stdout
    assert "first-bank" in table
    assert OTHER not in table


def test_whoever_reads_is_recorded_first_with_what_was_sought_and_that_record_is_chained_too(run: Run) -> None:
    write(answered("r1"))
    run("audit", "who-looked", COMPANY)
    run("audit", "show", "--organisation", "first-bank")
    run("audit", "export", "--output", "out.jsonl")
    run("audit", "proof", "r1")
    who, show, export, proof = lines()
    user = pwd.getpwuid(os.getuid()).pw_name
    assert (who["subject"], who["outcome"], who["command"]) == (user, "READ", "who-looked")
    assert who["sought"] == {"company": COMPANY}
    assert (show["sought"], export["command"], proof["sought"]) == (
        {"organisation": "first-bank"},
        "export",
        {"request": "r1"},
    )
    write()
    chains = orjson.loads(run("audit", "verify", "--json").stdout)["chains"]
    assert [(one["chain"], one["certified"]) for one in chains] == [("xinqiao", 1), ("xinqiao-reads", 4)]


def test_whoever_reads_cannot_pass_for_another_by_what_the_environment_says(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    login = tmp_path / "loginuid"
    monkeypatch.setattr("gateway.cli.audit._LOGIN_UID", login)
    login.write_text("0")
    write(answered("r1"))
    run("audit", "show")
    login.write_text(str(2**32 - 1))  # nobody logged in: a service, a container
    run("audit", "show")
    user, root = pwd.getpwuid(os.getuid()).pw_name, pwd.getpwuid(0).pw_name
    assert [(line["subject"], line["onBehalfOf"]) for line in lines()] == [(user, root), (user, "somebody-else")]


def test_a_log_is_not_read_where_that_cannot_be_recorded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "READ_SECONDS", 0.2)
    write(answered("r1"))
    Path("log/audit-reads.jsonl").mkdir()
    said = run("audit", "show")
    assert said.exit_code == 2
    assert "first-bank" not in said.stdout


def test_the_newest_records_are_shown_whatever_their_worker_and_one_by_its_request(run: Run) -> None:
    write(*(answered(f"a{hour}", hour=hour) for hour in (1, 4, 5)), part="-1")
    write(*(answered(f"b{hour}", hour=hour) for hour in (2, 3, 6)), part="-2")
    shown = run("audit", "show", "--last", "3", "--until", "2026-11-24T06:00:00+00:00", "--json").stdout
    assert [orjson.loads(line)["requestId"] for line in shown.splitlines()] == ["b3", "a4", "a5"]
    assert orjson.loads(run("audit", "show", "--request", "b2").stdout)["companies"] == [COMPANY]
    assert "first-bank" in run("audit", "show").stdout
    assert run("audit", "show", "--request", "none").exit_code == 1


def test_records_are_exported_with_their_chain_to_a_new_file_for_its_owner_alone(run: Run) -> None:
    write(answered("r1"), answered("r2", organisation="second-bank"))
    assert (
        "1 record in out.jsonl"
        in run("audit", "export", "--organisation", "second-bank", "--output", "out.jsonl").stdout
    )
    ((one),) = lines("out.jsonl")
    assert (one["chain"], one["number"], one["requestId"]) == ("xinqiao", 2, "r2")
    assert stat.S_IMODE(Path("out.jsonl").stat().st_mode) == 0o600
    assert run("audit", "export", "--output", "out.jsonl").exit_code == 2


def test_one_record_is_proved_to_somebody_who_has_the_public_keys_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(answered("r1"), answered("r2"), answered("r3"))
    made = run("audit", "proof", "r2").stdout
    assert "r1" not in made
    Path("proof.json").write_text(made)
    monkeypatch.setenv("XINQIAO_AUDIT_FILE", "elsewhere/audit.jsonl")
    told = orjson.loads(run("audit", "check-proof", "proof.json", "--keys", "audit.jwks.json", "--json").stdout)
    assert (told["checkpoint"], told["record"]["requestId"]) == (1, "r2")
    Path("proof.json").write_text(made.replace("r2", "r9"))
    assert run("audit", "check-proof", "proof.json", "--keys", "audit.jwks.json").exit_code == 1
    Path("proof.json").write_text("nonsense")
    assert run("audit", "check-proof", "proof.json", "--keys", "audit.jwks.json").exit_code == 1
    assert run("audit", "proof", "r4").exit_code == 1


def test_a_body_is_compared_with_what_was_answered(run: Run) -> None:
    salt: Salt = read_secrets(load_settings()).salt
    body = b'{"data":{}}'
    write(answered("r1", response=salted_digest(salt.nonce("r1"), body)))
    Path("body").write_bytes(body)
    assert run("audit", "check-answer", "r1", "body").exit_code == 0
    Path("body").write_bytes(body + b" ")
    assert run("audit", "check-answer", "r1", "body").exit_code == 1
    assert run("audit", "check-answer", "r2", "body").exit_code == 1


def test_keys_are_added_to_the_set_so_that_what_the_old_one_signed_still_verifies(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(answered("r1"))
    made = run("audit", "keys", "--key", "new.jwk", "--jwks", "audit.jwks.json", "--json")
    assert orjson.loads(made.stdout)["keys"] == 2
    assert stat.S_IMODE(Path("new.jwk").stat().st_mode) == 0o600
    monkeypatch.setenv("XINQIAO_AUDIT__SIGNING_KEY", "new.jwk")
    write(answered("r2"))
    told = orjson.loads(run("audit", "verify", "--json").stdout)
    assert (told["checkpoints"], told["findings"]) == (2, [])


@pytest.mark.usefixtures("run")
def test_a_signing_key_that_nobody_could_verify_or_of_another_kind_stops_the_start() -> None:
    Path("audit.jwk").write_bytes(orjson.dumps(OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True)))
    with pytest.raises(SettingsInvalidError, match="XINQIAO_AUDIT__KEYS"):
        load_signing_keys(load_settings().audit)
    for content in (
        b"",
        b"{}",
        b'{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}',
        orjson.dumps(OKPKey.generate_key("X25519").as_dict()),
    ):
        Path("audit.jwk").write_bytes(content)
        with pytest.raises(SettingsInvalidError, match=r"audit\.jwk"):
            load_signing_keys(load_settings().audit)


def test_a_receipt_is_verified_with_the_public_keys_alone(run: Run) -> None:
    keys = load_signing_keys(load_settings().audit)
    stated = {"organisation": "first-bank", "nonce": "00" * 16, "sources": [{"dataset": "tax/TaxArrears"}]}
    body = orjson.dumps({"data": {}, "extensions": {"receipt": stated}})
    assert keys is not None
    Path("receipt").write_text(asyncio.run(Receipts("xinqiao", keys).sign(body)) + "\n")
    Path("body").write_bytes(body)
    text = Path("receipt").read_text()
    Path("headers").write_text(f"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nxinqiao-receipt: {text.strip()}\r\n\r\n")
    headers = run("receipt", "verify", "body", "--receipt", "headers", "--keys", "audit.jwks.json")
    assert headers.exit_code == 0, headers.output
    verify = ("receipt", "verify", "body", "--receipt", "receipt", "--keys", "audit.jwks.json")
    told = orjson.loads(run(*verify, "--json").stdout)
    assert told == {**stated, "response": salted_digest(bytes(16), body)}
    assert "tax/TaxArrears" in run(*verify).stdout
    Path("body").write_bytes(body.replace(b"{}", b"[]"))
    assert run(*verify).exit_code == 1
    unsigned = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    Path("receipt").write_text(f"{unsigned}..")
    assert run(*verify).exit_code == 1
