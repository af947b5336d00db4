from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from gateway.demo.nation import Population, populate
from gateway.demo.supervisor import _AGENCIES, Nation, running_nation

SEED: Final = 11
TODAY: Final = date(2026, 11, 24)


@pytest.fixture(scope="session")
def population() -> Population:
    return populate(SEED, TODAY)


@pytest.fixture(scope="session")
def records(population: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the agencies know, each in a directory of its own."""
    directory: Path = tmp_path_factory.mktemp("records")
    for agency in _AGENCIES:
        (directory / agency.id).mkdir()
        agency.write(population, directory / agency.id)
    return directory


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nation]:
    directory: Path = tmp_path_factory.mktemp("nation")
    async with running_nation(directory, SEED, today=TODAY) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url(make_database: Callable[[str], str]) -> str:
    return make_database("registry")
