"""The errors of `policies`, each with a stable code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class PolicyError(Exception):
    """The root of this package's errors. `code` is stable and public."""

    code: ClassVar[str] = "POLICY_ERROR"


class Severity(StrEnum):
    """What a finding means: the policy is refused, or somebody should look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in a policy file: where it is (`line` counts from 1), its stable code, what is wrong, the way out."""

    file: str
    line: int
    code: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR

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
        return type(self), (self.findings,)


class PublicityInvalid(PolicyInvalid):
    """The dated publicity rules cannot be read, or name what there is not."""

    code: ClassVar[str] = "PUBLICITY_INVALID"


class CasbinConflictError(PolicyError):
    """The abandoned distribution `casbin` is installed over `pycasbin`; both provide the module `casbin`."""

    code: ClassVar[str] = "CASBIN_CONFLICT"


class PurposeRefused(PolicyError):  # it names what happened to the request
    """The purpose that a caller gave is unknown, or not registered for its organisation."""

    code: ClassVar[str] = "PURPOSE_REFUSED"


class CallerUnknown(PolicyError):  # it names a state of the question
    """The policy knows no such caller: a role, or an organisation, or not the one at the other. The message says what
    there is.
    """

    code: ClassVar[str] = "CALLER_UNKNOWN"


class CoordinateUnknown(PolicyError):  # it names a state of the question
    """There is no such coordinate, or no agency supplies it. The message says which are near."""

    code: ClassVar[str] = "COORDINATE_UNKNOWN"


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


class ConsentRevoked(ConsentRefused):
    """Its issuer has revoked it."""

    code: ClassVar[str] = "CONSENT_REVOKED"


class ConsentRevocationUnknown(ConsentRefused):
    """Its issuer revokes consents, and there is no list that says which: none that is the issuer's and still fresh."""

    code: ClassVar[str] = "CONSENT_REVOCATION_UNKNOWN"


class RevocationsInvalid(PolicyError):  # it names a state of the list
    """A revocation list that is none, or is not its issuer's. The message quotes nothing of it."""

    code: ClassVar[str] = "REVOCATIONS_INVALID"


class ConsentScopeInvalid(PolicyError):  # it names a state of the scope
    """A consent's scope that names what is not in the catalogue."""

    code: ClassVar[str] = "CONSENT_SCOPE_INVALID"


class StoreError(PolicyError):
    """What the store of policy versions refuses or cannot do; each reason is a subclass with its own code."""

    code: ClassVar[str] = "STORE_ERROR"


class StoreUnavailable(StoreError):
    """The store cannot be reached, read or written. Whether a write took effect must be looked up."""

    code: ClassVar[str] = "STORE_UNAVAILABLE"


class StoreTooNew(StoreError):
    """The database was migrated by a newer release than this one."""

    code: ClassVar[str] = "STORE_TOO_NEW"


class StoreEmpty(StoreError):
    """The store holds no version yet."""

    code: ClassVar[str] = "STORE_EMPTY"


class StoreNotEmpty(StoreError):
    """An archive is restored only into a store that holds nothing."""

    code: ClassVar[str] = "STORE_NOT_EMPTY"


class ArchiveInvalid(StoreError):
    """What should be restored is no archive of a store, or is damaged."""

    code: ClassVar[str] = "ARCHIVE_INVALID"


class VersionUnknown(StoreError):
    """The store holds no version of this number."""

    code: ClassVar[str] = "VERSION_UNKNOWN"


class VersionDamaged(StoreError):
    """A published version is no longer what was published. The message names the version and the file."""

    code: ClassVar[str] = "VERSION_DAMAGED"


class VersionConflict(StoreError):
    """Somebody else has published in between."""

    code: ClassVar[str] = "VERSION_CONFLICT"


class DraftUnknown(StoreError):
    """The store holds no draft of this id."""

    code: ClassVar[str] = "DRAFT_UNKNOWN"


class DraftChanged(StoreError):
    """The draft was changed by somebody else in between."""

    code: ClassVar[str] = "DRAFT_CHANGED"


class FileNameInvalid(StoreError):
    """A name that no policy file can have."""

    code: ClassVar[str] = "FILE_NAME_INVALID"


class AdministrationRefused(PolicyError):
    """An act on the policy that the rules of changing it do not allow; each reason is a subclass with its own code. The
    message says what would be needed.
    """

    code: ClassVar[str] = "ADMINISTRATION_REFUSED"


class NotAnAdministrator(AdministrationRefused):
    """The actor lacks the role that keeps policies."""

    code: ClassVar[str] = "NOT_AN_ADMINISTRATOR"


class BeyondDelegation(AdministrationRefused):
    """An agency's administrator reaches beyond the rules on the data of its own agency and of those below it."""

    code: ClassVar[str] = "BEYOND_DELEGATION"


class NotTheAuthor(AdministrationRefused):
    """Only its author changes a draft."""

    code: ClassVar[str] = "NOT_THE_AUTHOR"


class ReasonMissing(AdministrationRefused):
    """Each change says why."""

    code: ClassVar[str] = "REASON_MISSING"


class NothingChanged(AdministrationRefused):
    """The draft says what the latest version says already."""

    code: ClassVar[str] = "NOTHING_CHANGED"


class AuthorCannotApprove(AdministrationRefused):
    """The author of a draft is not its approver."""

    code: ClassVar[str] = "AUTHOR_CANNOT_APPROVE"


class NotConcerned(AdministrationRefused):
    """The draft touches nothing that this administrator answers for."""

    code: ClassVar[str] = "NOT_CONCERNED"


class ApprovalMissing(AdministrationRefused):
    """Nobody but the author stands for the draft as it is now."""

    code: ClassVar[str] = "APPROVAL_MISSING"


class OwnerApprovalMissing(AdministrationRefused):
    """The draft opens data of agencies that have not approved it."""

    code: ClassVar[str] = "OWNER_APPROVAL_MISSING"


class ReviewedOther(AdministrationRefused):
    """The approver has read the draft as it was, not as it is."""

    code: ClassVar[str] = "REVIEWED_OTHER"


class DraftOutdated(AdministrationRefused):
    """Another version was published since the draft's base; none of the files that both changed is the same."""

    code: ClassVar[str] = "DRAFT_OUTDATED"


class DraftConflict(AdministrationRefused):
    """Files of the draft were changed by a version published since its base. `files` names them."""

    code: ClassVar[str] = "DRAFT_CONFLICT"

    def __init__(self, draft: str, files: Sequence[str]) -> None:
        self.files = tuple(files)
        super().__init__(
            f"the draft {draft} and a version published since its base both changed {', '.join(files)}; take those "
            "files from the latest version, make the change again, and propose it on that base"
        )


class NotADeny(AdministrationRefused):
    """An emergency adds one rule that denies, from now on, and nothing else."""

    code: ClassVar[str] = "NOT_A_DENY"
