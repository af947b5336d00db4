"""Everything that an operator sets, from environment variables `XINQIAO_...` and an optional TOML file.

A nested setting's variable joins its names by two underscores (`XINQIAO_LIMITS__COMPANIES`); lists are JSON. The file
is named by `XINQIAO_SETTINGS`; a variable wins over the file.
"""

from __future__ import annotations

import difflib
import os
from importlib.resources import files
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Final, Literal, Self

from cryptography import x509
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    JsonValue,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError

from gateway.errors import SettingsInvalidError
from gateway.limits import Limits

PREFIX: Final = "XINQIAO_"
FILE_VARIABLE: Final = "XINQIAO_SETTINGS"

Algorithm = Literal["ES256", "ES384", "ES512", "Ed25519", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
"""Signatures with a public key only: with a shared secret whoever verifies could sign."""

DocumentMode = Literal["off", "log", "warn", "enforce", "id"]

Address = Annotated[str, StringConstraints(pattern=r"^https?://")]
"""An address on the network."""

LEEWAY: Final = 30
"""Seconds by which an issuer's clock may differ from ours, unless the operator says otherwise."""

_LIMITS: Final = Limits()


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignerSettings(_Group):
    """Whoever signs JWTs that this gateway believes."""

    id: str = Field(min_length=1, description="The `iss` of its tokens.")
    jwks: Path | dict[str, JsonValue] = Field(
        description="Its public keys (JWKS, RFC 7517): the path of a file, or the key set itself."
    )


class ClaimSettings(_Group):
    """Where an issuer's tokens say who the caller is, and what their words mean here.

    A claim is named by its name, or, where it lies within others, by a JSON pointer (RFC 6901).
    """

    subject: str = Field(default="sub", min_length=1, description="The claim that names the person or the system.")
    organisation: str = Field(default="org", min_length=1, description="The claim that names the organisation.")
    roles: str = Field(
        default="roles",
        min_length=1,
        description="The claim that lists the roles; `scope` may be one text with spaces (RFC 8693).",
    )
    company: str = Field(
        default="company", min_length=1, description="The claim with the credit code of the company itself."
    )
    organisation_values: dict[str, str] = Field(
        default={}, description="Which organisation a value stands for; none: the value is its id."
    )
    role_values: dict[str, tuple[str, ...]] = Field(
        default={}, description="Which roles a value stands for, others standing for none; none: the values are roles."
    )


class IssuerSettings(_Group):
    """An issuer of callers' tokens."""

    id: str = Field(min_length=1, description="The `iss` of its tokens.")
    jwks: Address | Path | dict[str, JsonValue] | None = Field(
        default=None,
        description="Its public keys (JWKS, RFC 7517): where they are published, the path of a file, or the key set "
        "itself; none: where its discovery document (OpenID Connect) says.",
    )
    authority: Path | None = Field(
        default=None, description="The authorities trusted at its address (PEM), in place of the machine's."
    )
    keys_seconds: float = Field(
        default=300.0, ge=1, description="Seconds after which published keys are read again; an unknown key does too."
    )
    audience: str | None = Field(
        default=None, min_length=1, description="What its tokens carry in `aud`; none: `XINQIAO_AUDIENCE`."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("ES256", "Ed25519", "PS256", "RS256"),
        min_length=1,
        description="The signature algorithms that it may use.",
    )
    leeway: int = Field(default=LEEWAY, ge=0, le=300, description="Seconds by which its clock may differ from ours.")
    organisations: tuple[str, ...] = Field(default=(), description="The organisations it may speak for; empty: any.")
    organisation: str | None = Field(
        default=None, min_length=1, description="The organisation of all its callers; none: their tokens name it."
    )
    claims: ClaimSettings = Field(default=ClaimSettings(), description="Where its tokens say who the caller is.")

    @model_validator(mode="after")
    def _discoverable(self) -> Self:
        if self.jwks is None and not self.id.startswith(("https://", "http://")):
            raise ValueError("needs jwks, for its id is no address at which a discovery document could be")
        return self


class TlsSettings(_Group):
    """What the gateway presents to callers, and what it asks of them."""

    certificate: Path | None = Field(
        default=None, description="Its certificate and those between it and its authority (PEM); none: no TLS."
    )
    key: Path | None = Field(default=None, description="Its key (PEM); none: in the certificate's file.")
    key_password: SecretStr | None = Field(default=None, description="The key's password.")
    client_authorities: Path | None = Field(
        default=None, description="The authorities of callers' certificates (PEM); none: callers are asked for none."
    )
    client_certificates: Literal["optional", "required"] = Field(
        default="optional", description="`required` refuses connections without a caller's certificate."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.certificate is None and (self.key or self.key_password or self.client_authorities):
            raise ValueError("the other settings need a certificate")
        if self.client_certificates == "required" and self.client_authorities is None:
            raise ValueError("client_certificates required needs client_authorities")
        return self


class CertificateSettings(_Group):
    """Callers' certificates that stand for an organisation: those that have all that is named here."""

    subject: str | None = Field(default=None, description="Their subject (RFC 4514: `CN=risk,O=First Bank,C=CN`).")
    issuer: str | None = Field(default=None, description="Their issuer's name (RFC 4514).")
    dns: str | None = Field(default=None, min_length=1, description="A DNS name among their alternative names.")
    uri: str | None = Field(default=None, min_length=1, description="A URI among their alternative names.")
    organisation: str = Field(min_length=1, description="The organisation that they stand for.")
    roles: tuple[str, ...] = Field(default=(), description="The roles of whoever comes without a token; none: nobody.")
    name: str | None = Field(default=None, min_length=1, description="That caller's name; none: the subject.")
    company: str | None = Field(default=None, description="The credit code of the company itself.")

    @field_validator("subject", "issuer")
    @classmethod
    def _as_written_here(cls, name: str | None) -> str | None:
        try:
            return name and x509.Name.from_rfc4514_string(name).rfc4514_string()
        except ValueError:
            raise ValueError("not a name as RFC 4514 writes it (no spaces after commas)") from None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.subject is None and self.dns is None and self.uri is None:
            raise ValueError("names no certificate: give subject, dns or uri")
        return self


class ProxySettings(_Group):
    """The proxies that end TLS before the gateway, and how they tell of callers' certificates."""

    networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Where they connect from; none: there are none. They must replace the header."
    )
    header: str = Field(
        default="Client-Cert", pattern=r"^[A-Za-z0-9-]+$", description="The header with the caller's certificate."
    )
    format: Literal["rfc9440", "pem", "envoy"] = Field(
        default="rfc9440",
        description="`rfc9440`: Client-Cert; `pem`: percent-encoded PEM (nginx); `envoy`: X-Forwarded-Client-Cert.",
    )


class ConsentIssuerSettings(SignerSettings):
    """An issuer of companies' consents."""

    companies: tuple[str, ...] = Field(
        default=(),
        description="The companies that it may sign for: credit codes or divisions (GB/T 2260 prefixes); empty: any.",
    )
    revocations: Path | None = Field(
        default=None,
        description="The file with its signed revocation list; none: its consents hold until they expire.",
    )


class LimitSettings(_Group):
    """What one request may cost."""

    request_bytes: int = Field(default=1_048_576, gt=0, description="The most bytes of a body or of a query string.")
    characters: int = Field(default=_LIMITS.characters, gt=0, description="The most characters of an operation's text.")
    tokens: int = Field(default=_LIMITS.tokens, gt=0, description="The most tokens of an operation's text.")
    repeats: int = Field(
        default=_LIMITS.repeats, gt=0, description="How often one response key may stand in a selection set."
    )
    fields: int = Field(default=_LIMITS.fields, gt=0, description="The most fields, after fragments are expanded.")
    depth: int = Field(default=_LIMITS.depth, gt=0, description="The deepest nesting, after fragments are expanded.")
    aliases: int = Field(default=_LIMITS.aliases, gt=0, description="The most aliases.")
    companies: int = Field(
        default=_LIMITS.companies, gt=0, description="The most distinct companies, at all levels together."
    )
    page: int = Field(default=_LIMITS.page, gt=0, description="The most records that `first` may ask for.")
    written: int = Field(
        default=_LIMITS.written, gt=0, description="The most companies and records in an answer, duplicates counted."
    )

    def operation(self) -> Limits:
        """The limits that the pipeline holds an operation to (`request_bytes` is the HTTP edge's)."""
        return Limits(**self.model_dump(exclude={"request_bytes"}))


class CostSettings(_Group):
    """What a request may cost the agencies: one for each call and for each company in it, times a weight."""

    budget: float = Field(default=100_000, gt=0, description="The most that one request may cost.")
    budgets: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="The same for single organisations, by id."
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={}, description="What an agency's calls weigh (`tax`), or a dataset's (`tax/TaxPayment`); others 1."
    )
    told: Literal["asked", "always"] = Field(
        default="asked", description="Whether answers tell their cost where `extensions.cost` asks, or always."
    )


