"""Cases of bad days for systems that are spoken to by connections, such as databases: a proxy comes between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from connectors.conformance.bad_days import PATIENT, QUICK, expect_failure, expect_truth
from connectors.conformance.listener import HOST
from connectors.conformance.proxy import Dial, Mood, Proxy, proxied
from connectors.conformance.trial import Case, Subject, Trial, Unfit
from connectors.contract import FailureCode, Supply
from connectors.kinds import Transport

_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "oracle": 1521, "mssql": 1433}
"""Where each database listens, unless its address says otherwise."""

_TIMEOUT: Final = frozenset({FailureCode.AGENCY_TIMEOUT})
_UNAVAILABLE: Final = frozenset({FailureCode.AGENCY_UNAVAILABLE})
_BAD: Final = frozenset({FailureCode.AGENCY_BAD_RESPONSE})

_MOODS: Final = (
    ("silence", "does not answer any more", Mood.SILENT, _TIMEOUT, QUICK),
    ("slow-drip", "answers byte by byte", Mood.DRIP, _TIMEOUT, QUICK),
    ("reset", "resets the connection", Mood.RESET, _UNAVAILABLE | _BAD, PATIENT),
    ("another-protocol", "speaks something else", Mood.ANOTHER_PROTOCOL, _UNAVAILABLE | _BAD | _TIMEOUT, QUICK),
)


def _case(name: str, what: str, mood: Mood, called: frozenset[FailureCode], timeout: float) -> Case:
    async def run(trial: Trial) -> None:
        async with _between(trial, timeout) as (proxy, subject, supply):
            await proxy.listen()
            await expect_truth(trial, subject, supply)
            await proxy.turn(mood)
            await expect_failure(trial, subject, supply, called)
            await proxy.turn(Mood.FAITHFUL)
            await expect_truth(trial, subject, supply)

    return Case(name, f"a server that {what} has failed, and is back when it is back", run, Transport.TCP)


async def refused(trial: Trial) -> None:
    """Nothing listens there, and then it does."""
    async with _between(trial, PATIENT) as (proxy, subject, supply):
        await expect_failure(trial, subject, supply, _UNAVAILABLE)
        await proxy.listen()
        await expect_truth(trial, subject, supply)


CASES: Final = (
    *(_case(*mood) for mood in _MOODS),
    Case("refused", "a server that is not there has failed, and is back when it is back", refused, Transport.TCP),
)


@asynccontextmanager
async def _between(trial: Trial, seconds: float) -> AsyncIterator[tuple[Proxy, Subject, Supply]]:
    """A proxy between, and the supply that asks through it."""
    if not trial.has_records():
        raise Unfit("none of the companies has a record that could be lost")
    connection: Any = trial.subject.manifest.connection
    try:
        url = make_url(connection.url)
    except ArgumentError:
        raise Unfit("its address is none that a proxy can come before") from None
    async with proxied(_dial(url)) as proxy:
        query = {name: value for name, value in url.query.items() if name != "host"}
        address = url.set(host=HOST, port=proxy.port, query=query).render_as_string(hide_password=False)
        subject = trial.subject.changed({"url": address}, seconds)
        async with subject.opened() as supply:
            yield proxy, subject, supply


def _dial(url: URL) -> Dial:
    """What opens a connection to the address, or to the socket's directory that stands in its place (PostgreSQL)."""
    name = url.get_backend_name()
    port = url.port or _PORTS.get(name)
    directory = url.query.get("host")
    if isinstance(directory, str) and directory.startswith("/"):
        return lambda: asyncio.open_unix_connection(f"{directory}/.s.PGSQL.{port}")
    host = url.host
    if host is None or port is None:
        raise Unfit("its address names no server")
    return lambda: asyncio.open_connection(host, port)
