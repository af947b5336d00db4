"""Manifests change while a gateway runs: a real server, asked over sockets, and agencies that are asked over others."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from connectors.open_agency import OpenAgency
from gateway.assembly import open_gateway, read_installation
from gateway.edge.server import running_server
from gateway.editions import reload
from gateway.pipeline import Gateway
from gateway.settings import Settings
from policies.errors import Finding, PolicyInvalid
from tests.connectors.support import Agency, Asked
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[3]
COMPANY = "91331002XQYP0GH1XC"
sharing = pytest.mark.asyncio(loop_scope="module")  # one gateway, which keeps to one loop
QUERY = f"""{{
  enterprise(code: "{COMPANY}") {{
    certifications {{ status records {{ number }} sources {{ agency {{ id }} status }} }}
    honours {{ status records {{ title }} }}
  }}
  agencies {{ id }}
}}"""
STANDARDS = """
agency: standards
name: {en: Standards Office, zh: 标准局}
kind: rest
timeout: 30
connection: {url: "${OFFICES_URL}"}
datasets:
  - record: Certification
    request: {path: "/standards/first/{key}"}
    fields: {number: no}
"""
HONOURS = """
agency: honours
name: {en: Honours Office, zh: 表彰办公室}
kind: rest
connection: {url: "${HONOURS_URL}"}
datasets:
  - record: Honour
    timeToLive: 600
    request: {path: "/honours/{key}"}
    fields: {title: no}
"""
SHARING = STANDARDS.replace(
    'request: {path: "/standards/first/{key}"}',
    """key: code
    batch: 10
    missingMeans: none
    request: {path: /standards/shared/, keys: {in: query, name: codes, style: comma}}""",
)
LABORATORY = STANDARDS.replace("standards", "laboratory")
DROPS = """
agency: laboratory
name: {en: Laboratory, zh: 检验所}
kind: file
timeout: 30
connection: {path: "${DROP}"}
datasets:
  - record: Certification
    file: certificates.csv
    key: uscc
    missingMeans: none
    fields: {number: no}
"""


@dataclass
class Office(Agency):
    """An agency whose rows tell how they were asked for; it counts connections, and waits for `gate` at some paths."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    gated: str = "/none/"
    connections: int = 0
    open: int = 0

    def __post_init__(self) -> None:
        self.answer = self._rows

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await super().serve(reader, writer)
        finally:
            self.open -= 1

    async def _rows(self, asked: Asked) -> Any:
        if self.gated in asked.path:
            await self.gate.wait()
        return [{"code": COMPANY, "no": asked.path.split("/")[2]}]