class AllowanceSettings(_Group):
    """How much one caller may ask; none: any number."""

    requests: int | None = Field(
        default=None, gt=0, description="Requests a minute; those of ten seconds may come at once."
    )
    concurrent: int | None = Field(default=None, gt=0, description="Requests at once.")
    companies: int | None = Field(default=None, gt=0, description="Different companies on a day (of China).")


class QuotaSettings(_Group):
    """How much organisations and their users may ask, and how much of an agency one organisation may take."""

    organisation: AllowanceSettings = Field(default=AllowanceSettings(), description="What an organisation may ask.")
    user: AllowanceSettings = Field(default=AllowanceSettings(), description="What one of its users may ask.")
    organisations: dict[str, AllowanceSettings] = Field(
        default={}, description="The same as `organisation`, in its place, for single organisations, by id."
    )
    verifications: int | None = Field(
        default=20,
        gt=0,
        description="Different values that an organisation may have verified of one company on a day (of China).",
    )
    agency_share: float | None = Field(
        default=None, gt=0, le=1, description="The part of the calls that an agency bears at once for one organisation."
    )
    agency_day_share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The part of the calls that an agency bears on a day for one organisation.",
    )
    url: SecretStr | None = Field(
        default=None, min_length=1, description="Where several instances or workers count together: `redis://`."
    )
    deadline: float = Field(default=0.05, gt=0, le=5, description="Seconds that a trip there may take.")

    def bounds(self) -> bool:
        """Whether there is anything to count."""
        allowances = (self.organisation, self.user, *self.organisations.values())
        return any(allowance != AllowanceSettings() for allowance in allowances)


