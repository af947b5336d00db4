"""The files of consent issuers as they change on disk."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from joserfc.jwk import ECKey

from gateway.errors import SettingsInvalidError
from gateway.identity import consents as consents_module
from gateway.identity.consents import ConsentIssuers
from gateway.settings import ConsentIssuerSettings
from policies.consent import ConsentVerifier, issue_consent
from policies.errors import ConsentRefused
from policies.revocation import issue_revocations
from policies.tree import Tree

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD, NEW = ECKey.generate_key("P-256", auto_kid=True), ECKey.generate_key("P-256", auto_kid=True)


def replace(path: Path, text: str) -> None:
    """As an operator should: whole, by renaming."""
    half = path.with_suffix(".new")
    half.write_text(text)
    half.replace(path)


@dataclass
class Clock:
    now: float = field(default_factory=NOW.timestamp)

    def __call__(self) -> float:
        return self.now


@dataclass
class Notary:
    """An issuer with a directory, and a gateway that follows it."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    revokes: bool = True
    issuers: ConsentIssuers = field(init=False)

    def __post_init__(self) -> None:
        settings = ConsentIssuerSettings(id="notary", jwks=self.jwks, revocations=self.list if self.revokes else None)
        verifier = ConsentVerifier({}, "xinqiao", Tree({"credit": "any"}))
        self.issuers = ConsentIssuers([settings], verifier, self.clock)

    @property
    def jwks(self) -> Path:
        return self.directory / "jwks.json"

    @property
    def list(self) -> Path:
        return self.directory / "revocations.jwt"

    def publish(self, *keys: ECKey) -> None:
        replace(self.jwks, json.dumps({"keys": [key.as_dict(private=False) for key in keys]}))

    def revoke(self, *ids: str, key: ECKey = OLD, minutes: float = 0, hours: float = 1) -> None:
        issued = NOW + timedelta(minutes=minutes)
        expires = issued + timedelta(hours=hours)
        replace(self.list, issue_revocations(key, issuer="notary", revoked=ids, issued=issued, expires=expires))

    def code(self, id_: str = "c-1", key: ECKey = OLD) -> str:
        """What becomes of a consent now."""
        token = issue_consent(
            key,
            id=id_,
            issuer="notary",
            audience="xinqiao",
            company="91330100799655058B",
            organisation="first-bank",
            purposes=["credit"],
            scope=["RESTRICTED"],
            issued=NOW,
            expires=NOW + timedelta(days=9),
        )
        try:
            self.issuers.current.verify(token, "first-bank", "credit", datetime.fromtimestamp(self.clock.now, UTC))
        except ConsentRefused as refused:
            return refused.code
        return "COUNTS"

    async def seen(self, id_: str = "c-1", key: ECKey = OLD) -> str:
        """What becomes of a consent once the files were looked at."""
        await self.issuers.look()
        return self.code(id_, key)


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    made = Notary(tmp_path)
    made.publish(OLD)
    return made


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_a_consent_is_refused_as_soon_as_a_list_with_it_is_there(notary: Notary) -> None:
    notary.revoke()
    assert await notary.seen() == "COUNTS"
    notary.revoke("c-1", minutes=1)
    assert await notary.seen() == "CONSENT_REVOKED"
    assert notary.code("c-2") == "COUNTS"


async def test_without_a_list_no_consent_counts_until_there_is_one(notary: Notary) -> None:
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN"
    notary.revoke()
    assert await notary.seen() == "COUNTS"
    notary.list.unlink()
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN"


async def test_an_issuer_without_a_list_in_its_settings_never_revokes(tmp_path: Path) -> None:
    notary = Notary(tmp_path, revokes=False)
    notary.publish(OLD)
    assert await notary.seen() == "COUNTS"


@pytest.mark.parametrize("spoil", ["garbage", "empty", "forged", "pipe", "directory"])
async def test_a_spoilt_list_means_that_no_consent_counts(notary: Notary, spoil: str, logged: list[Any]) -> None:
    notary.revoke()
    assert await notary.seen() == "COUNTS"
    if spoil == "forged":
        notary.revoke(key=NEW)
    elif spoil in {"pipe", "directory"}:
        notary.list.unlink()
        (os.mkfifo if spoil == "pipe" else os.mkdir)(notary.list)
    else:
        replace(notary.list, "" if spoil == "empty" else "garbage")
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN"
    await notary.issuers.look()
    faults = [line["fault"] for line in logged if line["log_level"] == "warning"]
    assert len(faults) == 1, "the log says it once"
    assert str(notary.list) in faults[0]


async def test_a_list_counts_until_its_freshness_ends_though_the_file_stays(notary: Notary) -> None:
    notary.revoke(hours=2)
    assert await notary.seen() == "COUNTS"
    notary.clock.now += 2 * 3_600
    assert notary.code() == "CONSENT_REVOCATION_UNKNOWN"
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN"
    notary.revoke(minutes=120)
    assert await notary.seen() == "COUNTS"


