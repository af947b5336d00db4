from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.errors import SettingsInvalidError
from gateway.settings import (
    AllowanceSettings,
    CertificateSettings,
    ClaimSettings,
    ConsentIssuerSettings,
    CostSettings,
    DeadlineSettings,
    DocumentSettings,
    IssuerSettings,
    LimitSettings,
    ProxySettings,
    QuotaSettings,
    Settings,
    TlsSettings,
    load_settings,
)

ISSUER = {"id": "a", "jwks": "f"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("XINQIAO_")]:
        monkeypatch.delenv(name)


def fields(model: type[BaseModel]) -> Iterator[tuple[str, str | None]]:
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field.description


@pytest.mark.parametrize(
    "model",
    [
        Settings,
        IssuerSettings,
        ClaimSettings,
        CertificateSettings,
        ProxySettings,
        TlsSettings,
        ConsentIssuerSettings,
        LimitSettings,
        CostSettings,
        QuotaSettings,
        AllowanceSettings,
        DocumentSettings,
        DeadlineSettings,
    ],
    ids=lambda m: m.__name__,
)
def test_every_setting_is_documented(model: type[BaseModel]) -> None:
    assert [name for name, description in fields(model) if not description] == []


def test_without_any_setting_nobody_anonymous_is_served_and_the_packaged_files_are_used() -> None:
    settings = load_settings()
    assert settings.anonymous == "refuse"
    assert settings.host == "127.0.0.1"
    assert settings.manifests.parts[-2:] == ("connectors", "agencies")
    assert Path(settings.policies).name == "policies"


def test_variables_reach_nested_settings_and_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "xinqiao.toml"
    path.write_text(
        """
        port = 9000
        host = "0.0.0.0"
        [limits]
        companies = 7
        depth = 8
        [[issuers]]
        id = "https://id.example"
        jwks = "/etc/xinqiao/keys.json"
        """
    )
    monkeypatch.setenv("XINQIAO_SETTINGS", str(path))
    monkeypatch.setenv("XINQIAO_PORT", "9001")
    monkeypatch.setenv("XINQIAO_LIMITS__COMPANIES", "70")
    monkeypatch.setenv("XINQIAO_CONSENT_ISSUERS", '[{"id": "c", "jwks": {"keys": []}}]')
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)  # noqa: S104 - not listened on
    assert (settings.limits.companies, settings.limits.depth) == (70, 8)
    assert settings.limits.operation().companies == 70
    assert settings.issuers[0].jwks == Path("/etc/xinqiao/keys.json")
    assert settings.consent_issuers[0].id == "c"


@pytest.mark.parametrize(
    ("variables", "messages"),
    [
        ({"PORT": "high"}, ["XINQIAO_PORT: ", "valid integer"]),
        ({"PORT": "x", "LIMITS__DEPTH": "0"}, ["XINQIAO_PORT: ", "XINQIAO_LIMITS__DEPTH: ", "greater than 0"]),
        ({"LIMITS__DEPHT": "3"}, ["XINQIAO_LIMITS__DEPHT: "]),
        ({"ANONYMUS": "refuse"}, ["XINQIAO_ANONYMUS: there is no such setting. Did you mean XINQIAO_ANONYMOUS?"]),
        ({"ANONYMOUS": "yes"}, ["XINQIAO_ANONYMOUS: ", "'public' or 'refuse'"]),
        ({"ISSUERS": "https://id.example"}, ['"issuers"', "JSON"]),
        ({"ISSUERS": '[{"id": "a"}]'}, ["XINQIAO_ISSUERS__0: needs jwks"]),
        (
            {"ISSUERS": '[{"id": "a", "jwks": "f", "algorithms": ["none"]}]'},
            ["ISSUERS__0__ALGORITHMS"],
        ),
        ({"ISSUERS": json.dumps([ISSUER, ISSUER])}, ["XINQIAO_ISSUERS names an issuer twice"]),
        ({"CONSENT_ISSUERS": json.dumps([ISSUER, ISSUER])}, ["XINQIAO_CONSENT_ISSUERS names an issuer twice"]),
        ({"PSEUDONYM_GENERATION": "0"}, ["XINQIAO_PSEUDONYM_GENERATION: "]),
        ({"API_KEYS_FILE": "keys.yaml"}, ["XINQIAO_API_KEYS_FILE and XINQIAO_API_KEYS_PEPPER go together"]),
        ({"DEADLINE__DEFAULT": "60"}, ["XINQIAO_DEADLINE: default is longer than maximum"]),
        ({"SETTINGS": "/no/such/file.toml"}, ["XINQIAO_SETTINGS: there is no file /no/such/file.toml"]),
    ],
)
def test_a_bad_setting_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], messages: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"XINQIAO_{name}", value)
    with pytest.raises(SettingsInvalidError) as caught:
        load_settings()
    for message in messages:
        assert message in str(caught.value)


def test_a_settings_file_that_is_not_toml_is_named_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "xinqiao.toml"
    path.write_text("port = \n")
    monkeypatch.setenv("XINQIAO_SETTINGS", str(path))
    with pytest.raises(SettingsInvalidError, match=r"xinqiao\.toml: .*line 1"):
        load_settings()


def test_no_secret_is_shown_by_the_settings_or_by_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_API_KEYS_FILE", "keys.yaml")
    monkeypatch.setenv("XINQIAO_API_KEYS_PEPPER", "pepper-" * 10)
    monkeypatch.setenv("XINQIAO_SECRET", "secret-" * 10)
    shown = repr(load_settings())
    assert "pepper-" not in shown
    assert "secret-" not in shown
    monkeypatch.setenv("XINQIAO_API_KEYS_PEPPER", "pepper")
    with pytest.raises(SettingsInvalidError) as caught:
        load_settings()
    assert "XINQIAO_API_KEYS_PEPPER: " in str(caught.value)
    assert "pepper" not in str(caught.value)