@asynccontextmanager
async def listening_office() -> AsyncIterator[Office]:
    office, tasks = Office(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await office.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    office.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield office
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Running:
    """A gateway on a socket, its folder of manifests, and its agencies."""

    url: str
    client: httpx.AsyncClient
    folder: Path
    offices: Office
    honours: Office
    metrics: str = ""

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    async def ask(self, query: str = QUERY) -> dict[str, Any]:
        answer = await self.client.post(f"{self.url}/graphql", json={"query": query}, headers={"X-Timeout-Ms": "30000"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    async def number(self) -> tuple[str, Any]:
        answer = (await self.ask())["enterprise"]["certifications"]
        return answer["status"], answer["records"] and answer["records"][0]["number"]


def settings_in(place: Path) -> Settings:
    """The settings of a gateway over the two offices, whose files are in this directory."""
    folder, policies = place / "agencies", place / "policies"
    folder.mkdir()
    (folder / "standards.yaml").write_text(STANDARDS)
    (folder / "honours.yaml").write_text(HONOURS)
    shutil.copytree(ROOT / "policies", policies)
    trees = policies / "trees.yaml"
    known = "".join(f"  {name}: nation\n" for name in ("standards", "honours", "laboratory"))
    trees.write_text(trees.read_text().replace("agencies:\n", f"agencies:\n{known}", 1))
    return Settings(
        port=0,
        drain=0,
        manifests=folder,
        policies=str(policies),
        secret="s" * 32,
        anonymous="public",
        plain_networks=["127.0.0.0/8"],
        audit_file=place / "audit.jsonl",
    )


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(reload, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(reload, "RETRY_SECONDS", 0.05)
    return settings_in(tmp_path)


@pytest.fixture
async def offices() -> AsyncIterator[tuple[Office, Office]]:
    async with listening_office() as offices, listening_office() as honours:
        yield offices, honours


def environment(offices: tuple[Office, Office], settings: Settings) -> Mapping[str, str]:
    drop = str(settings.manifests.with_name("drop"))
    return {"OFFICES_URL": offices[0].address, "HONOURS_URL": offices[1].address, "DROP": drop}


@pytest.fixture
async def running(settings: Settings, offices: tuple[Office, Office]) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(settings, environment(offices, settings)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE))
        yield Running(url, client, settings.manifests, *offices)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Gateway, Settings]]:
    settings = settings_in(tmp_path_factory.mktemp("reload"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reload, "LOOK_SECONDS", 1_000.0)
        async with listening_office() as offices, listening_office() as honours:
            installation = read_installation(settings)
            async with open_gateway(settings, installation, environment((offices, honours), settings)) as opened:
                yield opened, settings


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared: tuple[Gateway, Settings]) -> Gateway:
    """A gateway whose folder nobody looks at but the test, with the two manifests in force as they were at first."""
    gateway, settings = shared
    for path in settings.manifests.iterdir():
        path.unlink()
    (settings.manifests / "standards.yaml").write_text(STANDARDS)
    (settings.manifests / "honours.yaml").write_text(HONOURS)
    await looked(gateway)
    if closing := gateway.reload._provisions._closing:
        await closing  # what the test before had, whose end is none of the next
    assert (supplied(gateway), gateway.reload.refused) == (["honours/Honour", "standards/Certification"], ())
    return gateway


@pytest.fixture
def manifests(shared: tuple[Gateway, Settings]) -> Path:
    """The folder of that gateway."""
    return shared[1].manifests


async def looked(gateway: Gateway, times: int = 2) -> None:
    """After so many looks; what has changed takes effect at the second."""
    for _ in range(times):
        await gateway.reload.look()


def supplied(gateway: Gateway) -> list[str]:
    return sorted(gateway.editions.current.provision.datasets)


async def test_a_manifest_that_changes_under_load_takes_effect_and_no_request_fails(running: Running) -> None:
    seen: Counter[tuple[str, Any]] = Counter()
    stop = asyncio.Event()

    async def keep_asking() -> None:
        while not stop.is_set():
            data = await running.ask()
            answers = data["enterprise"]
            seen[answers["certifications"]["status"], answers["certifications"]["records"][0]["number"]] += 1
            assert answers["honours"] == {"status": "COMPLETE", "records": [{"title": COMPANY}]}

    callers = [asyncio.create_task(keep_asking()) for _ in range(8)]
    for version in ("second", "third", "fourth"):
        running.write("standards.yaml", STANDARDS.replace("first", version))
        await until(lambda version=version: _is(running.number(), ("COMPLETE", version)))
    stop.set()
    await asyncio.gather(*callers)
    assert seen.keys() == {("COMPLETE", version) for version in ("first", "second", "third", "fourth")}


async def _is(made: Awaitable[Any], wanted: Any) -> bool:
    return await made == wanted


async def test_a_request_under_way_ends_as_it_began_and_only_then_its_connection_is_closed(running: Running) -> None:
    # Calls that several requests may share end with their connection, whoever waits for them.
    running.write("standards.yaml", SHARING)
    await until(lambda: _is(running.number(), ("COMPLETE", "shared")))
    running.offices.gated = "/shared/"
    begun = asyncio.create_task(running.number())
    await until(lambda: _is(_under_way(running.offices), 1))
    running.write("standards.yaml", STANDARDS.replace("first", "second").replace("Standards Office", "Renamed"))
    renamed = {"agencies": [{"name": "Honours Office"}, {"name": "Renamed"}]}
    await until(lambda: _is(running.ask("{ agencies { name } }"), renamed))
    assert await running.number() == ("COMPLETE", "second")
    assert running.offices.open == 2
    running.offices.gate.set()
    assert await begun == ("COMPLETE", "shared")
    await until(lambda: _is(_open(running.offices), 1))


async def _under_way(office: Office) -> int:
    return office.under_way


async def _open(office: Office) -> int:
    return office.open


async def test_an_agency_whose_manifest_is_as_it_was_keeps_its_connections_and_its_rows(running: Running) -> None:
    await running.ask()
    asked, connections = len(running.honours.asked), running.honours.connections
    running.write("standards.yaml", STANDARDS.replace("first", "second"))
    running.write("honours.yaml", "# As it was.\n" + HONOURS)
    await until(lambda: _is(running.number(), ("COMPLETE", "second")))
    assert (len(running.honours.asked), running.honours.connections) == (asked, connections) == (1, 1)


async def test_rows_that_another_manifest_made_are_not_given_out(running: Running) -> None:
    await running.ask()
    running.write("honours.yaml", HONOURS.replace("/honours/{key}", "/honours/other/{key}"))

    async def titles() -> Any:
        return (await running.ask())["enterprise"]["honours"]["records"]

    await until(lambda: _is(titles(), [{"title": "other"}]))
    running.write("honours.yaml", HONOURS)
    asked = len(running.honours.asked)
    await until(lambda: _is(titles(), [{"title": COMPANY}]))
    assert len(running.honours.asked) == asked


async def test_a_broken_manifest_is_refused_with_its_reasons_and_the_one_before_stays(running: Running) -> None:
    with capture_logs() as logs:
        running.write("honours.yaml", HONOURS.replace("fields: {title: no}", "fields: {titel: no}"))
        running.write("standards.yaml", STANDARDS.replace("first", "second"))
        await until(lambda: _is(running.number(), ("COMPLETE", "second")))
        await until(lambda: _is(_refused(logs), 1))
        for _ in range(5):
            assert (await running.ask())["enterprise"]["honours"]["status"] == "COMPLETE"
    (refused,) = [line for line in logs if line["event"] == "manifest refused"]
    assert (refused["file"], refused["agency"], refused["log_level"]) == ("honours.yaml", "honours", "error")
    (reason,) = refused["reasons"]
    assert reason == "line 10: datasets.0.fields.titel: Honour has no field 'titel' (did you mean 'title'?)"


async def _refused(logs: list[Any]) -> int:
    return len([line for line in logs if line["event"] == "manifest refused"])


async def test_agencies_come_and_go_with_their_manifests(running: Running) -> None:
    running.write("laboratory.yaml", LABORATORY)

    async def agencies() -> list[str]:
        data = await running.ask()
        ids = [agency["id"] for agency in data["agencies"]]
        sources = data["enterprise"]["certifications"]["sources"]
        assert {source["agency"]["id"] for source in sources} == set(ids) - {"honours"}
        assert {source["status"] for source in sources} == {"ANSWERED"}
        return ids

    await until(lambda: _is(agencies(), ["honours", "laboratory", "standards"]))
    (running.folder / "standards.yaml").unlink()
    await until(lambda: _is(agencies(), ["honours", "laboratory"]))
    await until(lambda: _is(_open(running.offices), 1))


async def test_a_changed_coverage_is_followed(running: Running) -> None:
    coverage = "    coverage: {registered: true, divisions: ['44']}\n    request"
    running.write("standards.yaml", STANDARDS.replace("    request", coverage))

    async def source() -> str:
        return (await running.ask())["enterprise"]["certifications"]["sources"][0]["status"]

    await until(lambda: _is(source(), "NOT_ASKED"))


@sharing
async def test_what_is_half_written_is_waited_for(gateway: Gateway, manifests: Path) -> None:
    path = manifests / "standards.yaml"
    second = "  - record: Honour\n    request: {path: '/x/{key}'}\n    fields: {title: no}\n"
    await looked(gateway)
    path.write_text(STANDARDS[:-10])
    await looked(gateway, 1)
    path.write_text(STANDARDS)
    await looked(gateway, 1)
    path.write_text(STANDARDS + second)
    await looked(gateway, 1)
    assert supplied(gateway) == ["honours/Honour", "standards/Certification"]
    assert gateway.reload.refused == ()
    await looked(gateway, 1)
    assert supplied(gateway) == ["honours/Honour", "standards/Certification", "standards/Honour"]


@sharing
async def test_a_folder_without_manifests_changes_nothing(gateway: Gateway, manifests: Path) -> None:
    elsewhere = manifests.with_name("elsewhere")
    shutil.move(manifests, elsewhere)
    before = gateway.editions.current
    await looked(gateway)
    assert gateway.editions.current is before
    assert [refusal.reasons for refusal in gateway.reload.refused] == [
        ("line 1: there is no manifest (*.yaml) (check the directory)",)
    ]
    shutil.move(elsewhere, manifests)
    await looked(gateway)
    assert gateway.reload.refused == ()


@sharing
async def test_where_nothing_has_changed_nothing_is_opened(gateway: Gateway, manifests: Path) -> None:
    before = gateway.editions.current
    (manifests / "honours.yaml").rename(manifests / "renamed.yaml")
    (manifests / "README").write_text("no manifest")
    await looked(gateway, 5)
    assert gateway.editions.current is before
    (manifests / "renamed.yaml").unlink()
    await looked(gateway)
    assert supplied(gateway) == ["standards/Certification"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (STANDARDS, "a second manifest of the agency 'standards'"),
        (
            STANDARDS.replace("standards", "unheard-of"),
            "the agency 'unheard-of' is not in the policy's tree of agencies",
        ),
        (LABORATORY.replace("OFFICES_URL", "LABORATORY_URL"), "the environment variable LABORATORY_URL is not set"),
        ("agency: [", "not YAML"),
    ],
)
@sharing
async def test_a_new_manifest_that_cannot_be_in_force_is_told_and_harms_no_other(
    gateway: Gateway, manifests: Path, text: str, reason: str
) -> None:
    (manifests / "another.yaml").write_text(text)
    (manifests / "honours.yaml").unlink()
    await looked(gateway)
    (refusal,) = gateway.reload.refused
    assert refusal.file == "another.yaml"
    assert refusal.agency is None
    assert reason in refusal.reasons[0]
    assert supplied(gateway) == ["standards/Certification"]


