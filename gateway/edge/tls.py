"""TLS towards callers: the gateway's certificate, read again when its files change, and the certificates of callers."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import structlog

from connectors.secret import Stamp, stamp_of
from gateway.edge.connections import TimedProtocol
from gateway.edge.request import CERTIFICATE
from gateway.errors import CertificateMalformedError, SettingsInvalidError
from gateway.identity.certificates import Certificate, read_certificate
from gateway.settings import PREFIX, TlsSettings

LOOK_SECONDS: Final = 10.0
"""How often the certificate's files are looked at."""

_log = structlog.stdlib.get_logger(__name__)


class ServerCertificate:
    """The gateway's certificate in a TLS context (1.2 and later). New files count for new connections; those that do
    not go together leave it as it was.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Raises `SettingsInvalidError`, which names the setting and quotes no file."""
        self._settings = settings
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._stamps = self._stamp()
            self._load(self.context)
        except (OSError, ValueError):
            raise SettingsInvalidError(
                f"{PREFIX}TLS__CERTIFICATE must be a certificate with its key, in PEM files that can be read."
            ) from None
        if settings.client_authorities is not None:
            required = settings.client_certificates == "required"
            self.context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            try:
                self.context.load_verify_locations(settings.client_authorities)
            except (OSError, ValueError):
                raise SettingsInvalidError(
                    f"{PREFIX}TLS__CLIENT_AUTHORITIES must be a PEM file of certificates that can be read."
                ) from None

    async def look(self) -> None:
        """Takes the files as they are now, where they changed."""
        try:
            stamps = await asyncio.to_thread(self._stamp)
            if stamps != self._stamps:
                # Tried elsewhere first: a certificate that is put into a context takes the old key away.
                await asyncio.to_thread(self._load, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
                self._load(self.context)
                self._stamps = stamps
        except (OSError, ValueError) as error:
            _log.warning("the gateway's certificate cannot be read", reason=type(error).__name__)

    async def follow(self) -> None:
        """Looks at the files again and again, for as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    def _stamp(self) -> tuple[Stamp, ...]:
        return tuple(stamp_of(file) for file in (self._settings.certificate, self._settings.key) if file)

    def _load(self, context: ssl.SSLContext) -> None:
        password = self._settings.key_password
        if self._settings.certificate is None:
            raise ValueError
        # A password is given even where there is none: without it, OpenSSL would ask on the terminal.
        context.load_cert_chain(
            self._settings.certificate,
            self._settings.key,
            lambda: password.get_secret_value() if password else "",
        )


class CertificateProtocol(TimedProtocol):
    """The protocol, which also tells the application of the caller's certificate: uvicorn does not."""

    _certificate: Certificate | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Reads the certificate once for all requests of the connection; one that cannot be read ends it."""
        super().connection_made(transport)
        connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        der = connection.getpeercert(binary_form=True) if connection else None
        try:
            self._certificate = read_certificate(der) if der else None
        except CertificateMalformedError:
            _log.warning("a caller's certificate cannot be read")
            transport.abort()

    def on_message_begin(self) -> None:
        """Begins a request's scope."""
        super().on_message_begin()
        self.scope[CERTIFICATE] = self._certificate  # type: ignore[typeddict-unknown-key]
