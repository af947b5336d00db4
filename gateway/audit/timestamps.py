"""Checkpoints stamped by a time stamp authority (RFC 3161): nobody, whatever key it holds, can date one back."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.x509 import Certificate
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

from gateway.audit.ledger import FileLedger, Ledger
from gateway.errors import AuditSinkError

DEADLINE: Final = 10.0
"""Seconds that the authority may take."""

MOST_BYTES: Final = 65_536
"""The longest answer that is read; those of authorities with their certificates have some 6,000."""


class TimestampLedger(Ledger):
    """Copies of checkpoints in a file, each with the token of the authority at `url` over it. `roots` are the
    certificates by which authorities are known.
    """

    def __init__(self, url: str, path: Path, roots: Sequence[Certificate]) -> None:
        self._url = url
        self._file = FileLedger(path)
        self._roots = roots

    async def append(self, number: int, text: str) -> None:
        """Has the checkpoint stamped, and keeps both. Raises `AuditSinkError`."""
        token = await asyncio.to_thread(self._stamp, text.encode())
        await self._file.append(number, f"{text} {b64encode(token).decode()}")

    async def last(self) -> str | None:
        """The last checkpoint that was stamped."""
        line = await self._file.last()
        return line.partition(" ")[0] if line is not None else None

    async def all(self, first: int = 1) -> Sequence[str]:
        """The checkpoints from this place on. Raises `AuditSinkError` where one has not the stamp of an authority."""
        lines = await self._file.all(first)
        return await asyncio.to_thread(lambda: [self._stamped(line, first + at) for at, line in enumerate(lines)])

    async def close(self) -> None:
        """Holds nothing."""

    def _stamp(self, message: bytes) -> bytes:
        """The authority's answer, once it is seen to be good."""
        request = TimestampRequestBuilder().data(message).build()
        headers = {"Content-Type": "application/timestamp-query"}
        asked = urllib.request.Request(self._url, request.as_bytes(), headers)  # noqa: S310 - the operator's address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(asked, timeout=DEADLINE) as response:
                token: bytes = response.read(MOST_BYTES)
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise AuditSinkError(f"the time stamp authority gave no answer: {type(error).__name__}") from error
        self._check(token, message, VerifierBuilder.from_request(request), "the answer of the time stamp authority")
        return token

    def _stamped(self, line: str, number: int) -> str:
        text, _, token = line.partition(" ")
        try:
            content = b64decode(token, validate=True)
        except ValueError:
            content = b""
        self._check(content, text.encode(), VerifierBuilder(), f"the time stamp of checkpoint {number}")
        return text

    def _check(self, token: bytes, message: bytes, builder: VerifierBuilder, what: str) -> None:
        for root in self._roots:
            builder = builder.add_root_certificate(root)
        try:
            good = builder.build().verify_message(decode_timestamp_response(token), message)
        except (VerificationError, ValueError) as error:
            raise AuditSinkError(f"{what} is not good: {type(error).__name__}") from error
        if not good:
            raise AuditSinkError(f"{what} is not good")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """The authority is where the operator says, and nowhere else."""
