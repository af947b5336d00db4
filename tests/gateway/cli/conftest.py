from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command is a process of its own, and sets up its logs: here it must not do so for other tests."""
    level = logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)