async def test_a_manifest_that_instances_can_neither_divide_nor_share_is_refused(
    settings: Settings, offices: tuple[Office, Office]
) -> None:
    two = settings.model_copy(update={"instances": 2})
    async with open_gateway(two, read_installation(two), environment(offices, two)) as gateway:
        (settings.manifests / "standards.yaml").write_text(STANDARDS + "concurrency: 1\n")
        await looked(gateway)
        (refusal,) = gateway.reload.refused
        assert "to divide them among 2 instances" in refusal.reasons[0]
        assert supplied(gateway) == ["honours/Honour", "standards/Certification"]
        assert gateway.reload.supply.agencies["standards"].concurrency == 4


@sharing
async def test_an_agency_whose_crosswalk_another_needs_cannot_go(gateway: Gateway, manifests: Path) -> None:
    tax = "  - record: LegacyIdentifiers\n    request: {path: '/tax/{key}'}\n    fields: {taxNumber: no}\n"
    (manifests / "laboratory.yaml").write_text(LABORATORY + tax)
    keyed = STANDARDS.replace("    request", "    key: {path: code, kind: taxNumber}\n    request")
    (manifests / "standards.yaml").write_text(keyed)
    await looked(gateway)
    assert gateway.reload.refused == ()
    before = gateway.editions.current
    (manifests / "laboratory.yaml").unlink()
    await looked(gateway)
    assert gateway.editions.current is before
    (manifests / "honours.yaml").unlink()
    await looked(gateway)
    assert supplied(gateway) == ["laboratory/Certification", "laboratory/LegacyIdentifiers", "standards/Certification"]
    (refusal,) = gateway.reload.refused
    assert (refusal.file, refusal.agency) == ("laboratory.yaml", "laboratory")
    assert "some agency must supply LegacyIdentifiers with taxNumber" in refusal.reasons[0]


