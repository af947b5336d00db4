"""The errors of `policies`, each with a stable code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class PolicyError(Exception):
    """The root of this package's errors. `code` is stable and public."""

    code: ClassVar[str] = "POLICY_ERROR"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in a policy file: where it is (`line` counts from 1), its stable code, what is wrong, the way out."""

    file: str
    line: int
    code: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """One line for a person: `rules/nation.yaml:12: UNKNOWN_FIELD: ...`."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}: {self.code}: {self.message}{hint}"


class PolicyInvalid(PolicyError):  # noqa: N818  # it names a state of the policy
    """A policy directory that cannot be published. `findings` holds every mistake in it, by file and line."""

    code: ClassVar[str] = "POLICY_INVALID"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda finding: (finding.file, finding.line, finding.code)))
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def __reduce__(self) -> tuple[type[PolicyInvalid], tuple[tuple[Finding, ...]]]:
        """Pickles by its findings: policies are compiled, and may be loaded, in another process."""
        return PolicyInvalid, (self.findings,)


class CasbinConflictError(PolicyError):
    """The abandoned distribution `casbin` is installed over `pycasbin`; both provide the module `casbin`."""

    code: ClassVar[str] = "CASBIN_CONFLICT"


class PurposeRefused(PolicyError):  # noqa: N818  # it names what happened to the request
    """The purpose that a caller gave is unknown, or not registered for its organisation."""

    code: ClassVar[str] = "PURPOSE_REFUSED"


class ConsentProblem(StrEnum):
    """Why a consent does not count. Stable and public."""

    MALFORMED = "MALFORMED"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"
    FORGED = "FORGED"
    WRONG_AUDIENCE = "WRONG_AUDIENCE"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    OTHER_ORGANISATION = "OTHER_ORGANISATION"
    WRONG_PURPOSE = "WRONG_PURPOSE"
    COMPANY_NOT_OF_ISSUER = "COMPANY_NOT_OF_ISSUER"


class ConsentRefused(PolicyError):  # noqa: N818  # it names what happened to the consent
    """A consent that does not count, for the reason `problem`. The message holds nothing of the token."""

    code: ClassVar[str] = "CONSENT_REFUSED"

    def __init__(self, problem: ConsentProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class IssuerInvalid(PolicyError):  # noqa: N818  # it names a state of the file
    """The configuration of a consent issuer cannot be used."""

    code: ClassVar[str] = "ISSUER_INVALID"


class PublicityInvalid(PolicyError):  # noqa: N818  # it names a state of the file
    """The dated publicity rules cannot be read."""

    code: ClassVar[str] = "PUBLICITY_INVALID"
