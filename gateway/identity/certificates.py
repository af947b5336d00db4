"""Callers' certificates (X.509), and whom the operator says that they stand for."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cachetools import LRUCache
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.errors import CertificateExpiredError, CertificateMalformedError, CertificateUnknownError
from gateway.messages import Principal
from gateway.settings import CertificateSettings


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that its holder has proved to hold the key of.

    `thumbprint` is the SHA-256 of its DER in base64url without padding (RFC 8705, section 3.1); `subject` and `issuer`
    are written as in RFC 4514; `dns` and `uris` are its subject's alternative names. `begins` and `ends` are in seconds
    since the epoch.
    """

    thumbprint: str
    subject: str
    issuer: str
    dns: frozenset[str]
    uris: frozenset[str]
    begins: float
    ends: float


def read_certificate(der: bytes) -> Certificate:
    """The certificate. Raises `CertificateMalformedError`."""
    try:
        found = x509.load_der_x509_certificate(der)
        names = _alternative_names(found)
        return Certificate(
            base64.urlsafe_b64encode(found.fingerprint(SHA256())).decode().rstrip("="),
            found.subject.rfc4514_string(),
            found.issuer.rfc4514_string(),
            frozenset(names.get_values_for_type(x509.DNSName)) if names else frozenset(),
            frozenset(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else frozenset(),
            found.not_valid_before_utc.timestamp(),
            found.not_valid_after_utc.timestamp(),
        )
    except Exception:  # noqa: BLE001 - what is wrong with a certificate shows in errors of many kinds
        raise CertificateMalformedError("The certificate is not one that can be read (X.509).") from None


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


class Certificates:
    """Whom certificates stand for. `clock` gives seconds since the epoch; the `cache_entries` most recently used stay
    found.
    """

    def __init__(
        self,
        settings: Iterable[CertificateSettings],
        clock: Callable[[], float] = time.time,
        cache_entries: int = 10_000,
    ) -> None:
        self._settings = tuple(settings)
        self._clock = clock
        self._found: LRUCache[str, CertificateSettings] = LRUCache(cache_entries)

    def organisation(self, certificate: Certificate) -> str:
        """The organisation that the certificate stands for.

        Raises `CertificateExpiredError` and `CertificateUnknownError`.
        """
        return self._entry(certificate).organisation

    def principal(self, certificate: Certificate) -> Principal:
        """The caller that the certificate names by itself.

        Raises `CertificateExpiredError`, and `CertificateUnknownError` also where it names an organisation alone.
        """
        entry = self._entry(certificate)
        if not entry.roles:
            raise CertificateUnknownError("The certificate names an organisation and nobody in it: send a token too.")
        return Principal(entry.name or certificate.subject, entry.organisation, frozenset(entry.roles), entry.company)

    def _entry(self, certificate: Certificate) -> CertificateSettings:
        if not certificate.begins <= self._clock() < certificate.ends:
            raise CertificateExpiredError("The certificate is not valid now. Use a new one.")
        found = self._found.get(certificate.thumbprint)
        if found is None:
            found = next((entry for entry in self._settings if _fits(certificate, entry)), None)
            if found is None:
                raise CertificateUnknownError("The certificate stands for no organisation here. Ask the operator.")
            self._found[certificate.thumbprint] = found
        return found


def _fits(certificate: Certificate, entry: CertificateSettings) -> bool:
    """Whether the certificate has all that the entry names."""
    return (
        entry.subject in {None, certificate.subject}
        and entry.issuer in {None, certificate.issuer}
        and (entry.dns is None or entry.dns in certificate.dns)
        and (entry.uri is None or entry.uri in certificate.uris)
    )
