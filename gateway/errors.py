"""The errors of `gateway`, each with a stable code that clients may rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import ClassVar


class GatewayError(Exception):
    """The root of this package's errors. `code` is stable and public; the message holds no field value, no secret."""

    code: ClassVar[str] = "GATEWAY_ERROR"


class SettingsInvalidError(GatewayError):
    """The operator's settings cannot be used. The message names each variable or file, and never its value."""

    code = "SETTINGS_INVALID"


class WorkerEndedError(GatewayError):
    """A worker ended before it answered. The message is what it said of that, which names no value."""

    code = "WORKER_ENDED"


class AuditSinkError(GatewayError):
    """What keeps the audit log cannot be written or read. The message quotes no record, and no address of a database,
    which may hold a password.
    """

    code = "AUDIT_SINK"


class CheckpointInvalidError(GatewayError):
    """A checkpoint of the audit log that is none, or that none of the known keys has signed."""

    code = "CHECKPOINT_INVALID"


class ProofInvalidError(GatewayError):
    """What should prove a record of the audit log does not, or cannot be made."""

    code = "PROOF_INVALID"


class ReceiptInvalidError(GatewayError):
    """A receipt that is none, that none of the known keys has signed, or that is for another answer."""

    code = "RECEIPT_INVALID"


class HttpError(GatewayError):
    """A request that gets an HTTP error status instead of a GraphQL response.

    `status` is the HTTP status code; `headers` are what RFC 9110 wants beside it.
    """

    code = "HTTP_ERROR"
    status: ClassVar[int]

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class RequestMalformedError(HttpError):
    """Not a well-formed GraphQL-over-HTTP request: bad JSON, a parameter of the wrong type, a header out of bounds."""

    code = "REQUEST_MALFORMED"
    status = 400


class CrossSiteError(HttpError):
    """A browser asks for another site's page, with nothing but what it sends of itself."""

    code = "CROSS_SITE"
    status = 403


class MethodNotAllowedError(HttpError):
    """An HTTP method that does not serve this request."""

    code = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message, {"Allow": allow})


class NotAcceptableError(HttpError):
    """The caller accepts none of the media types that this server answers in."""

    code = "NOT_ACCEPTABLE"
    status = 406


class RequestTimeoutError(HttpError):
    """The request did not arrive whole before its deadline. The rest of it is not waited for."""

    code = "REQUEST_TIMEOUT"
    status = 408

    def __init__(self) -> None:
        # RFC 9110, section 15.5.9
        super().__init__("The body did not arrive whole before the request's deadline.", {"Connection": "close"})


class BodyTooLargeError(HttpError):
    """The body is over the limit."""

    code = "BODY_TOO_LARGE"
    status = 413


class UriTooLongError(HttpError):
    """The query string is over the limit."""

    code = "URI_TOO_LONG"
    status = 414


class MediaTypeUnsupportedError(HttpError):
    """The body is in a media type, character set or content coding that this server does not read."""

    code = "MEDIA_TYPE_UNSUPPORTED"
    status = 415


class ClientGoneError(HttpError):
    """The caller closed the connection before its answer was ready. Nobody reads this status; it is for the audit log
    (nginx's convention).
    """

    code = "CLIENT_GONE"
    status = 499

    def __init__(self) -> None:
        super().__init__("The caller closed the connection before its answer was ready.")


class TooManyRequestsError(HttpError):
    """The caller has asked as much as it may for now. `Retry-After` says when to ask again."""

    code = "TOO_MANY_REQUESTS"
    status = 429

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, {"Retry-After": str(max(1, ceil(seconds)))})


class RateExceededError(TooManyRequestsError):
    """More requests a minute than the caller, or its organisation, may make."""

    code = "RATE_EXCEEDED"

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many requests a minute. Ask again later.", seconds)


class ConcurrencyExceededError(TooManyRequestsError):
    """More requests at once than the caller, or its organisation, may make."""

    code = "CONCURRENCY_EXCEEDED"

    def __init__(self) -> None:
        super().__init__("Too many requests at once. Wait for some of them to be answered.", 1)


