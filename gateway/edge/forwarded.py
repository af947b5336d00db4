"""Callers' certificates as a proxy that ends TLS tells of them. Only proxies that the operator named are believed."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal
from urllib.parse import unquote

from cachetools import LRUCache

from gateway.errors import CertificateMalformedError, ProxyUnknownError
from gateway.identity.certificates import Certificate, read_certificate
from gateway.settings import ProxySettings

LONGEST: Final = 16_384
"""Characters of a header: a certificate has some thousand."""

_PAIR: Final = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^;,"]*)(;|,|$)')
"""One pair of X-Forwarded-Client-Cert, and what follows it: another pair, another element or nothing."""

_PEM_LINES: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")


class ForwardedCertificates:
    """Reads the certificates that declared proxies forward."""

    def __init__(self, settings: ProxySettings, cache_entries: int = 1_000) -> None:
        self.header: Final = settings.header
        self._networks = settings.networks
        self._read = _FORMATS[settings.format]
        self._known: LRUCache[str, Certificate] = LRUCache(cache_entries)
        self._peers: LRUCache[str, bool] = LRUCache(cache_entries)

    def is_proxy(self, peer: str | None) -> bool:
        """Whether this address, from which a connection came, is that of a declared proxy."""
        if peer is None:
            return False
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = self._is_within(peer)
        return known

    def certificate(self, peer: str | None, value: str) -> Certificate:
        """The certificate in the header's `value`, which came from that address.

        Raises `ProxyUnknownError` and `CertificateMalformedError`.
        """
        if not self.is_proxy(peer):
            raise ProxyUnknownError(f"The header {self.header} is for the proxies that the operator declared alone.")
        known = self._known.get(value)
        if known is None:
            if len(value) > LONGEST:
                raise CertificateMalformedError(f"The header {self.header} has more than {LONGEST} characters.")
            try:
                der = self._read(value)
            except (ValueError, binascii.Error):
                raise CertificateMalformedError(f"The header {self.header} is not of the form declared.") from None
            known = self._known[value] = read_certificate(der)
        return known

    def _is_within(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _byte_sequence(value: str) -> bytes:
    """RFC 9440, section 2.1: a byte sequence of RFC 8941, between colons."""
    if len(value) < len("::") or value[0] != ":" or value[-1] != ":":
        raise ValueError
    return base64.b64decode(value[1:-1], validate=True)


def _escaped_pem(value: str) -> bytes:
    """PEM, percent-encoded, as nginx writes `$ssl_client_escaped_cert`."""
    pem = unquote(value, errors="strict")
    if not _PEM_LINES.fullmatch(pem):
        raise ValueError
    return ssl.PEM_cert_to_DER_cert(pem)


def _envoy(value: str) -> bytes:
    """`Cert` of the one element of X-Forwarded-Client-Cert.

    Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers. Several elements are
    refused: those before the last are what callers sent.
    """
    position, found = 0, []
    while position < len(value):
        pair = _PAIR.match(value, position)
        if pair is None or pair[3] == ",":
            raise ValueError
        if pair[1].lower() == "cert":
            found.append(pair[2].strip('"'))
        position = pair.end()
    if len(found) != 1:
        raise ValueError
    return _escaped_pem(found[0])


_FORMATS: Final[Mapping[Literal["rfc9440", "pem", "envoy"], Callable[[str], bytes]]] = {
    "rfc9440": _byte_sequence,
    "pem": _escaped_pem,
    "envoy": _envoy,
}
