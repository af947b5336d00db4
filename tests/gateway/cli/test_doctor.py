"""What `xinqiao doctor` finds, of installations with real servers, keys and files."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.doctor.command import examine
from gateway.cli.doctor.finding import Finding, Verdict
from gateway.identity.api_key_file import ApiKey, write_api_keys
from gateway.settings import Settings
from policies.revocation import issue_revocations
from tests.connectors.certificates import Authority
from tests.connectors.redis_server import RedisServer
from tests.http_service import serving

NOW = dt.datetime.now(dt.UTC)
SECRET = "a-secret-drawn-for-tests-0123456789-xyz"
PASSWORD = "hidden-password-7"

REST = """agency: ministry
name: {{en: Ministry, zh: 部}}
kind: rest
connection: {{url: "${{MINISTRY_URL}}"{tls}}}
datasets:
  - record: Honour
    request: {{path: "/companies/{{key}}/honours"}}
    fields: {{title: name, awardedOn: awarded}}
"""
TABLE = """agency: registry
name: {en: Registry, zh: 局}
kind: sql
connection: {url: "${REGISTRY_URL}"}
datasets:
  - record: Honour
    table: honours
    key: uscc
    missingMeans: none
    fields: {title: name, awardedOn: awarded}
"""
DROPS = """agency: customs
name: {en: Customs, zh: 关}
kind: file
connection: {path: "${CUSTOMS_DROP}"}
datasets:
  - record: Honour
    file: honours_*.csv
    key: uscc
    missingMeans: none
    fields: {title: name, awardedOn: awarded}
