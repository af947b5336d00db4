from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.gateway.tracing.collector import Collector


@pytest.fixture(scope="module")
def collector(serving: Callable[[Starlette], AbstractContextManager[str]]) -> Iterator[Collector]:
    """A real one, on a socket."""
    collector = Collector()
    with serving(Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])) as url:
        collector.url = url
        yield collector
