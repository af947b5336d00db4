from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway import followed
from gateway.cli import app
from gateway.errors import KeyExpiredError, KeyRevokedError, KeyUnknownError
from gateway.identity.api_key_file import read_api_keys
from gateway.identity.api_keys import ApiKeys, load_api_keys
from gateway.messages import Principal
from gateway.settings import load_settings

PEPPER = "p" * 32
NEW = ("--subject", "risk-system", "--organisation", "first-bank", "--role", "bank.officer")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `xinqiao api-key` over a file that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XINQIAO_API_KEYS_FILE", "keys.yaml")
    monkeypatch.setenv("XINQIAO_API_KEYS_PEPPER", PEPPER)
    return lambda *arguments: CliRunner().invoke(app, ["api-key", *arguments])


def made(run: Run, *more: str) -> dict[str, Any]:
    said = run("make", *NEW, *more, "--json")
    assert said.exit_code == 0, said.output
    told: dict[str, Any] = orjson.loads(said.stdout)
    return told


def keys(clock: Callable[[], float] | None = None) -> ApiKeys:
    """What a gateway makes of the file."""
    found = read_api_keys(Path("keys.yaml"))
    return ApiKeys(found, PEPPER, clock) if clock else ApiKeys(found, PEPPER)


def after(**time: float) -> Callable[[], float]:
    moment = (dt.datetime.now(dt.UTC) + dt.timedelta(**time)).timestamp()
    return lambda: moment


def test_a_file_that_the_gateways_user_can_read_stays_so_when_it_is_written_anew(run: Run) -> None:
    id_ = made(run)["id"]
    file = Path("keys.yaml")
    if os.geteuid() == 0:
        os.chown(file, 0, 4_321)
    file.chmod(0o640)
    before = file.stat()
    assert run("revoke", id_).exit_code == 0
    after_it = file.stat()
    assert after_it.st_ino != before.st_ino
    assert (after_it.st_uid, after_it.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after_it.st_mode) == 0o640


def test_a_made_key_counts_and_the_file_holds_neither_it_nor_anything_for_other_eyes(run: Run) -> None:
    said = run("make", *NEW, "--role", "bank.reviewer", "--purpose", "credit", "--days", "10")
    text = said.stdout.strip()
    assert text not in said.stderr
    assert keys().verify(text) == Principal(
        "risk-system", "first-bank", frozenset({"bank.officer", "bank.reviewer"}), purposes=frozenset({"credit"})
    )
    assert keys(after(days=9.9)).verify(text)
    with pytest.raises(KeyExpiredError):
        keys(after(days=10.1)).verify(text)
    assert text.split("_", 2)[2] not in Path("keys.yaml").read_text()
    assert stat.S_IMODE(Path("keys.yaml").stat().st_mode) == 0o600


def test_the_list_shows_whom_each_stands_for_and_no_secret_nor_digest(run: Run) -> None:
    first, second = made(run, "--id", "risk1"), made(run)
    run("revoke", "risk1")
    listed = orjson.loads(run("list", "--json").stdout)
    assert [(key["id"], key["state"]) for key in listed] == [("risk1", "revoked"), (second["id"], "good")]
    shown = run("list").stdout + orjson.dumps(listed).decode()
    assert "first-bank" in shown
    for key, entry in zip((first, second), read_api_keys(Path("keys.yaml")), strict=True):
        assert key["key"].split("_", 2)[2] not in shown
        assert entry.digest not in shown


def test_after_a_rotation_both_keys_count_for_the_hours_given(run: Run) -> None:
    old = made(run, "--purpose", "credit")
    new = orjson.loads(run("rotate", old["id"], "--hours", "2", "--json").stdout)
    assert new["id"] != old["id"]
    assert keys().verify(old["key"]) == keys().verify(new["key"])
    with pytest.raises(KeyExpiredError):
        keys(after(hours=3)).verify(old["key"])
    assert keys(after(hours=3)).verify(new["key"]).subject == "risk-system"


def test_a_rotation_does_not_prolong_the_old_key(run: Run) -> None:
    old = made(run, "--days", "1")
    run("rotate", old["id"], "--hours", "1000")
    with pytest.raises(KeyExpiredError):
        keys(after(hours=25)).verify(old["key"])


def test_a_revoked_key_does_not_count_and_is_not_rotated(run: Run) -> None:
    told = made(run)
    assert run("revoke", told["id"]).exit_code == 0
    with pytest.raises(KeyRevokedError):
        keys().verify(told["key"])
    assert run("rotate", told["id"]).exit_code == 2


async def test_a_running_gateway_takes_note_of_new_and_revoked_keys(run: Run) -> None:
    first = made(run)
    running = load_api_keys(load_settings())
    assert running.verify(first["key"])
    second = made(run)
    with pytest.raises(KeyUnknownError):
        running.verify(second["key"])
    assert running.file is not None
    await running.file.look()
    assert running.verify(second["key"])
    run("revoke", second["id"])
    await running.file.look()
    with pytest.raises(KeyRevokedError):
        running.verify(second["key"])
    for spoil in (lambda file: file.write_text("keys: ["), Path.unlink):
        spoil(Path("keys.yaml"))
        await running.file.look()
    assert running.verify(first["key"])


async def test_the_file_is_looked_at_again_and_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.001)
    made(run)
    running = load_api_keys(load_settings())
    looked = 0

    class Enough(Exception):
        pass

    async def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            raise Enough

    assert running.file is not None
    monkeypatch.setattr(running.file, "look", look)
    with pytest.raises(Enough):
        await running.file.follow()


def test_commands_at_the_same_time_lose_no_key(run: Run) -> None:
    made(run, "--id", "first")
    settings = load_settings()
    assert settings.api_keys_file is not None

    from gateway.cli.api_key import _changing  # noqa: PLC0415 - what every command changes the file by

    def add(number: int) -> None:
        with _changing() as file:
            file.keys.append(file.keys[0].model_copy(update={"id": f"key{number}"}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(read_api_keys(settings.api_keys_file)) == 25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("make", *NEW, "--id", "RISK!"), "id: String should match"),
        (("make", *NEW, "--id", "risk1"), "there is a key risk1 already"),
        (("revoke", "none"), "there is no key of this id"),
        (("rotate", "none"), "there is no key of this id"),
        (("make", "--subject", "x", "--organisation", "y"), "--role"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_the_file_as_it_was(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    made(run, "--id", "risk1")
    before = Path("keys.yaml").read_bytes()
    said = run(*arguments)
    assert said.exit_code == 2
    assert message in " ".join(said.stderr.split())
    assert Path("keys.yaml").read_bytes() == before


def test_without_the_settings_it_names_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XINQIAO_API_KEYS_FILE")
    monkeypatch.delenv("XINQIAO_API_KEYS_PEPPER")
    said = run("make", *NEW)
    assert said.exit_code == 2
    assert "XINQIAO_API_KEYS_FILE and XINQIAO_API_KEYS_PEPPER are not set" in said.stderr


def test_an_unreadable_file_is_not_overwritten(run: Run) -> None:
    Path("keys.yaml").write_text("keys: {")
    assert run("make", *NEW).exit_code == 2
    assert Path("keys.yaml").read_text() == "keys: {"