class CompaniesExceededError(TooManyRequestsError):
    """More different companies on a day than the caller, or its organisation, may ask about."""

    code = "COMPANIES_EXCEEDED"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Too many different companies today. Those asked about today may be asked about again.", seconds
        )


class VerificationsExceededError(TooManyRequestsError):
    """More different values of one company on a day than an organisation may have verified: it would be guessing."""

    code = "VERIFICATIONS_EXCEEDED"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Too many different values of one company today. Those verified today may be verified again.", seconds
        )


class InternalError(HttpError):
    """A mistake of ours. The details are in the log, under the request id."""

    code = "INTERNAL"
    status = 500


class AuditUnavailableError(HttpError):
    """The audit log cannot be written, so nothing is answered."""

    code = "AUDIT_UNAVAILABLE"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The audit log cannot be written, so no answer may leave. Try again later.", {"Retry-After": "5"}
        )


class ServerBusyError(HttpError):
    """As many requests are being answered as this process takes connections."""

    code = "SERVER_BUSY"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "More requests are being answered here than connections are taken. Try again later.",
            {"Retry-After": "1", "Connection": "close"},
        )


class AuthenticationFailedError(HttpError):
    """The caller cannot be identified from its credentials, which are never part of the message."""

    code = "AUTHENTICATION_FAILED"
    status = 401

    def __init__(self, message: str) -> None:
        # RFC 6750, section 3.1
        super().__init__(message, {"WWW-Authenticate": 'Bearer realm="xinqiao", error="invalid_token"'})


class CredentialsRequiredError(AuthenticationFailedError):
    """No credentials came, and anonymous callers are refused."""

    code = "CREDENTIALS_REQUIRED"

    def __init__(self) -> None:
        super().__init__("Send a token (Authorization: Bearer ...) or an API key (X-API-Key: ...).")
        # RFC 6750, section 3.1: a request without credentials is told the scheme and no error code.
        self.headers = {"WWW-Authenticate": 'Bearer realm="xinqiao"'}


class CredentialsAmbiguousError(AuthenticationFailedError):
    """A token and an API key came together."""

    code = "CREDENTIALS_AMBIGUOUS"


class SchemeUnsupportedError(AuthenticationFailedError):
    """An Authorization header of another scheme than Bearer."""

    code = "SCHEME_UNSUPPORTED"


class TokenMalformedError(AuthenticationFailedError):
    """Not a signed JWT, or without a claim that is needed."""

    code = "TOKEN_MALFORMED"


class TokenAlgorithmError(AuthenticationFailedError):
    """Signed with an algorithm that its issuer may not use."""

    code = "TOKEN_ALGORITHM"


class TokenKeyUnknownError(AuthenticationFailedError):
    """Signed with a key that is not in its issuer's key set."""

    code = "TOKEN_KEY_UNKNOWN"


class TokenSignatureError(AuthenticationFailedError):
    """The signature does not fit the token."""

    code = "TOKEN_SIGNATURE"


class TokenExpiredError(AuthenticationFailedError):
    """Past its `exp`."""

    code = "TOKEN_EXPIRED"


class TokenNotYetValidError(AuthenticationFailedError):
    """Before its `nbf` or `iat`."""

    code = "TOKEN_NOT_YET_VALID"


class TokenAudienceError(AuthenticationFailedError):
    """Meant for another recipient."""

    code = "TOKEN_AUDIENCE"


class TokenBoundError(AuthenticationFailedError):
    """Bound to a certificate that did not come with it, or to something that cannot be checked here."""

    code = "TOKEN_BOUND"


class IssuerUnknownError(AuthenticationFailedError):
    """Signed by an issuer that the operator has not configured."""

    code = "ISSUER_UNKNOWN"


class CertificateMalformedError(AuthenticationFailedError):
    """Not a certificate, or not sent as the operator declared."""

    code = "CERTIFICATE_MALFORMED"


