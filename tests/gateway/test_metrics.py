"""How agencies fare, as Prometheus and the command are told of it by a real gateway over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.errors import SettingsInvalidError
from gateway.server import running_server
from gateway.settings import PREFIX, Settings
from tests.gateway.test_reload import COMPANY, PATIENCE, Office, Running, environment, offices, settings

__all__ = ["offices", "settings"]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def running(settings: Settings, offices: tuple[Office, Office]) -> AsyncIterator[Running]:
    chosen = settings.model_copy(update={"metrics_port": free_port()})
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(chosen, environment(offices, chosen)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE))
        yield Running(
            url, client, chosen.manifests, *offices, metrics=f"http://127.0.0.1:{chosen.metrics_port}/metrics"
        )


async def scraped(running: Running) -> dict[str, float]:
    text = (await running.client.get(running.metrics)).text
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


async def test_calls_rows_and_what_was_kept_are_counted_by_agency(running: Running) -> None:
    for _ in range(3):
        await running.ask()
    found = await scraped(running)
    assert found['xinqiao_agency_calls_total{agency="standards"}'] == 3
    assert found['xinqiao_agency_calls_total{agency="honours"}'] == 1
    assert found['xinqiao_agency_call_seconds_count{agency="standards"}'] == 3
    assert found['xinqiao_dataset_mapped_total{agency="standards",record="Certification"}'] == 3
    assert found['xinqiao_dataset_wanted_total{agency="honours",record="Honour"}'] == 3
    assert found['xinqiao_dataset_asked_total{agency="honours",record="Honour"}'] == 1
    assert found['xinqiao_agency_state{agency="honours",xinqiao_agency_state="ASKED"}'] == 1
    assert found["xinqiao_manifests_refused"] == 0
    assert COMPANY not in (await running.client.get(running.metrics)).text


async def test_failures_and_an_agency_that_is_left_alone_show(running: Running) -> None:
    async def fail(_: object) -> tuple[int, dict[str, str]]:
        return 500, {}

    running.offices.answer = fail
    query = f'{{ enterprise(code: "{COMPANY}") {{ certifications {{ status }} }} }}'

    async def left_alone() -> bool:
        await running.client.post(f"{running.url}/graphql", json={"query": query})
        found = await scraped(running)
        return found['xinqiao_agency_state{agency="standards",xinqiao_agency_state="LEFT_ALONE"}'] == 1

    async with asyncio.timeout(PATIENCE):
        while not await left_alone():
            pass
    found = await scraped(running)
    assert found['xinqiao_agency_failures_total{agency="standards"}'] >= 5
    assert found['xinqiao_agency_breaker_openings_total{agency="standards"}'] == 1
    assert found['xinqiao_agency_refused_total{agency="standards",reason="breaker"}'] == 0
    assert found['xinqiao_agency_failures_total{agency="honours"}'] == 0


async def test_the_command_shows_what_the_gateway_counted(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.ask()
    await running.ask()
    monkeypatch.setenv(f"{PREFIX}METRICS_PORT", running.metrics.split(":")[2].split("/")[0])
    told = await asyncio.to_thread(CliRunner().invoke, app, ["agencies", "--json"])
    assert told.exit_code == 0, told.output
    honours, standards = json.loads(told.output)["agencies"]
    assert (honours["id"], honours["state"], honours["calls"]["calls"]) == ("honours", "ASKED", 1)
    assert honours["cache"] == {"wanted": 2, "kept": 1}
    assert standards["rows"] == {"mapped": 2, "dropped": 0, "unreadable": 0}
    assert 0 < standards["latency"]["p50"] <= standards["latency"]["p99"]
    shown = await asyncio.to_thread(CliRunner().invoke, app, ["agencies"])
    assert "standards" in shown.output
    assert "50%" in shown.output


def test_the_command_says_where_it_asks_and_that_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "METRICS_PORT is not set" in CliRunner().invoke(app, ["agencies"]).output
    monkeypatch.setenv(f"{PREFIX}METRICS_PORT", str(free_port()))
    told = CliRunner().invoke(app, ["agencies"])
    assert told.exit_code == 2
    assert "Is it running?" in told.output


async def test_a_port_that_is_taken_stops_the_start(settings: Settings, offices: tuple[Office, Office]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = settings.model_copy(update={"metrics_port": taken.getsockname()[1]})
        with pytest.raises(SettingsInvalidError, match="METRICS_PORT"):
            async with running_server(chosen, environment(offices, chosen)):
                pytest.fail("it was opened")
