"""How agencies fare, as Prometheus and the command are told of it by a real gateway over real sockets.

Most tests ask one gateway, after the three requests that it answered first.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from gateway.audit.files import FileSink
from gateway.cli import app
from gateway.edge.server import running_server
from gateway.errors import AuditSinkError, SettingsInvalidError
from gateway.settings import PREFIX, AllowanceSettings, QuotaSettings
from tests.connectors.redis_server import running_redis
from tests.gateway.conftest import Signer
from tests.gateway.editions.test_reload import COMPANY, PATIENCE, Running, environment, listening_office, settings_in
from tests.waiting import until

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.asyncio(loop_scope="module")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Asked:
    """A gateway, and once it has answered three requests its series, and what `xinqiao agencies` says of it."""

    running: Running
    then: Mapping[str, float]
    told: Result
    shown: Result


@asynccontextmanager
async def running_in(place: Path, **changes: Any) -> AsyncIterator[Running]:
    chosen = settings_in(place).model_copy(update={"metrics_port": free_port(), **changes})
    async with AsyncExitStack() as stack:
        offices = await stack.enter_async_context(listening_office())
        honours = await stack.enter_async_context(listening_office())
        url = await stack.enter_async_context(running_server(chosen, environment((offices, honours), chosen)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE))
        metrics = f"http://127.0.0.1:{chosen.metrics_port}/metrics"
        yield Running(url, client, chosen.manifests, offices, honours, metrics)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(running_redis())
        place = tmp_path_factory.mktemp("metrics")
        running = await stack.enter_async_context(running_in(place, cache_url=SecretStr(redis.address)))
        for _ in range(3):
            await running.ask()
        environment = {f"{PREFIX}METRICS_PORT": running.metrics.split(":")[2].split("/")[0]}
        told, shown = [
            await asyncio.to_thread(CliRunner().invoke, app, ["agencies", *more], env=environment)
            for more in (["--json"], [])
        ]
        yield Asked(running, await scraped(running), told, shown)


@pytest.fixture
def running(asked: Asked) -> Running:
    return asked.running


async def scraped(running: Running) -> dict[str, float]:
    text = (await running.client.get(running.metrics)).text
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


async def test_calls_rows_and_what_was_kept_are_counted_by_agency(asked: Asked) -> None:
    found = asked.then
    assert found['xinqiao_agency_calls_total{agency="standards"}'] == 3
    assert found['xinqiao_agency_calls_total{agency="honours"}'] == 1
    assert found['xinqiao_agency_call_seconds_count{agency="standards"}'] == 3
    assert found['xinqiao_dataset_mapped_total{agency="standards",record="Certification"}'] == 3
    assert found['xinqiao_dataset_wanted_total{agency="honours",record="Honour"}'] == 3
    assert found['xinqiao_dataset_asked_total{agency="honours",record="Honour"}'] == 1
    assert found['xinqiao_agency_state{agency="honours",xinqiao_agency_state="ASKED"}'] == 1
    assert found["xinqiao_manifests_refused"] == 0
    assert COMPANY not in (await asked.running.client.get(asked.running.metrics)).text


async def test_every_series_that_an_alarm_is_about_is_there_from_the_start(tmp_path: Path) -> None:
    async with running_in(tmp_path) as running:
        first = await scraped(running)
    rules = yaml.safe_load((ROOT / "examples/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
    selectors = {
        found for rule in rules for found in re.findall(r"(xinqiao_\w+)(?:{(\w+)=~?\"([^\"]*)\"})?", rule["expr"])
    }
    wanted = {(name, label, value) for name, label, values in selectors for value in values.split("|")}
    assert len(wanted) > 15
    missing = [
        (name, label, value)
        for name, label, value in sorted(wanted)
        if not any(series.split("{")[0] == name and (not label or f'{label}="{value}"' in series) for series in first)
    ]
    # What begins with 1 has not increased, and raises no alarm.
    assert missing == []


async def test_failures_and_an_agency_that_is_left_alone_show(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> tuple[int, dict[str, str]]:
        return 500, {}

    monkeypatch.setattr(running.offices, "answer", fail)
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


async def test_the_command_shows_what_the_gateway_counted(asked: Asked) -> None:
    assert asked.told.exit_code == 0, asked.told.output
    honours, standards = json.loads(asked.told.output)["agencies"]
    assert (honours["id"], honours["state"], honours["calls"]["calls"]) == ("honours", "ASKED", 1)
    assert honours["cache"] == {"wanted": 3, "kept": 2}
    assert standards["rows"] == {"mapped": 3, "dropped": 0, "unreadable": 0}
    assert 0 < standards["latency"]["p50"] <= standards["latency"]["p99"]
    assert "standards" in asked.shown.output
    assert "67%" in asked.shown.output


async def test_the_command_says_where_it_asks_and_that_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "METRICS_PORT is not set" in (await asyncio.to_thread(CliRunner().invoke, app, ["agencies"])).output
    monkeypatch.setenv(f"{PREFIX}METRICS_PORT", str(free_port()))
    told = await asyncio.to_thread(CliRunner().invoke, app, ["agencies"])
    assert told.exit_code == 2
    assert "Is it running?" in told.output


async def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsInvalidError, match="METRICS_PORT"):
        async with running_in(tmp_path, metrics_port=taken.getsockname()[1]):
            pytest.fail("it was opened")


QUOTAS = QuotaSettings(user=AllowanceSettings(companies=1))
OFFICER, ANOTHER = "officer-planted", "91330106MA00000319"


async def test_requests_stages_policy_audit_and_cache_are_told_of_and_nobody_with_them(
    tmp_path: Path, signer: Signer
) -> None:
    token = signer.token(sub=OFFICER)
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "credit.underwriting"}
    certified = "certifications { status records { number } } honours { status records { title } }"

    async def ask(body: Mapping[str, Any], **more: str) -> int:
        answer = await running.client.post(f"{running.url}/graphql", json=body, headers={**headers, **more})
        return answer.status_code

    async with running_in(tmp_path, issuers=(signer.settings,), quotas=QUOTAS) as running:
        query = f'query Planted {{ enterprise(code: "{COMPANY}") {{ {certified} }} }}'
        assert [await ask({"query": query}) for _ in range(2)] == [200, 200]
        assert await ask({"query": query.replace(COMPANY, ANOTHER)}) == 429
        assert await ask({"query": "{ planted }"}) == 200
        assert await ask({"query": query}, Authorization="Bearer planted") == 401
        assert await ask({"query": query}, **{"X-API-Key": "xq_planted"}) == 401
        found = await scraped(running)
        text = (await running.client.get(running.metrics)).text
    told = {name: found[f'xinqiao_requests_total{{outcome="{name}"}}'] for name in ("ANSWERED", "REFUSED")}
    assert told == {"ANSWERED": 2, "REFUSED": 1}
    assert found['xinqiao_requests_total{outcome="COMPANIES_EXCEEDED"}'] == 1
    assert found['xinqiao_requests_total{outcome="CREDENTIALS_AMBIGUOUS"}'] == 1
    assert found["xinqiao_requests_under_way"] == 0
    assert found["xinqiao_request_seconds_count"] == 6
    counted = {
        stage: found[f'xinqiao_stage_seconds_count{{stage="{stage}"}}']
        for stage in ("receive", "document", "plan", "decide", "fetch", "join", "shape", "encode", "record")
    }
    assert counted == {
        "receive": 6, "document": 4, "plan": 3, "decide": 3, "fetch": 2, "join": 2,
        "shape": 2, "encode": 2, "record": 6,
    }  # fmt: skip
    assert found["xinqiao_policy_version"] == 1
    assert found["xinqiao_policy_published_timestamp_seconds"] > 1_700_000_000
    assert found["xinqiao_policy_stale"] == found["xinqiao_policy_left_out"] == 0
    assert found['xinqiao_policy_decisions_total{effect="CLEAR"}'] > 0
    assert found["xinqiao_audit_records_total"] == 6
    assert found["xinqiao_audit_failures_total"] == found["xinqiao_audit_waiting"] == 0
    assert found["xinqiao_audit_commit_seconds_sum"] > 0
    assert 0 < found["xinqiao_audit_commit_seconds_count"] <= 6
    assert found["xinqiao_cache_rows"] == 1
    assert "xinqiao_build_info{" in text
    assert "process_cpu_seconds_total" in text
    for planted in (COMPANY, ANOTHER, OFFICER, "first-bank", "underwriting", "planted", token, signer.settings.id):
        assert planted.lower() not in text.lower(), planted


async def test_every_metric_is_in_the_documentation(running: Running) -> None:
    documented = (Path(__file__).parents[2] / "docs/observing.md").read_text()
    names = re.findall(r"^# TYPE (xinqiao_\w+)", (await running.client.get(running.metrics)).text, re.MULTILINE)
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in documented] == []


async def test_how_many_series_there_are_does_not_depend_on_what_is_asked(running: Running) -> None:
    async def ask(code: str, name: str) -> None:
        query = f'query {name} {{ enterprise(code: "{code}") {{ certifications {{ status }} }} }}'
        await running.client.post(f"{running.url}/graphql", json={"query": query}, headers={"X-Purpose": name})
        await running.client.post(f"{running.url}/graphql", json={"query": query})
        await running.client.post(f"{running.url}/graphql", json={"query": "{" + name}, headers={"X-API-Key": name})
        await running.client.request(name.upper(), f"{running.url}/graphql")

    await ask(COMPANY, "first")
    before = set(await scraped(running))
    for number in range(20):
        await ask(ANOTHER, f"name{number}")
    assert set(await scraped(running)) == before
    labels = {label for series in before for label in re.findall(r'[{,]([a-z_]+)="', series)}
    assert labels == {
        "agency", "record", "reason", "le", "xinqiao_agency_state", "outcome", "stage", "effect", "version", "python",
    }  # fmt: skip


async def test_an_audit_log_that_cannot_be_written_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_in(tmp_path) as running:

        async def fail(*_: object) -> None:
            raise AuditSinkError("full")

        monkeypatch.setattr(FileSink, "write", fail)
        query = {"query": "{ agencies { id } }"}
        assert (await running.client.post(f"{running.url}/graphql", json=query)).status_code == 503
        found = await scraped(running)
    assert found["xinqiao_audit_failures_total"] > 0
    assert found["xinqiao_audit_records_total"] == 0
    assert found['xinqiao_requests_total{outcome="AUDIT_UNAVAILABLE"}'] == 1


async def test_what_becomes_of_entries_of_the_second_level_shows(running: Running) -> None:
    async def put() -> bool:
        return (await scraped(running))['xinqiao_cache_second_level_entries_total{outcome="put"}'] == 1

    await until(put)
    found = await scraped(running)
    assert found['xinqiao_cache_second_level_entries_total{outcome="absent"}'] == 1
    assert found["xinqiao_cache_second_level_failures_total"] == 0
