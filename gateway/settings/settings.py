"""Everything that an operator sets, from environment variables `XINQIAO_...` and an optional TOML file.

A nested setting's variable joins its names by two underscores (`XINQIAO_LIMITS__COMPANIES`); lists are JSON. The file
is named by `XINQIAO_SETTINGS`; a variable wins over the file.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from gateway.settings.bounds import (
    ConnectionSettings,
    CostSettings,
    DeadlineSettings,
    DocumentSettings,
    LimitSettings,
    QuotaSettings,
)
from gateway.settings.callers import (
    AdministrationSettings,
    CertificateSettings,
    ConsentIssuerSettings,
    IssuerSettings,
    ProxySettings,
    TlsSettings,
)
from gateway.settings.evidence import AuditSettings, TracingSettings

PREFIX: Final = "XINQIAO_"
FILE_VARIABLE: Final = "XINQIAO_SETTINGS"


class Settings(BaseSettings):
    """Every setting of the gateway. The defaults serve nobody but those who can name themselves."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(
        default=1,
        ge=1,
        le=99,
        description="How many processes `xinqiao serve` answers with; they divide what each agency bears.",
    )
    instances: int = Field(
        default=1,
        ge=1,
        le=999,
        description="How many gateways, of as many workers each, ask the same agencies and divide what these bear.",
    )
    drain: float = Field(
        default=3.0,
        ge=0,
        le=600,
        description="Seconds between being told to end and listening no more, in which it says that it is not ready.",
    )
    manifests: Path = Field(
        default=Path(str(files("connectors") / "agencies")),
        description="The directory with one manifest per agency, followed as it changes.",
    )
    policies: str = Field(
        default=str(files("policies")),
        description="A directory with one policy, or a store of versions: a directory, or a database by URL.",
    )
    policy_max_staleness: float = Field(
        default=60.0, gt=0, description="Seconds without word of the store, after which only PUBLIC data is shown."
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What pseudonyms and cursors are keyed with: hard to guess, the same on every instance.",
    )
    pseudonym_generation: int = Field(
        default=1,
        ge=1,
        le=999_999,
        description="Which generation of pseudonyms (mask `hmac`): raise it to replace them all by new ones.",
    )
    audience: str = Field(
        default="xinqiao",
        min_length=1,
        description="This gateway's name, which tokens and consents must carry in `aud`.",
    )
    issuers: tuple[IssuerSettings, ...] = Field(default=(), description="Whose tokens name a caller.")
    api_keys_file: Path | None = Field(default=None, description="A YAML or JSON file with the API keys' digests.")
    api_keys_pepper: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The secret with which API keys are hashed, kept apart from their file.",
    )
    tls: TlsSettings = Field(default=TlsSettings(), description="What the gateway presents to callers.")
    proxies: ProxySettings = Field(default=ProxySettings(), description="The proxies that end TLS before it.")
    certificates: tuple[CertificateSettings, ...] = Field(
        default=(), description="Which organisations callers' certificates stand for; the first that fits counts."
    )
    anonymous: Literal["public", "refuse"] = Field(
        default="refuse",
        description="Callers without credentials: `public` shows them what is public, `refuse` refuses them.",
    )
    consent_issuers: tuple[ConsentIssuerSettings, ...] = Field(default=(), description="Whose signed consents count.")
    limits: LimitSettings = Field(default=LimitSettings(), description="What one request may cost.")
    documents: DocumentSettings = Field(default=DocumentSettings(), description="Operations that the operator trusts.")
    quotas: QuotaSettings = Field(default=QuotaSettings(), description="How much organisations and users may ask.")
    cost: CostSettings = Field(default=CostSettings(), description="What a request may cost the agencies.")
    deadline: DeadlineSettings = Field(default=DeadlineSettings(), description="How long a request may take.")
    connections: ConnectionSettings = Field(
        default=ConnectionSettings(), description="How many connections callers may keep, and for how long."
    )
    administration: AdministrationSettings = Field(
        default=AdministrationSettings(), description="What changing the policy takes."
    )
    audit_file: Path = Field(default=Path("var/audit.jsonl"), description="The audit log: one JSON line a request.")
    audit: AuditSettings = Field(default=AuditSettings(), description="How the audit log is kept, signed and anchored.")
    metrics_host: str = Field(default="127.0.0.1", description="The address to listen on for Prometheus.")
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="The port for Prometheus, of the first worker; each further one has the next; none: no metrics.",
    )
    tracing: TracingSettings = Field(default=TracingSettings(), description="Whether requests are traced.")
    networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="The networks in which agencies may be asked by https; none: any, but this machine."
    )
    plain_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="The networks in which agencies may be asked by http as well, without TLS."
    )
    cache_entries: int = Field(default=100_000, ge=0, description="The most entries in the cache of raw rows.")
    cache_url: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="A second level of that cache for all instances, in Redis or the like: `redis://` or `rediss://`.",
    )
    cache_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The secret with which rows are sealed there; none: one derived from `XINQIAO_SECRET`.",
    )
    cache_deadline: float = Field(
        default=0.05, gt=0, le=5, description="Seconds that a trip there may take, before agencies are asked instead."
    )
    log_format: Literal["json", "console"] = Field(default="json", description="The log's format, on standard error.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level logged."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.api_keys_file is None) != (self.api_keys_pepper is None):
            raise ValueError(f"{PREFIX}API_KEYS_FILE and {PREFIX}API_KEYS_PEPPER go together: set both or neither")
        if self.certificates and self.tls.client_authorities is None and not self.proxies.networks:
            raise ValueError(f"{PREFIX}CERTIFICATES needs {PREFIX}TLS__CLIENT_AUTHORITIES or {PREFIX}PROXIES__NETWORKS")
        if self.workers > 1 and self.quotas.bounds() and self.quotas.url is None:
            raise ValueError(
                f"{PREFIX}QUOTAS with several workers needs {PREFIX}QUOTAS__URL, where they count together"
            )
        for setting, issuers in (("ISSUERS", self.issuers), ("CONSENT_ISSUERS", self.consent_issuers)):
            if len(issuers) != len({issuer.id for issuer in issuers}):
                raise ValueError(f"{PREFIX}{setting} names an issuer twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class fixes the names
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then the file: no hidden `.env` and no directory of secrets."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, os.environ.get(FILE_VARIABLE))
