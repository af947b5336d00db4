"""The machine, the secret, and the gateway that may be running."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.assembly import read_secrets
from gateway.cli.doctor.certificates import readable_by_others
from gateway.cli.doctor.finding import SECONDS, Finding, fault, good, warning
from gateway.edge.authority import authority
from gateway.edge.connections import OTHER_FILES
from gateway.edge.serving import listening
from gateway.errors import GatewayError
from gateway.settings import FILE_VARIABLE, PREFIX, Settings

LEAST_CHARACTERS: Final = 12
"""Different characters below which a secret of 32 is hardly drawn at random, but from ten digits."""


async def machine(settings: Settings) -> list[Finding]:
    """What is found of the machine, of the secret, and of a gateway that runs with these settings."""
    gateway = await asyncio.to_thread(lambda: list(_gateway(settings)))
    return [*_limits(settings), *_secret(settings), *_places(settings), *gateway]


def _limits(settings: Settings) -> Iterator[Finding]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections.most + OTHER_FILES
    if files != resource.RLIM_INFINITY and files < wanted:
        remedy = f"let it open {wanted} (LimitNOFILE, ulimit -Hn), or lower {PREFIX}CONNECTIONS__MOST"
        yield warning("machine", f"a process may open only {files} files and connections", remedy)
    cores = len(os.sched_getaffinity(0))
    if settings.workers > cores:
        remedy = f"set {PREFIX}WORKERS to no more than the cores"
        yield warning("machine", f"{settings.workers} workers share {cores} cores", remedy)


def _secret(settings: Settings) -> Iterator[Finding]:
    try:
        read_secrets(settings)
    except GatewayError:
        yield fault(
            "secret", f"{PREFIX}SECRET is not set", "draw one (openssl rand -hex 32), the same on every instance"
        )
        return
    if settings.secret is not None and len(set(settings.secret.get_secret_value())) < LEAST_CHARACTERS:
        yield warning("secret", f"{PREFIX}SECRET looks as if it could be guessed", "draw one: openssl rand -hex 32")


def _places(settings: Settings) -> Iterator[Finding]:
    """Whether the settings' file can be read by others, and whether callers and Prometheus ask at one port."""
    file = os.environ.get(FILE_VARIABLE)
    if file is not None:
        yield from readable_by_others("settings", Path(file))
    if settings.port in _metrics_ports(settings):
        yield fault("metrics", f"a worker's port for Prometheus is {PREFIX}PORT", f"set {PREFIX}METRICS_PORT to others")


def _metrics_ports(settings: Settings) -> range:
    """Where Prometheus asks, a worker each."""
    first = settings.metrics_port
    return range(first, first + settings.workers) if first is not None else range(0)


def _gateway(settings: Settings) -> Iterator[Finding]:
    """What a gateway says that listens where the settings say; where there is none, whether one could. Blocks."""
    said = _running(settings)
    if said is not None:
        yield said
        return
    yield good("gateway", f"none answers at {_address(settings)}: it is not started, or listens elsewhere")
    places = [(settings.host, settings.port, "PORT")]
    places += [(settings.metrics_host, port, "METRICS_PORT") for port in _metrics_ports(settings)]
    for host, port, name in places:
        try:
            with listening(host, port, 1, PREFIX + name):
                pass
        except GatewayError as error:
            yield fault("gateway", str(error), "see what else listens there, and whether its user may")


def _running(settings: Settings) -> Finding | None:
    """What the gateway says that listens where the settings say; None where nothing answers. Blocks."""
    where = _address(settings)
    # It is on this machine, and its certificate names others.
    context = ssl._create_unverified_context() if where.startswith("https") else None  # noqa: SLF001, S323
    try:
        with urllib.request.urlopen(f"{where}/readyz", timeout=SECONDS, context=context) as response:  # noqa: S310
            return _readiness(where, orjson.loads(response.read()))
    except urllib.error.HTTPError as error:
        return _readiness(where, _body(error))
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _readiness(where: str, said: Any) -> Finding:  # noqa: ANN401 - any JSON
    parts = said.get("parts") if isinstance(said, dict) else None
    if not isinstance(parts, dict):
        return fault("gateway", f"something else answers at {where}", f"set {PREFIX}PORT to a port of its own")
    amiss = [f"{part}: {word}" for part, word in sorted(parts.items()) if word != "ready"]
    if amiss:
        return fault("gateway", f"the one at {where} is not ready: {'; '.join(amiss)}", "see docs/operations.md")
    return good("gateway", f"the one at {where} is ready")


def _body(error: urllib.error.HTTPError) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(error.read())
    except ValueError:
        return None


def _address(settings: Settings) -> str:
    """Where it is asked from this machine: one that listens everywhere listens at the loopback address too."""
    host = settings.host
    try:
        if ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
    except ValueError:
        pass
    scheme = "https" if settings.tls.certificate else "http"
    return f"{scheme}://{authority(host, settings.port)}"
