"""A gateway as an operator starts it, which is attacked over its socket, and an agency that answers what it likes."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.faults.agency import row
from tests.faults.installation import COMMAND, Supplier, environment_of

PATIENCE = 60.0
"""Seconds within which a gateway that does not hang has answered or hung up."""

GRAPHQL_RESPONSE = "application/graphql-response+json"


@dataclass(frozen=True)
class Attacked:
    """A gateway that runs. `log` and `audit` are what it has written."""

    url: str
    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path
    audit: Path

    def ask(self, query: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> httpx.Response:
        """The answer to a well-formed POST."""
        sent = {"Accept": GRAPHQL_RESPONSE, **(headers or {})}
        return self.client.post("/graphql", json={"query": query, **members}, headers=sent)

    def send(self, *pieces: bytes, quiet: float = 20.0) -> bytes:
        """What comes back over a connection of its own until the gateway closes it, which we ask it to do once it has
        been `quiet` for so many seconds. Raises `TimeoutError` where it does not.
        """
        where = urlsplit(self.url)
        received = b""
        with socket.create_connection((where.hostname, where.port), PATIENCE) as connection:
            # A gateway that hangs up while we send has said why, most likely.
            with suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
            connection.settimeout(quiet)
            with suppress(ConnectionError):
                while part := _read(connection):
                    received += part
        return received

    def lives(self) -> bool:
        """Whether it still answers."""
        return self.process.poll() is None and self.client.get("/healthz").status_code == 200


def _read(connection: socket.socket) -> bytes:
    """What has come, empty at the end."""
    try:
        return connection.recv(65_536)
    except TimeoutError:
        if connection.gettimeout() == PATIENCE:
            raise
    connection.settimeout(PATIENCE)
    connection.shutdown(socket.SHUT_WR)
    return connection.recv(65_536)


def a_row_for_each(_path: str, body: bytes) -> bytes:
    """What an agency answers that knows everybody."""
    return json.dumps({"rows": [row(code) for code in json.loads(body)["codes"]]}).encode()


@contextmanager
def attacked(
    folder: Path, suppliers: Sequence[Supplier], verify: ssl.SSLContext | None = None, **settings: str
) -> Iterator[Attacked]:
    """A gateway over these agencies, as long as the context lasts. `verify` is what its caller has for TLS."""
    log = folder / "log.jsonl"
    environment = environment_of(folder, suppliers, {"XINQIAO_LOG_LEVEL": "info", **settings})
    with log.open("wb") as written:
        process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=written)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        tls = verify or ssl.create_default_context()
        with httpx.Client(
            base_url=url.removesuffix("/graphql"), timeout=PATIENCE, trust_env=False, verify=tls
        ) as client:
            yield Attacked(url, process, client, log, folder / "audit.jsonl")
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
