"""The audit log as the settings say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.audit.open import audit_archive, audit_ledger, audit_log, certifying
from gateway.errors import SettingsInvalidError
from gateway.settings import AuditSettings, Settings


def settings_of(tmp_path: Path, **audit: Any) -> Settings:
    return Settings(audit_file=tmp_path / "audit.jsonl", audit=AuditSettings(**audit))


@pytest.mark.parametrize(("durability", "syncs"), [("disk", 3), ("process", 0)])
async def test_a_record_waits_for_the_disk_unless_the_operator_lets_it_only_outlive_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, syncs: int
) -> None:
    done: list[int] = []
    synced = os.fsync

    def counting(descriptor: int) -> None:
        done.append(descriptor)
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", counting)
    async with audit_log(settings_of(tmp_path, durability=durability), "") as log:
        opened = len(done)
        for n in range(3):
            await log.append({"n": n})
        assert len(done) - opened == syncs


async def test_files_are_rotated_as_the_settings_say(tmp_path: Path) -> None:
    async with audit_log(settings_of(tmp_path, rotate_bytes=50), "-1") as log:
        for n in range(3):
            await log.append({"n": n})
    assert sorted(path.name for path in tmp_path.iterdir()) == [  # noqa: ASYNC240 - nothing else runs
        "audit-1.jsonl",
        "audit-1.jsonl.000000000001",
        "audit-1.jsonl.000000000002",
    ]


@pytest.mark.parametrize("database", ["sqlite+aiosqlite:///secret", "mysql+asyncmy://u:secret@h/d", "secret"])
def test_a_database_of_another_kind_is_refused_by_the_settings_name_without_its_address(
    tmp_path: Path, database: str
) -> None:
    settings = settings_of(tmp_path, database=database)
    for opening in (lambda: audit_log(settings, ""), lambda: audit_archive(settings)):
        with pytest.raises(SettingsInvalidError, match="XINQIAO_AUDIT__DATABASE") as caught:
            opening()
        assert "secret" not in str(caught.value)


async def test_without_a_key_no_checkpoint_is_made(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with certifying(settings), audit_log(settings, "") as log:
        await log.append({"n": 1})
    assert await audit_ledger(settings).last() is None


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ({"signing_key": "k"}, "signing_key needs keys"),
        ({"anchors": ["a"]}, "need checkpoints"),
        ({"keep_days": 1, "keys": "ks"}, "need checkpoints"),
        ({"instance": "a/b"}, "pattern"),
        ({"keep_days": 0}, "greater than 0"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(audit: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AuditSettings(**audit)