class CertificateExpiredError(AuthenticationFailedError):
    """A certificate past its end, or before its beginning."""

    code = "CERTIFICATE_EXPIRED"


class ProxyUnknownError(AuthenticationFailedError):
    """A certificate forwarded by somebody who is no declared proxy."""

    code = "PROXY_UNKNOWN"


class KeyUnknownError(AuthenticationFailedError):
    """Not an API key of this gateway."""

    code = "KEY_UNKNOWN"


class KeyRevokedError(AuthenticationFailedError):
    """An API key that the operator has revoked."""

    code = "KEY_REVOKED"


class KeyExpiredError(AuthenticationFailedError):
    """An API key past its expiry."""

    code = "KEY_EXPIRED"


class NotRegisteredError(AuthenticationFailedError):
    """The credentials are good, but what they say of the caller is not registered here: other credentials of the same
    kind would not help.
    """

    code = "NOT_REGISTERED"
    status = 403

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {}


class OrganisationUnknownError(NotRegisteredError):
    """The policy knows no such organisation, or the issuer may not speak for it."""

    code = "ORGANISATION_UNKNOWN"


class CertificateUnknownError(NotRegisteredError):
    """A certificate that stands for nobody by itself."""

    code = "CERTIFICATE_UNKNOWN"


class OrganisationsDifferError(NotRegisteredError):
    """A certificate of one organisation came with the token or key of another."""

    code = "ORGANISATIONS_DIFFER"


class RoleNotRegisteredError(NotRegisteredError):
    """A role that the organisation is not registered for."""

    code = "ROLE_NOT_REGISTERED"


class LoginInsufficientError(AuthenticationFailedError):
    """An administrator's login is too weak or too long ago. The answer says what would do (RFC 9470)."""

    code = "LOGIN_INSUFFICIENT"

    def __init__(self, message: str, levels: Sequence[str], seconds: float) -> None:
        super().__init__(message)
        wanted = f', acr_values="{" ".join(levels)}"' if levels else ""
        challenge = f'Bearer realm="xinqiao", error="insufficient_user_authentication"{wanted}, max_age="{seconds:.0f}"'
        self.headers = {"WWW-Authenticate": challenge}


class NotAdministratorError(NotRegisteredError):
    """A caller who keeps no policies, at the address where policies are kept."""

    code = "NOT_AN_ADMINISTRATOR"


class PolicyStoreMissingError(HttpError):
    """The policy is read from a plain directory, which has no versions and no drafts."""

    code = "POLICY_STORE_MISSING"
    status = 404


class WorkbookUnreadableError(GatewayError):
    """What was sent as a workbook is none."""

    code = "WORKBOOK_UNREADABLE"


class DaysOutOfRangeError(GatewayError):
    """The days to look back over are too few or too many."""

    code = "DAYS_OUT_OF_RANGE"


class DeadlineExceededError(HttpError):
    """The request's deadline passed before there was anything to answer."""

    code = "DEADLINE_EXCEEDED"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The deadline passed before an answer was ready. Allow more time (X-Timeout-Ms) or ask for less.",
            {"Retry-After": "1"},
        )


class VersionNotHeldError(GatewayError):
    """The compiling process does not hold this version of the policy (any more), and must be given its files."""

    code = "VERSION_NOT_HELD"


class IssuerKeysMissingError(HttpError):
    """The keys of the token's issuer have not been read yet: nothing can be said of the token."""

    code = "ISSUER_KEYS_MISSING"
    status = 503

    def __init__(self) -> None:
        super().__init__("The keys of the token's issuer could not be read yet. Try again later.", {"Retry-After": "5"})


class PolicyNotLoadedError(HttpError):
    """No policy version is in force yet."""

    code = "POLICY_NOT_LOADED"
    status = 503

    def __init__(self) -> None:
        super().__init__("No policy is in force yet, so nothing can be decided. Try again later.", {"Retry-After": "5"})