async def test_an_older_list_never_takes_the_place_of_a_newer_one(notary: Notary, logged: list[Any]) -> None:
    notary.revoke("c-1", minutes=1)
    notary.clock.now += 60
    assert await notary.seen() == "CONSENT_REVOKED"
    notary.revoke()
    assert await notary.seen() == "CONSENT_REVOKED"
    assert any("older than the one before" in line.get("fault", "") for line in logged)
    notary.list.unlink()
    await notary.issuers.look()
    notary.revoke()
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN", "nor after the newer one was taken away"
    notary.revoke(minutes=1)
    assert await notary.seen() == "COUNTS"


async def test_a_list_ahead_of_our_clock_counts_once_the_clock_has_caught_up(notary: Notary) -> None:
    notary.revoke(minutes=5)
    assert await notary.seen() == "CONSENT_REVOCATION_UNKNOWN"
    notary.clock.now += 300
    assert await notary.seen() == "COUNTS"


async def test_keys_rotate_without_a_restart(tmp_path: Path) -> None:
    notary = Notary(tmp_path, revokes=False)
    notary.publish(OLD)
    assert await notary.seen() == "COUNTS"
    assert notary.code(key=NEW) == "CONSENT_FORGED"
    notary.publish(OLD, NEW)
    assert await notary.seen(key=NEW) == "COUNTS"
    assert notary.code(key=OLD) == "COUNTS"
    notary.publish(NEW)
    assert await notary.seen(key=OLD) == "CONSENT_FORGED"


async def test_a_list_signed_with_a_key_that_was_taken_out_no_longer_counts(notary: Notary) -> None:
    notary.revoke()
    assert await notary.seen() == "COUNTS"
    notary.publish(NEW)
    assert await notary.seen(key=NEW) == "CONSENT_REVOCATION_UNKNOWN"
    notary.revoke(key=NEW)
    assert await notary.seen(key=NEW) == "COUNTS"


async def test_a_list_is_not_kept_beyond_its_key_where_an_older_one_follows_it(notary: Notary) -> None:
    notary.revoke(minutes=1)
    assert await notary.seen() == "COUNTS"
    notary.publish(NEW)
    notary.revoke(key=NEW)
    assert await notary.seen(key=NEW) == "CONSENT_REVOCATION_UNKNOWN"


@pytest.mark.parametrize("content", ["", "{", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', None, "private"])
async def test_a_broken_key_set_leaves_the_keys_and_is_logged_without_any_key(
    tmp_path: Path, content: str | None, logged: list[Any]
) -> None:
    notary = Notary(tmp_path, revokes=False)
    notary.publish(OLD)
    assert await notary.seen() == "COUNTS"
    private = json.dumps({"keys": [NEW.as_dict(private=True)]})
    if content is None:
        notary.jwks.unlink()
    else:
        replace(notary.jwks, private if content == "private" else content)
    assert await notary.seen() == "COUNTS"
    assert notary.code(key=NEW) == "CONSENT_FORGED"
    (warning,) = [line for line in logged if line["log_level"] == "warning"]
    assert str(notary.jwks) in warning["fault"]
    assert str(NEW.as_dict(private=True)["d"]) not in str(logged)
    notary.publish(NEW)
    assert await notary.seen(key=NEW) == "COUNTS"


async def test_a_key_set_that_could_not_be_read_for_once_is_read_again_though_it_has_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notary = Notary(tmp_path, revokes=False)
    notary.publish(OLD)
    assert await notary.seen() == "COUNTS"

    def failing(_settings: object) -> None:
        raise SettingsInvalidError("the disk is away")

    notary.publish(NEW)
    with monkeypatch.context() as disk:
        disk.setattr(consents_module, "load_key_set", failing)
        assert await notary.seen() == "COUNTS"
    assert await notary.seen() == "CONSENT_FORGED"


async def test_a_gateway_does_not_start_without_an_issuers_keys(notary: Notary) -> None:
    notary.jwks.unlink()
    with pytest.raises(SettingsInvalidError, match=r"The key set of notary .* cannot be read"):
        await notary.issuers.look()


async def test_a_request_keeps_the_verifier_that_it_began_with(notary: Notary) -> None:
    notary.revoke()
    await notary.issuers.look()
    begun = notary.issuers.current
    notary.revoke("c-1", minutes=1)
    assert await notary.seen() == "CONSENT_REVOKED"
    assert begun.issuers["notary"].revocations.revoked == frozenset()


async def test_files_that_stay_as_they_are_are_not_read_again(notary: Notary, monkeypatch: pytest.MonkeyPatch) -> None:
    notary.revoke()
    await notary.issuers.look()
    before = notary.issuers.current
    monkeypatch.setattr(consents_module, "read_revocations", None)
    await notary.issuers.look()
    assert notary.issuers.current is before


async def test_what_changes_is_found_by_whoever_follows(notary: Notary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consents_module, "LOOK_SECONDS", 0.01)
    notary.revoke()
    await notary.issuers.look()
    following = asyncio.create_task(notary.issuers.follow())
    notary.revoke("c-1", minutes=1)
    async with asyncio.timeout(10):
        while notary.code() != "CONSENT_REVOKED":  # noqa: ASYNC110  # a changed file wakes nobody
            await asyncio.sleep(0.01)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