RECALL = """records:
  - name: {name}
    tier: PUBLIC
    description: {{en: A recall., zh: 召回。}}
    fields: {{day: {{type: date, tier: PUBLIC, description: {{en: The day., zh: 日期。}}}}}}
"""


@sharing
async def test_record_types_of_agencies_own_come_with_their_manifests(gateway: Gateway, manifests: Path) -> None:
    own = "  - record: LaboratoryRecall\n    request: {path: '/r/{key}'}\n    fields: {day: day}\n"
    (manifests / "laboratory.yaml").write_text(LABORATORY + own + RECALL.format(name="LaboratoryRecall"))
    await looked(gateway)
    assert gateway.reload.refused == ()
    assert "laboratory/LaboratoryRecall" in supplied(gateway)
    assert "LaboratoryRecall" in gateway.editions.current.provision.offered.catalogue.records


@sharing
async def test_a_manifest_that_cannot_be_opened_leaves_the_one_before(gateway: Gateway, manifests: Path) -> None:
    before = gateway.editions.current
    text = STANDARDS.replace('{url: "${OFFICES_URL}"}', '{url: "${OFFICES_URL}", tls: {authority: "file:nowhere.pem"}}')
    (manifests / "standards.yaml").write_text(text)
    await looked(gateway)
    (refusal,) = gateway.reload.refused
    assert (refusal.file, refusal.agency) == ("standards.yaml", "standards")
    assert gateway.editions.current is before


