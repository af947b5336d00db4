"""Who may ask, and administer, and how they show that they are these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from cryptography import x509
from pydantic import Field, IPvAnyNetwork, JsonValue, SecretStr, StringConstraints, field_validator, model_validator

from gateway.settings.group import Group

Algorithm = Literal["ES256", "ES384", "ES512", "Ed25519", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
"""Signatures with a public key only: with a shared secret whoever verifies could sign."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://")]
"""An address on the network."""

LEEWAY: Final = 30
"""Seconds by which an issuer's clock may differ from ours, unless the operator says otherwise."""


class SignerSettings(Group):
    """Whoever signs JWTs that this gateway believes."""

    id: str = Field(min_length=1, description="The `iss` of its tokens.")
    jwks: Path | dict[str, JsonValue] = Field(
        description="Its public keys (JWKS, RFC 7517): the path of a file, or the key set itself."
    )


class ClaimSettings(Group):
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


class IssuerSettings(Group):
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


class TlsSettings(Group):
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


class CertificateSettings(Group):
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


class ProxySettings(Group):
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


class AdministrationSettings(Group):
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
