"""The errors of `connectors`, each with a stable code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from connectors.contract import FailureCode


class ConnectorError(Exception):
    """The root of this package's errors. `code` is stable and public."""

    code: ClassVar[str] = "CONNECTOR_ERROR"


class AgencyFailure(ConnectorError):
    """An agency's system gave no usable answer. The message is for the operator's log: it never holds a field value."""

    code: ClassVar[str] = "AGENCY_FAILURE"

    def __init__(
        self,
        failure: FailureCode,
        reason: str,
        *,
        retryable: bool,
        throttled: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """`throttled` tells that the agency is well, and answered that it is asked too often; `retry_after` is in how
        many seconds it wants to be asked again, where it said so.
        """
        super().__init__(reason)
        self.failure = failure
        self.retryable = retryable
        self.throttled = throttled
        self.retry_after = retry_after


class NotSent(AgencyFailure):
    """A call that was not sent: the agency's own bounds forbid it, or it is left alone. Asking later may help."""

    code: ClassVar[str] = "AGENCY_NOT_ASKED"

    def __init__(self, failure: FailureCode, reason: str) -> None:
        super().__init__(failure, reason, retryable=True)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in a manifest.

    `line` counts from 1, `path` is dotted (`datasets.0.fields.amount`), `hint` is the way out or empty.
    """

    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """One line for people."""
        place = f"line {self.line}: {self.path}: " if self.path else f"line {self.line}: "
        return place + self.message + (f" ({self.hint})" if self.hint else "")


class ManifestInvalid(ConnectorError):
    """A manifest cannot be used. `findings` holds all its mistakes, in the order of their lines."""

    code: ClassVar[str] = "MANIFEST_INVALID"

    def __init__(self, file: str, findings: Sequence[Finding]) -> None:
        self.file = file
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(f"{file}, {finding}" for finding in self.findings))


class ConnectionNotConfigured(ConnectorError):
    """The environment lacks what manifests refer to, or holds unusable addresses.

    Names agency, key and variable of each; never a value.
    """

    code: ClassVar[str] = "CONNECTION_NOT_CONFIGURED"

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(self.reasons))


class ConnectionUnusable(ConnectorError):
    """An agency's connection cannot be opened, and trying again will not help. Never holds a value."""

    code: ClassVar[str] = "CONNECTION_UNUSABLE"


class ExtraMissing(ConnectionUnusable):
    """A manifest needs a library that only an extra of this package installs. Names both."""

    code: ClassVar[str] = "EXTRA_MISSING"

    def __init__(self, extra: str, wanted_by: str) -> None:
        super().__init__(f"{wanted_by} needs the extra: pip install 'xinqiao[{extra}]'")


class AddressInvalid(ConnectionUnusable):
    """The value of a connection's key is no usable address. Names the key and what is wanted; never the value."""

    code: ClassVar[str] = "ADDRESS_INVALID"

    def __init__(self, key: str, wanted: str) -> None:
        super().__init__(f"connection.{key} is not {wanted}")


class KindClash(ConnectorError):
    """Two kinds of system have one name. Names the entry point of the later one."""

    code: ClassVar[str] = "KIND_CLASH"


class UnknownDataset(ConnectorError):
    """A request names a dataset, column or filter that no manifest declares."""

    code: ClassVar[str] = "UNKNOWN_DATASET"