"""


def manifests(tmp_path: Path, *texts: str) -> Path:
    directory = tmp_path / "agencies"
    directory.mkdir()
    for text in texts:
        name = text.partition("\n")[0].removeprefix("agency: ")
        (directory / f"{name}.yaml").write_text(text)
    return directory


async def of(subject: str, settings: Settings, environment: dict[str, str] | None = None) -> list[Finding]:
    found = await examine(settings, environment or {}, NOW)
    return [one for one in found if one.subject == subject]


def only(found: Sequence[Finding]) -> Finding:
    (one,) = found
    return one


async def test_agencies_that_can_be_reached_are_good_and_are_asked_nothing(tmp_path: Path) -> None:
    asked: list[str] = []
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "honours_1.csv").write_text("uscc,name,awarded\n")
    database = tmp_path / "registry.sqlite"
    sqlite3.connect(database).close()

    def answer(path: str, _: bytes) -> bytes:
        asked.append(path)
        return b"{}"

    with serving(answer) as url:
        settings = Settings(
            manifests=manifests(tmp_path, REST.format(tls=""), TABLE, DROPS), plain_networks=["127.0.0.0/8"]
        )
        environment = {"MINISTRY_URL": url, "REGISTRY_URL": f"sqlite:///{database}", "CUSTOMS_DROP": str(drop)}
        found = await examine(settings, environment, NOW)
    verdicts = {one.subject: one.verdict for one in found if one.subject.startswith("agency ")}
    assert verdicts == dict.fromkeys(("agency ministry", "agency registry", "agency customs"), Verdict.GOOD)
    assert asked == []


async def test_what_the_environment_lacks_for_an_agency_is_named(tmp_path: Path) -> None:
    settings = Settings(manifests=manifests(tmp_path, REST.format(tls="")))
    found = only(await of("agency ministry", settings))
    assert (found.verdict, "MINISTRY_URL is not set" in found.message) == (Verdict.FAULT, True)


async def test_instances_that_must_lend_each_other_places_and_have_no_store_for_it_are_a_fault(tmp_path: Path) -> None:
    directory, environment = manifests(tmp_path, REST.format(tls="") + "concurrency: 2\n"), {"MINISTRY_URL": "http://x"}
    settings = Settings(manifests=directory, instances=3)
    found = (await of("agency ministry", settings, environment))[-1]
    assert (found.verdict, "3 instances" in found.message) == (Verdict.FAULT, True)
    assert "XINQIAO_CACHE_URL" in found.remedy
    enough = settings.model_copy(update={"instances": 2})
    assert not [one for one in await of("agency ministry", enough, environment) if "instances" in one.message]


async def test_an_agency_that_is_down_is_a_fault(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(manifests=manifests(tmp_path, REST.format(tls="")), plain_networks=["127.0.0.0/8"])
    found = only(await of("agency ministry", settings, {"MINISTRY_URL": f"http://127.0.0.1:{port}"}))
    assert found.verdict is Verdict.FAULT
    assert "no connection (ConnectionRefusedError)" in found.message


async def test_an_agency_outside_the_operators_networks_is_a_fault_that_names_the_setting(tmp_path: Path) -> None:
    settings = Settings(manifests=manifests(tmp_path, REST.format(tls="")), plain_networks=["10.0.0.0/8"])
    found = only(await of("agency ministry", settings, {"MINISTRY_URL": "http://127.0.0.1:80"}))
    assert found.verdict is Verdict.FAULT
    assert "XINQIAO_PLAIN_NETWORKS" in found.remedy


async def test_an_agency_whose_certificate_has_expired_is_a_fault_that_says_so(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    context = authority.server("127.0.0.1", lasts=dt.timedelta(days=-1))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        manifest = REST.format(tls=', tls: {authority: "${AUTHORITY}"}')
        settings = Settings(manifests=manifests(tmp_path, manifest), networks=["127.0.0.0/8"])
        environment = {"MINISTRY_URL": f"https://127.0.0.1:{port}", "AUTHORITY": str(authority.file)}
        found = only(await of("agency ministry", settings, environment))
    assert found.verdict is Verdict.FAULT
    assert "its certificate has expired" in found.message


async def test_a_database_that_does_not_let_us_in_is_a_fault_without_the_password(
    tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    address = make_database("doctored").partition("://")[2].replace("postgres:", f"nobody:{PASSWORD}", 1)
    settings = Settings(manifests=manifests(tmp_path, TABLE), plain_networks=["127.0.0.0/8"])
    found = only(await of("agency registry", settings, {"REGISTRY_URL": f"postgresql://{address}"}))
    assert found.verdict is Verdict.FAULT
    assert PASSWORD not in repr(found)


async def test_a_drop_that_is_not_there_is_a_fault_that_names_its_pattern(tmp_path: Path) -> None:
    settings = Settings(manifests=manifests(tmp_path, DROPS))
    found = only(await of("agency customs", settings, {"CUSTOMS_DROP": str(tmp_path)}))
    assert (found.verdict, "honours_*.csv" in found.message) == (Verdict.FAULT, True)


async def test_mistakes_in_manifests_and_policies_are_told_with_file_and_line(tmp_path: Path) -> None:
    settings = Settings(manifests=manifests(tmp_path, TABLE.replace("awardedOn", "awardedOm")))
    found = await of("manifests", settings)
    (mistake,) = [one for one in found if one.verdict is Verdict.FAULT]
    assert "registry.yaml:10" in mistake.message
    assert "awardedOn" in mistake.remedy
    policies = await of("policies", Settings(policies=str(tmp_path / "nowhere")))
    assert {one.verdict for one in policies} == {Verdict.FAULT}


async def test_an_installation_that_lets_nobody_in_is_a_fault() -> None:
    assert only(await of("callers", Settings())).verdict is Verdict.FAULT
    assert only(await of("callers", Settings(anonymous="public"))).verdict is Verdict.GOOD


async def test_listening_everywhere_without_tls_is_a_warning() -> None:
    assert only(await of("TLS", Settings(host="::", port=1))).verdict is Verdict.WARNING
    assert await of("TLS", Settings(host="127.0.0.1")) == []


async def test_fewer_files_than_connections_take_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 4_096))
    assert not [one for one in await of("machine", Settings()) if "files" in one.message]
    found = only([one for one in await of("machine", Settings(connections={"most": 4_000})) if "files" in one.message])
    assert (found.verdict, "4096" in found.message, "5000" in found.remedy) == (Verdict.WARNING, True, True)


@pytest.mark.parametrize(
    ("lasts", "verdict"), [(400, Verdict.GOOD), (10, Verdict.WARNING), (-1, Verdict.FAULT)], ids=str
)
async def test_how_long_the_gateways_certificate_is_good_for_is_told(
    tmp_path: Path, lasts: int, verdict: Verdict
) -> None:
    file = Authority(tmp_path, "authority").issue("gateway.example", dt.timedelta(days=lasts))
    file.chmod(0o600)
    found = only(await of("TLS", Settings(tls={"certificate": file})))
    assert found.verdict is verdict


async def test_a_key_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    file = Authority(tmp_path, "authority").issue("gateway.example", dt.timedelta(days=400))
    file.chmod(0o644)
    found = await of("TLS", Settings(tls={"certificate": file}))
    # Root is told what no owner loses by: the gateway's user may be another, who reads by its group.
    mode = "o-rwx" if os.geteuid() == 0 else "600"
    assert [one.remedy for one in found if one.verdict is Verdict.WARNING] == [f"chmod {mode} {file}"]


async def test_settings_and_api_keys_that_others_can_read_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, keys = tmp_path / "settings.toml", tmp_path / "keys.yaml"
    settings.write_text(f"secret = '{SECRET}'")
    write_api_keys(keys, [])
    monkeypatch.setenv("XINQIAO_SETTINGS", str(settings))
    for mode, verdicts in ((0o644, {Verdict.WARNING}), (0o600, set())):
        settings.chmod(mode)
        keys.chmod(mode)
        examined = Settings(api_keys_file=keys, api_keys_pepper=SECRET)
        for subject, path in (("settings", settings), ("API keys", keys)):
            found = [one for one in await of(subject, examined) if str(path) in one.message]
            assert {one.verdict for one in found} == verdicts


async def test_a_list_of_trusted_operations_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    listed = tmp_path / "operations.json"
    for content, verdict in (("{}", Verdict.GOOD), ('{"0": "{ agencies { id } }"}', Verdict.FAULT)):
        listed.write_text(content)
        settings = Settings(documents={"file": listed, "mode": "enforce"})
        assert only(await of("trusted operations", settings)).verdict is verdict


async def test_a_port_that_something_else_has_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = await of("gateway", Settings(port=1, metrics_port=port))
        assert [f"127.0.0.1:{port}" in one.message for one in found if one.verdict is Verdict.FAULT][-1]


async def test_metrics_at_the_port_of_the_gateway_are_a_fault() -> None:
    settings = Settings(port=18_101, metrics_port=18_100, workers=2)
    assert only(await of("metrics", settings)).verdict is Verdict.FAULT
    assert await of("metrics", settings.model_copy(update={"workers": 1})) == []


async def test_an_anchor_whose_directory_is_not_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["audit", "keys", "--key", "audit.jwk", "--jwks", "audit.jwks.json"])
    assert made.exit_code == 0, made.output
    audit = {"signing_key": "audit.jwk", "keys": "audit.jwks.json", "anchors": [str(tmp_path / "mount" / "anchor")]}
    found = await of("anchor 1", Settings(audit=audit))
    assert [one.verdict for one in found] == [Verdict.WARNING, Verdict.GOOD]


async def test_a_log_that_belongs_to_another_user_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("audit-1.jsonl", "audit-reads.jsonl", "audit.checkpoints"):
        (tmp_path / name).touch()
    settings = Settings(audit_file=tmp_path / "audit.jsonl")
    assert not [one for one in await of("audit log", settings) if "another user" in one.message]
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    found = [one for one in await of("audit log", settings) if "another user" in one.message]
    assert [one.verdict for one in found] == [Verdict.WARNING] * 3


async def test_agencies_that_are_to_be_told_of_traces_and_do_not_exist_are_told() -> None:
    settings = Settings(tracing={"agencies": ["taxx"]})
    assert only(await of("XINQIAO_TRACING__AGENCIES", settings)).remedy == "did you mean tax?"


async def test_issuers_keys_are_read_where_they_are_published() -> None:
    keys = orjson.dumps({"keys": [ECKey.generate_key("P-256", auto_kid=True).as_dict(private=False)]})
    with serving(lambda path, _: keys if path == "/jwks" else b"no JSON") as url:
        for path, verdict in (("/jwks", Verdict.GOOD), ("/other", Verdict.FAULT)):
            issuers = [{"id": "https://login.example", "jwks": url + path}]
            settings = Settings(issuers=issuers, plain_networks=["127.0.0.0/8"])
            assert only(await of("issuer https://login.example", settings)).verdict is verdict


async def test_api_keys_that_expire_soon_are_told_with_the_command_that_rotates_them(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    key = {"digest": "0" * 64, "subject": "risk", "organisation": "first-bank", "roles": ["bank.officer"]}
    lasting = {"soon0": 5, "later": 200, "ended": -5}
    write_api_keys(
        file, [ApiKey(id=id_, expires=NOW + dt.timedelta(days=days), **key) for id_, days in lasting.items()]
    )
    found = await of("API keys", Settings(api_keys_file=file, api_keys_pepper=SECRET))
    assert "2 keys of 3 can be used" in found[0].message
    assert [one.remedy for one in found[1:]] == ["xinqiao api-key rotate soon0"]


async def test_a_revocation_list_past_its_time_is_a_fault(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    keys, revocations = tmp_path / "keys.json", tmp_path / "revocations.jwt"
    keys.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False)]}))
    for hours, verdict in ((1, Verdict.GOOD), (-1, Verdict.FAULT)):
        issued, expires = NOW - dt.timedelta(hours=2), NOW + dt.timedelta(hours=hours)
        text = issue_revocations(key, issuer="notary", revoked=[], issued=issued, expires=expires)
        revocations.write_text(text)
        settings = Settings(consent_issuers=[{"id": "notary", "jwks": keys, "revocations": revocations}])
        assert only(await of("consents by notary", settings)).verdict is verdict


async def test_stores_are_asked_whether_they_answer(redis: RedisServer) -> None:
    settings = Settings(
        cache_url=redis.address, cache_deadline=5, quotas={"url": redis.address, "deadline": 5}, secret=SECRET
    )
    assert [only(await of(subject, settings)).verdict for subject in ("cache", "quotas")] == [Verdict.GOOD] * 2
    redis.kill()
    assert [only(await of(subject, settings)).verdict for subject in ("cache", "quotas")] == [Verdict.FAULT] * 2


async def test_a_store_that_does_not_take_our_password_is_a_fault_without_it(redis: RedisServer) -> None:
    settings = Settings(cache_url=f"redis://:${{CACHE}}@127.0.0.1:{redis.port}")
    found = only(await of("cache", settings, {"CACHE": PASSWORD}))
    assert found.verdict is Verdict.FAULT
    assert PASSWORD not in repr(found)


async def test_an_audit_log_is_good_once_it_is_signed_and_copied_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {one.verdict for one in await of("audit log", Settings())} == {Verdict.GOOD, Verdict.WARNING}
    made = CliRunner().invoke(app, ["audit", "keys", "--key", "audit.jwk", "--jwks", "audit.jwks.json"])
    assert made.exit_code == 0, made.output
    audit = {"signing_key": "audit.jwk", "keys": "audit.jwks.json", "anchors": [str(tmp_path / "anchor")]}
    settings = Settings(audit=audit)
    assert {one.verdict for one in await of("audit log", settings)} == {Verdict.GOOD}
    assert [only(await of(subject, settings)).verdict for subject in ("checkpoints", "anchor 1")] == [Verdict.GOOD] * 2


async def test_an_audit_database_that_is_down_is_a_fault_without_its_password() -> None:
    settings = Settings(audit={"database": f"postgresql+asyncpg://log:{PASSWORD}@127.0.0.1:1/log"})
    found = await of("audit log", settings)
    assert Verdict.FAULT in {one.verdict for one in found}
    assert PASSWORD not in repr(found)


async def test_a_place_where_no_audit_log_can_be_is_a_fault(tmp_path: Path) -> None:
    place = tmp_path / "no-directory"
    place.touch()
    found = await of("audit log", Settings(audit_file=place / "audit.jsonl"))
    assert found[0].verdict is Verdict.FAULT


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("quotas", {"organisations": {"frist-bank": {"requests": 5}}}),
        ("cost", {"budgets": {"frist-bank": 5}}),
        ("documents", {"organisations": {"frist-bank": "off"}}),
        ("issuers", [{"id": "https://login.example", "organisations": ["frist-bank"]}]),
    ],
)
async def test_an_organisation_that_nobody_is_is_told_with_the_one_that_was_meant(
    setting: str, value: dict[str, Any]
) -> None:
    found = [one for one in await examine(Settings(**{setting: value}), {}, NOW) if "frist-bank" in one.message]
    assert (only(found).verdict, only(found).remedy) == (Verdict.WARNING, "did you mean first-bank?")


async def test_weights_of_agencies_that_there_are_not_are_told() -> None:
    settings = Settings(cost={"weights": {"tax": 2, "tax/TaxPayment": 3, "taxes": 4}})
    assert [one.message for one in await of("XINQIAO_COST__WEIGHTS", settings)] == ["taxes is no agency or dataset"]


@pytest.mark.parametrize(
    ("parts", "verdict", "word"),
    [
        ({"audit": "ready", "policy": "ready"}, Verdict.GOOD, "is ready"),
        ({"audit": "no room", "policy": "ready"}, Verdict.FAULT, "audit: no room"),
        (None, Verdict.FAULT, "something else"),
    ],
    ids=["ready", "not ready", "something else"],
)
async def test_a_gateway_that_runs_is_asked_whether_it_is_ready(
    parts: dict[str, str] | None, verdict: Verdict, word: str
) -> None:
    with serving(lambda *_: orjson.dumps({"ready": True, "parts": parts})) as url:
        found = only(await of("gateway", Settings(port=int(url.rpartition(":")[2]))))
    assert found.verdict is verdict
    assert word in found.message


def invoked(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_faults_are_shown_first_and_end_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_SECRET", SECRET)
    said = invoked()
    assert said.exit_code == 1
    verdicts = [line.split("│")[1].strip() for line in said.output.splitlines() if line.startswith("│")]
    words = [word for word in verdicts if word]
    assert words == sorted(words, key=["fault", "warning", "good"].index)
    assert SECRET not in said.output


def test_an_installation_without_faults_ends_with_status_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "honours_1.csv").write_text("uscc,name,awarded\n")
    for name, value in {
        "XINQIAO_SECRET": SECRET,
        "XINQIAO_ANONYMOUS": "public",
        "XINQIAO_MANIFESTS": str(manifests(tmp_path, DROPS)),
        "CUSTOMS_DROP": str(drop),
    }.items():
        monkeypatch.setenv(name, value)
    said = invoked("--json")
    assert (said.exit_code, orjson.loads(said.output)["faults"]) == (0, 0), said.output


def test_settings_that_cannot_be_read_are_faults_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_PORT", "seven")
    monkeypatch.setenv("XINQIAO_WORKERS", "0")
    said = invoked("--json")
    assert said.exit_code == 1
    messages = [one["message"] for one in orjson.loads(said.output)["findings"]]
    assert [message.partition(":")[0] for message in messages] == ["XINQIAO_PORT", "XINQIAO_WORKERS"]
