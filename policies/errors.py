"""The errors of `policies`, each with a stable code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


class PolicyInvalid(PolicyError):  # it names a state of the policy
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


class PurposeRefused(PolicyError):  # it names what happened to the request
    """The purpose that a caller gave is unknown, or not registered for its organisation."""

    code: ClassVar[str] = "PURPOSE_REFUSED"


class ConsentRefused(PolicyError):  # it names what happened to the consent
    """A consent that does not count; each reason is a subclass with its own code. The message quotes no token."""

    code: ClassVar[str] = "CONSENT_REFUSED"


class ConsentMalformed(ConsentRefused):
    """It is no JWS in compact form, or lacks a claim, or a claim has the wrong form."""

    code: ClassVar[str] = "CONSENT_MALFORMED"


class ConsentIssuerUnknown(ConsentRefused):
    """Its issuer is not configured."""

    code: ClassVar[str] = "CONSENT_ISSUER_UNKNOWN"


class ConsentForged(ConsentRefused):
    """None of its issuer's keys made the signature, or the algorithm is not allowed."""

    code: ClassVar[str] = "CONSENT_FORGED"


class ConsentWrongAudience(ConsentRefused):
    """It was given for another gateway."""

    code: ClassVar[str] = "CONSENT_WRONG_AUDIENCE"


class ConsentExpired(ConsentRefused):
    """It held once."""

    code: ClassVar[str] = "CONSENT_EXPIRED"


class ConsentNotYetValid(ConsentRefused):
    """It will hold later."""

    code: ClassVar[str] = "CONSENT_NOT_YET_VALID"


class ConsentOfOtherOrganisation(ConsentRefused):
    """It was given to another organisation."""

    code: ClassVar[str] = "CONSENT_OF_OTHER_ORGANISATION"


class ConsentForOtherPurpose(ConsentRefused):
    """It was given for another purpose than that of the request (which may have none)."""

    code: ClassVar[str] = "CONSENT_FOR_OTHER_PURPOSE"


class ConsentBeyondIssuer(ConsentRefused):
    """Its issuer may not sign for this company."""

    code: ClassVar[str] = "CONSENT_BEYOND_ISSUER"


class PublicityInvalid(PolicyError):  # it names a state of the file
    """The dated publicity rules cannot be read."""

    code: ClassVar[str] = "PUBLICITY_INVALID"
