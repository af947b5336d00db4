"""TLS to an agency: whom to trust, and the certificate by which it knows us, read again when its files change."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from pydantic import Field

from connectors.errors import AddressInvalid
from connectors.lane import Lane, LaneAnswer
from connectors.manifest import Part, SecretReference
from connectors.outgoing import Outgoing
from connectors.secret import FILE, LOOK_SECONDS, Secret, Stamp, stamp_of

_log = structlog.get_logger(__name__)

_MAKES: Final = "a certificate with its key, in PEM files that can be read"


class Tls(Part):
    """Files in PEM, by `${NAME}` or `file:` and a path."""

    authority: SecretReference | None = Field(
        default=None, description="The authorities trusted for this agency, in place of the machine's."
    )
    certificate: SecretReference | None = Field(
        default=None, description="Our certificate, with those between it and its authority."
    )
    key: SecretReference | None = Field(default=None, description="Its key. Default: in the certificate's file.")
    password: SecretReference | None = Field(default=None, description="The key's password.")

    def read_once(self) -> Iterator[Path]:
        """The file of the authorities."""
        if self.authority is not None:
            yield _path(self.authority)


class ClientCertificate:
    """Our certificate in a context. New files that do not go together leave it as it was."""

    def __init__(self, tls: Tls, certificate: str, context: ssl.SSLContext) -> None:
        """Raises `AddressInvalid`."""
        self._context = context
        self._certificate = _path(certificate)
        self._key = _path(tls.key) if tls.key else None
        self._password = Secret("tls.password", tls.password) if tls.password else None
        self._looked = float("-inf")
        try:
            self._stamps = self._stamp()
            self._load(context, self._password.first if self._password else "")
        except (OSError, ValueError):
            raise AddressInvalid("tls.certificate", _MAKES) from None

    async def look(self) -> None:
        """Takes the files as they are now, where they changed."""
        now = asyncio.get_running_loop().time()
        if now < self._looked + LOOK_SECONDS:
            return
        self._looked = now
        password = await self._password.value() if self._password else ""
        try:
            stamps = await asyncio.to_thread(self._stamp)
            if stamps != self._stamps:
                # Tried elsewhere first: a certificate that is put into a context takes the old key away.
                await asyncio.to_thread(self._load, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), password)
                self._load(self._context, password)
                self._stamps = stamps
        except (OSError, ValueError) as error:
            _log.warning("client certificate cannot be read", reason=type(error).__name__)

    def _stamp(self) -> tuple[Stamp, Stamp | None]:
        return stamp_of(self._certificate), stamp_of(self._key) if self._key else None

    def _load(self, context: ssl.SSLContext, password: str) -> None:
        # A password is given even where there is none: without it, OpenSSL would ask on the terminal.
        context.load_cert_chain(self._certificate, self._key, lambda: password)


class CertificateLane:
    """A lane that looks at the files of our certificate before it sends."""

    def __init__(self, lane: Lane, certificate: ClientCertificate) -> None:
        self._lane = lane
        self._certificate = certificate

    async def send(self, request: Outgoing, deadline: float) -> LaneAnswer:
        """As in `Lane`."""
        await self._certificate.look()
        return await self._lane.send(request, deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._lane.close()


class MachineAuthorities:
    """Whom this machine trusts, for all agencies that name nobody else. It is read once, when it is first needed: each
    time takes 25 ms and most of a mebibyte.
    """

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context that all of them share."""
        if self._context is None:
            self._context = _open_context(None)
        return self._context


class ClientTls:
    """What a client presents and trusts; `certificate` is ours, where it has one."""

    def __init__(self, tls: Tls, machine: MachineAuthorities) -> None:
        """Raises `AddressInvalid`."""
        own = tls.authority is not None or tls.certificate is not None
        self._machine = machine
        self._context = _open_context(_path(tls.authority) if tls.authority else None) if own else None
        self.certificate = (
            ClientCertificate(tls, tls.certificate, self._context) if self._context and tls.certificate else None
        )

    def context(self) -> ssl.SSLContext:
        """The context for connections to the agency."""
        return self._context or self._machine.context()


def _open_context(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ValueError):
        raise AddressInvalid("tls.authority", "a PEM file of certificates that can be read") from None


def _path(reference: str) -> Path:
    return Path(reference.removeprefix(FILE))