class DocumentSettings(_Group):
    """Operations that the operator trusts, and what becomes of others: `off`: they run; `log`: they run, and the log
    says so; `warn`: and the answer says so too; `enforce`: they are refused; `id`: no text is taken, only ids.
    """

    file: Path | None = Field(
        default=None, description="The list: JSON of texts by their SHA-256, or Apollo's manifest of operations."
    )
    mode: DocumentMode = Field(
        default="off", description="What becomes of others: `off`, `log`, `warn`, `enforce`, or `id`: no texts at all."
    )
    organisations: dict[str, DocumentMode] = Field(default={}, description="The same for single organisations, by id.")

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.file is None and {self.mode, *self.organisations.values()} != {"off"}:
            raise ValueError("a mode other than off needs the file")
        return self


class AdministrationSettings(_Group):
    """What changing the policy takes, beside the role for it."""

    methods: tuple[str, ...] = Field(
        default=("mfa", "hwk", "sc"),
        description="Ways to log in (`amr`, RFC 8176) of which an administrator's token must name one.",
    )
    levels: tuple[str, ...] = Field(
        default=(), description="Levels of login (`acr`) that do as well as one of these ways."
    )
    login_seconds: float = Field(default=3_600.0, gt=0, description="How many seconds a login is good for.")
    request_bytes: int = Field(default=16_777_216, gt=0, description="The most bytes of a body; drafts hold all rules.")
    deadline: float = Field(default=120.0, gt=0, description="Seconds that an analysis of the policy may take.")


class ConnectionSettings(_Group):
    """How many connections callers may keep, and for how long each may be waited for."""

    most: int = Field(
        default=2_000, gt=0, description="The most connections of one process; the longest waited for gives way."
    )
    idle: int = Field(
        default=5,
        gt=0,
        description="Seconds for which a connection is kept between two requests: longer than proxies do.",
    )
    head: float = Field(default=10.0, gt=0, description="Seconds for a TLS handshake, and for a request's head.")
    body: float = Field(default=60.0, gt=0, description="Seconds for a request's body, whatever its own deadline.")
    answer: float = Field(default=60.0, gt=0, description="Seconds for the caller to take an answer.")