@sharing
async def test_where_the_policy_does_not_go_with_it_nothing_changes_and_nothing_is_left_open(
    gateway: Gateway, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Any) -> None:
        raise PolicyInvalid([Finding("rules/laboratory.yaml", 3, "UNKNOWN_FIELD", "there is no such field", None)])

    monkeypatch.setattr(gateway.editions, "provide", refuse)
    before, closed = gateway.editions.current, []
    monkeypatch.setattr(OpenAgency, "close", lambda agency: _noted(closed, agency))
    (manifests / "laboratory.yaml").write_text(LABORATORY)
    await looked(gateway)
    (refusal,) = gateway.reload.refused
    assert refusal.file == "laboratory.yaml"
    assert "the policy does not go with it: rules/laboratory.yaml" in refusal.reasons[0]
    assert gateway.editions.current is before
    assert closed == ["laboratory"]
    monkeypatch.undo()


@sharing
async def test_a_change_that_the_policy_does_not_go_with_keeps_no_other_from_taking_effect(
    gateway: Gateway, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide, closed = gateway.editions.provide, []

    async def refuse(provision: Any) -> None:
        if "laboratory/Certification" in provision.datasets:
            raise PolicyInvalid([Finding("rules/x.yaml", 3, "UNKNOWN_FIELD", "there is no such field", None)])
        await provide(provision)

    monkeypatch.setattr(gateway.editions, "provide", refuse)
    monkeypatch.setattr(OpenAgency, "close", lambda agency: _noted(closed, agency))
    (manifests / "honours.yaml").unlink()
    (manifests / "laboratory.yaml").write_text(LABORATORY)
    (manifests / "standards.yaml").write_text(STANDARDS.replace("Standards Office", "Renamed"))
    await looked(gateway)
    (refusal,) = gateway.reload.refused
    assert (refusal.file, "the policy does not go with it: rules/x.yaml" in refusal.reasons[0]) == (
        "laboratory.yaml",
        True,
    )
    assert supplied(gateway) == ["standards/Certification"]
    assert [str(agency.name) for agency in gateway.editions.current.provision.agencies.values()] == ["Renamed"]
    assert "laboratory" in closed


@sharing
async def test_an_agency_that_moves_to_another_file_moves_as_a_whole(
    gateway: Gateway, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide = gateway.editions.provide

    async def refuse(provision: Any) -> None:
        if "laboratory/Certification" in provision.datasets:
            raise PolicyInvalid([Finding("rules/x.yaml", 3, "UNKNOWN_FIELD", "there is no such field", None)])
        await provide(provision)

    monkeypatch.setattr(gateway.editions, "provide", refuse)
    (manifests / "standards.yaml").rename(manifests / "zz.yaml")
    (manifests / "zz.yaml").write_text(STANDARDS.replace("Standards Office", "Renamed"))
    (manifests / "laboratory.yaml").write_text(LABORATORY)
    await looked(gateway)
    assert [refusal.file for refusal in gateway.reload.refused] == ["laboratory.yaml"]
    assert supplied(gateway) == ["honours/Honour", "standards/Certification"]
    (manifests / "laboratory.yaml").unlink()
    await looked(gateway)
    assert gateway.reload.refused == ()


@sharing
async def test_what_an_agency_was_asked_counts_after_its_manifest_changed_or_was_away(
    gateway: Gateway, manifests: Path
) -> None:
    path = manifests / "standards.yaml"
    path.write_text(STANDARDS + "rate: {day: 1000}\n")
    await looked(gateway)
    bounds = gateway.reload.supply.agencies["standards"]
    assert bounds.day is not None
    bounds.day.take(time.time())
    left = bounds.day.left
    path.write_text(STANDARDS + "rate: {day: 1000, second: 9}\n")
    await looked(gateway)
    path.unlink()
    await looked(gateway)
    assert supplied(gateway) == ["honours/Honour"]
    path.write_text(STANDARDS + "rate: {day: 1000}\n")
    await looked(gateway)
    assert gateway.reload.supply.agencies["standards"] is bounds
    assert bounds.day.left == left


@sharing
async def test_a_refused_manifest_does_not_change_how_the_agency_is_treated(
    gateway: Gateway, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Any) -> None:
        raise PolicyInvalid([Finding("rules/x.yaml", 3, "UNKNOWN_FIELD", "there is no such field", None)])

    path = manifests / "standards.yaml"
    path.write_text(STANDARDS + "concurrency: 3\n")
    with monkeypatch.context() as patched:
        patched.setattr(gateway.editions, "provide", refuse)
        await looked(gateway)
    assert gateway.reload.supply.agencies["standards"].concurrency == 8
    path.write_text(STANDARDS + "concurrency: 4\n")
    await looked(gateway)
    assert gateway.reload.supply.agencies["standards"].concurrency == 4


async def _noted(closed: list[str], agency: OpenAgency) -> None:
    closed.append(agency.origin.manifest.agency)


@sharing
async def test_an_agency_that_has_to_read_its_files_anew_answers_from_what_it_had_read_until_then(
    gateway: Gateway, manifests: Path
) -> None:
    path = manifests / "laboratory.yaml"
    drop(manifests.with_name("drop"))
    path.write_text(DROPS)
    await looked(gateway)

    def index() -> Any:
        return gateway.editions.current.provision.supply._lines["laboratory/Certification"].source._serving

    first = index()
    assert first is not None
    path.write_text(DROPS.replace("timeout: 30", "timeout: 20"))
    await looked(gateway)
    assert index() is not None
    assert index() is not first


def drop(directory: Path) -> None:
    directory.mkdir()
    (directory / "certificates.csv").write_text(f"uscc,no\n{COMPANY},1\n")


@sharing
async def test_what_was_refused_is_tried_again_when_something_else_than_its_file_has_changed(
    gateway: Gateway, manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "RETRY_SECONDS", 0.0)
    secret = tmp_path / "key"
    text = LABORATORY.replace(
        '{url: "${OFFICES_URL}"}',
        f'{{url: "${{OFFICES_URL}}", auth: {{scheme: apiKey, in: header, name: K, value: "file:{secret}"}}}}',
    )
    (manifests / "laboratory.yaml").write_text(text)
    await looked(gateway)
    assert [refusal.file for refusal in gateway.reload.refused] == ["laboratory.yaml"]
    since = gateway.reload.refused[0].since
    secret.write_text("a secret")
    await until(lambda: _looked_until_accepted(gateway, since))
    assert "laboratory/Certification" in supplied(gateway)


async def _looked_until_accepted(gateway: Gateway, since: Any) -> bool:
    await gateway.reload.look()
    assert all(refusal.since == since for refusal in gateway.reload.refused)
    return not gateway.reload.refused
