"""What a gateway is put together from, as it is opened from its settings."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from gateway.assembly import open_gateway, read_installation
from gateway.errors import SettingsInvalidError
from gateway.identity import consents
from gateway.pipeline import Gateway
from gateway.settings import ConsentIssuerSettings, Settings
from policies.masks import MaskContext, apply_mask
from policies.revocation import RevocationList, issue_revocations

KEY = ECKey.generate_key("P-256", auto_kid=True)
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """Where the agencies would be; none of them is asked."""
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    addresses = {f"{name}_URL": "http://127.0.0.1:9" for name in names}
    return {**addresses, "REGISTRY_URL": f"sqlite:///{tmp_path / 'registry.db'}", "CUSTOMS_DROP": str(tmp_path)}


@pytest.fixture
def settings_of(tmp_path: Path) -> Any:
    def make(**changes: Any) -> Settings:
        return Settings(
            **{"secret": "s" * 32, "plain_networks": ["127.0.0.0/8"], "audit_file": tmp_path / "audit.jsonl"} | changes
        )

    return make


def opened(settings: Settings, environment: Mapping[str, str]) -> AbstractAsyncContextManager[Gateway]:
    return open_gateway(settings, read_installation(settings), environment)


def revoke(path: Path, *revoked: str) -> None:
    text = issue_revocations(KEY, issuer="notary", revoked=revoked, issued=NOW, expires=NOW + dt.timedelta(hours=1))
    half = path.with_suffix(".new")
    half.write_text(text)
    half.replace(path)


async def test_an_open_gateway_follows_its_issuers_files_until_it_is_closed(
    settings_of, environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "LOOK_SECONDS", 0.01)
    jwks, listed = tmp_path / "jwks.json", tmp_path / "revocations.jwt"
    jwks.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    revoke(listed)
    issuer = ConsentIssuerSettings(id="notary", jwks=jwks, revocations=listed)
    before = asyncio.all_tasks()
    async with opened(settings_of(consent_issuers=(issuer,)), environment) as gateway:

        def found() -> RevocationList | None:
            return gateway.consents.current.issuers["notary"].revocations

        assert found() == RevocationList(frozenset(), int(NOW.timestamp()), int(NOW.timestamp()) + 3_600)
        revoke(listed, "c-1")
        async with asyncio.timeout(20):
            while found().revoked != {"c-1"}:  # noqa: ASYNC110  # a changed file wakes nobody
                await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_a_gateway_without_the_keys_of_an_issuer_is_not_opened(settings_of, environment, tmp_path: Path) -> None:
    issuer = ConsentIssuerSettings(id="notary", jwks=tmp_path / "none.json")
    with pytest.raises(SettingsInvalidError, match="The key set of notary"):
        async with opened(settings_of(consent_issuers=(issuer,)), environment):
            pytest.fail("it was opened")


async def test_raising_the_generation_replaces_pseudonyms_and_leaves_cursors(settings_of, environment) -> None:
    pseudonyms, cursors = [], []
    for generation in (1, 2):
        async with opened(settings_of(pseudonym_generation=generation), environment) as gateway:
            secrets = gateway.secrets
            context = MaskContext("first-bank", None, "Penalty.person", secrets.masks, secrets.generation)
            pseudonyms.append(str(apply_mask("hmac", "王小明", context)).split("."))
            cursors.append(secrets.cursors)
    (first, of_first), (second, of_second) = pseudonyms
    assert (first, second) == ("1", "2")
    assert of_first != of_second
    assert len(set(cursors)) == 1


def level_of(gateway: Gateway) -> Any:
    return gateway.editions.current.provision.supply._cache._second


async def test_a_gateway_whose_second_level_is_down_opens_and_leaves_nothing_behind(settings_of, environment) -> None:
    before = asyncio.all_tasks()
    async with opened(settings_of(cache_url="redis://127.0.0.1:9"), environment) as gateway:
        assert level_of(gateway) is not None
    assert asyncio.all_tasks() == before


async def test_rows_are_sealed_with_a_key_of_their_own_or_one_derived_from_the_secret(settings_of, environment) -> None:
    names = []
    for keys in ({}, {"secret": "t" * 32}, {"cache_key": "c" * 32}, {"cache_key": "c" * 32, "secret": "t" * 32}):
        async with opened(settings_of(cache_url="redis://127.0.0.1:9", **keys), environment) as gateway:
            names.append(level_of(gateway)._seal.names(b"shelf")("company"))
    assert names[2] == names[3]
    assert len(set(names)) == 3