class DeadlineSettings(_Group):
    """How long a request may take."""

    default: float = Field(default=5.0, gt=0, description="Seconds, for a request that does not say (X-Timeout-Ms).")
    maximum: float = Field(default=30.0, gt=0, description="Seconds that no request may exceed.")

    @model_validator(mode="after")
    def _default_within_maximum(self) -> Self:
        if self.default > self.maximum:
            raise ValueError("default is longer than maximum")
        return self


class AuditSettings(_Group):
    """How the audit log is kept, signed and anchored."""

    instance: str = Field(
        default="xinqiao",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="What this instance is called in checkpoints: another name for each that shares a database.",
    )
    database: SecretStr | None = Field(
        default=None, description="A PostgreSQL database that keeps the log instead of files, by URL."
    )
    durability: Literal["disk", "process"] = Field(
        default="disk",
        description="What a record outlives before its answer leaves: `disk` a loss of power, `process` the process.",
    )
    rotate_bytes: int = Field(default=268_435_456, gt=0, description="The size from which a file is rotated away.")
    rotate_seconds: float = Field(default=86_400.0, gt=0, description="The age from which a file is rotated away.")
    keep_days: int | None = Field(
        default=None, gt=0, description="For how many days records are kept at least, then deleted; none: for ever."
    )
    signing_key: Path | None = Field(
        default=None, description="The private key (Ed25519, a JWK file) of checkpoints and receipts; none: neither."
    )
    keys: Path | None = Field(
        default=None, description="The public keys (JWKS) of all that was ever signed here, the one in use among them."
    )
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, description="How often what is new is put under a checkpoint."
    )
    anchors: tuple[SecretStr, ...] = Field(
        default=(),
        description="Where copies of the checkpoints go: paths of files, URLs of databases or time stamp authorities.",
    )
    timestamp_roots: Path | None = Field(
        default=None, description="The certificates (PEM) by which such an authority (RFC 3161) is known."
    )

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.signing_key is not None and self.keys is None:
            raise ValueError("signing_key needs keys, among which its public half is")
        if self.signing_key is None and (self.keep_days is not None or self.anchors):
            raise ValueError("keep_days and anchors need checkpoints, and these a signing_key")
        stamped = any(anchor.get_secret_value().startswith(("http:", "https:")) for anchor in self.anchors)
        if stamped and self.timestamp_roots is None:
            raise ValueError("an anchor that is a time stamp authority needs timestamp_roots")
        return self


class TracingSettings(_Group):
    """Whether requests are traced, and who is told of it; the rest is said by OpenTelemetry's own variables."""

    export: Literal["off", "otlp"] = Field(
        default="off", description="`otlp` exports traces as OpenTelemetry's variables (`OTEL_...`) say."
    )
    agencies: tuple[str, ...] = Field(
        default=(), description="The agencies whose requests carry the trace's id (`traceparent`), by id; none: none."
    )


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


def load_settings() -> Settings:
    """The settings from the environment and the file that it names.

    Raises `SettingsInvalidError`: it names every variable at fault, one a line, and no value.
    """
    _check_file()
    _check_names()
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise SettingsInvalidError("\n".join(_fault(fault["loc"], fault["msg"]) for fault in faults)) from None
    except SettingsError as error:
        # The library's text names the field; only its cause, which is dropped here, quotes the value.
        raise SettingsInvalidError(f"{error}: a {PREFIX} variable with a list or a table holds JSON") from None
    except TOMLDecodeError as error:
        raise SettingsInvalidError(f"{os.environ[FILE_VARIABLE]}: {error}") from None


def _fault(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{PREFIX}{'__'.join(str(part).upper() for part in location)}: {message}" if location else message


def _check_file() -> None:
    name = os.environ.get(FILE_VARIABLE)
    if name is not None and not Path(name).is_file():
        raise SettingsInvalidError(f"{FILE_VARIABLE}: there is no file {name}")


def _check_names() -> None:
    """Refuses a misspelt variable: ignored, XINQIAO_ANONYMUS=refuse would leave the gateway as open as it was."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    for variable in sorted(os.environ):
        name = variable.upper().split("__", 1)[0]
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsInvalidError(f"{variable}: there is no such setting.{hint}")
