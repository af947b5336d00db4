"""What is kept of requests, and told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.settings.group import Group


class AuditSettings(Group):
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


class TracingSettings(Group):
    """Whether requests are traced, and who is told of it; the rest is said by OpenTelemetry's own variables."""

    export: Literal["off", "otlp"] = Field(
        default="off", description="`otlp` exports traces as OpenTelemetry's variables (`OTEL_...`) say."
    )
    agencies: tuple[str, ...] = Field(
        default=(), description="The agencies whose requests carry the trace's id (`traceparent`), by id; none: none."
    )
