"""`xinqiao serve --workers`, as real processes: most tests ask one server, which the last of them ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from joserfc.jwk import KeySet, OKPKey
from typer.testing import CliRunner

from connectors.kindness.share import Share
from gateway.assembly import share_of
from gateway.audit.files import FileArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import verify
from gateway.cli import app
from gateway.edge.server import listening
from gateway.edge.workers import run_workers
from gateway.errors import SettingsInvalidError, WorkerEndedError
from gateway.receipt import verify_receipt
from gateway.settings import Settings
from tests.connectors.support import CODES
from tests.http_service import serving

COMMAND = [
    sys.executable,
    "-c",
    "from gateway.cli import app; app()",
    "serve",
    "--workers",
    "2",
    "--port",
    "0",
    "--json",
]
PATIENCE = 60.0
# For httpx, which makes one for every connection otherwise: that takes longer than to ask.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Server:
    """Two workers that answer, and where their manifests and logs are."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path

    @property
    def logs(self) -> list[Path]:
        return [self.folder / "audit-1.jsonl", self.folder / "audit-2.jsonl"]

    def lines(self) -> list[int]:
        """How much each worker has recorded."""
        return [len(log.read_bytes().splitlines()) for log in self.logs]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def asks(self) -> int:
        """The status of one question, over a connection of its own."""
        return post(self.url, {"query": "{ agencies { id } }"}).status_code

    def get(self, path: str) -> Any:
        url = self.url.replace("/graphql", path)
        return httpx.get(url, timeout=PATIENCE, verify=NO_TLS, trust_env=False).json()


def post(url: str, body: Mapping[str, Any]) -> httpx.Response:
    """The answer to one question, over a connection of its own."""
    headers = {"X-Timeout-Ms": "30000"}
    return httpx.post(url, json=body, headers=headers, timeout=PATIENCE, verify=NO_TLS, trust_env=False)


def writes(process: psutil.Process, log: Path) -> bool:
    """Whether this is the worker that writes this audit log."""
    try:
        return str(log) in [file.path for file in process.open_files()]
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return False


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Server]:
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XINQIAO_")},
        **{f"{name}_URL": "http://127.0.0.1:9" for name in names},
        "REGISTRY_URL": f"sqlite:///{folder / 'registry.db'}",
        "CUSTOMS_DROP": str(folder),
        "XINQIAO_SECRET": "s" * 32,
        "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]',
        "XINQIAO_ANONYMOUS": "public",
        "XINQIAO_AUDIT_FILE": str(folder / "audit.jsonl"),
        "XINQIAO_DRAIN": "0",
        **settings,
    }
    process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        yield Server(process, json.loads(process.stdout.readline())["url"], folder)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
            child.kill()
        process.kill()
        process.communicate()


def until(done: Callable[[], Any]) -> Any:
    """What `done` gives once it gives something, which it does in time or never."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came")


def have_ended(processes: list[psutil.Process]) -> bool:
    psutil.wait_procs(processes, timeout=PATIENCE)
    return not [one for one in processes if one.is_running()]


class Court:
    """A system that counts the calls under way, and answers none until it may."""

    def __init__(self) -> None:
        self.asked = self.under_way = self.most_under_way = 0
        self.port = 0
        self.may_answer = threading.Event()
        self._counting = threading.Lock()

    def answer(self, _path: str, _body: bytes) -> bytes:
        with self._counting:
            self.asked += 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        self.may_answer.wait(PATIENCE)
        with self._counting:
            self.under_way -= 1
        return b'{"code": "0000", "data": {"lb": [], "sjrq": "2026-11-27"}}'


@pytest.fixture(scope="module")
def court() -> Court:
    return Court()


@pytest.fixture(scope="module")
def key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", auto_kid=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, court: Court, key: OKPKey) -> Iterator[Server]:
    """Its court bears one call at a time, and its logs are under signed checkpoints."""
    folder = tmp_path_factory.mktemp("workers")
    shutil.copytree(Settings().manifests, folder / "agencies")
    manifest = folder / "agencies/court.yaml"
    text = manifest.read_text().replace("concurrency: 4", "concurrency: 1").replace("batch: 200", "batch: 1")
    manifest.write_text(text.replace("timeToLive: 60", "timeToLive: 0") + "timeout: 30\n")
    (folder / "audit.jwk").write_text(json.dumps(key.as_dict(private=True)))
    (folder / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    with serving(court.answer) as address:
        court.port = int(address.rpartition(":")[2])
        settings = {
            "COURT_URL": address,
            "XINQIAO_MANIFESTS": str(folder / "agencies"),
            "XINQIAO_AUDIT__SIGNING_KEY": str(folder / "audit.jwk"),
            "XINQIAO_AUDIT__KEYS": str(folder / "keys.json"),
            "XINQIAO_AUDIT__CHECKPOINT_SECONDS": "0.2",
        }
        with served(folder, **settings) as server:
            yield server


def is_answered(url: str) -> bool:
    """Whether a worker, asked over a connection of its own, tells what the court says."""
    question = {"query": f'{{ enterprise(code: "{CODES[0]}") {{ judgmentDefaults {{ status }} }} }}'}
    try:
        told = post(url, question).json()
    except httpx.HTTPError:
        return False  # the worker was killed
    return bool(told["data"]["enterprise"]["judgmentDefaults"]["status"] == "COMPLETE")


def test_workers_share_a_socket_and_the_one_call_that_an_agency_bears_and_one_that_is_killed_is_replaced(
    server: Server, court: Court
) -> None:
    def asking() -> list[psutil.Process]:
        """The workers that have a connection to the court."""
        return [
            one
            for one in server.children()
            if court.port in {to.raddr.port for to in one.net_connections() if to.raddr}
        ]

    def all_write() -> bool:
        return all(any(writes(one, log) for one in server.children()) for log in server.logs)

    with ThreadPoolExecutor(16) as callers:
        questions = [callers.submit(is_answered, server.url) for _ in range(16)]
        until(lambda: court.asked)
        (first,) = asking()
        its_own = first.children()
        first.kill()
        assert server.asks() == 200  # the other answers meanwhile
        questions += [callers.submit(is_answered, server.url) for _ in range(16)]  # it may have had all of the others
        until(lambda: court.asked == 2)  # it gave back the place that it had lent
        court.may_answer.set()
        assert True in [question.result() for question in questions]
        assert have_ended([first, *its_own])
        until(lambda: not court.under_way)
        until(lambda: server.asks() == 200 and all_write())
        assert first not in server.children()
        before, court.most_under_way = server.lines(), 0
        until(lambda: all(callers.map(is_answered, [server.url] * 32)) and all(map(int.__lt__, before, server.lines())))
        assert court.most_under_way == 1


def test_every_worker_follows_the_manifests(server: Server) -> None:
    with ThreadPoolExecutor(8) as callers:

        def all_say(name: str) -> bool:
            """Whether the court is called so by every one of many answers, some of each worker."""
            before = server.lines()
            told = set(callers.map(name_of_the_court, [server.url] * 16))
            return told == {name} and all(map(int.__lt__, before, server.lines()))

        until(lambda: all_say("Court (demonstration)"))
        manifest = server.folder / "agencies/court.yaml"
        manifest.write_text(manifest.read_text().replace("Court (demonstration)", "High Court"))
        until(lambda: all_say("High Court"))


def name_of_the_court(url: str) -> str:
    answer = post(url, {"query": "{ agencies { id name } }"}).json()
    return next(agency["name"] for agency in answer["data"]["agencies"] if agency["id"] == "court")


def test_told_to_end_all_workers_end_and_their_logs_are_under_one_signed_checkpoint(server: Server) -> None:
    with ThreadPoolExecutor(8) as callers:
        until(lambda: set(callers.map(lambda _: server.asks(), range(8))) == {200} and min(server.lines()) > 0)
    until((server.folder / "audit.checkpoints").exists)
    assert server.get("/readyz")["parts"]["checkpoints"] == "ready"
    body = {"query": "{ agencies { id } }", "extensions": {"receipt": True}}
    answer = post(server.url, body)
    keys = KeySet.import_key_set(server.get("/.well-known/jwks.json"))
    assert verify_receipt(answer.headers["Xinqiao-Receipt"], answer.content, keys)["organisation"] == "public"
    everybody = server.descendants()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0
    assert have_ended(everybody)
    with pytest.raises(httpx.ConnectError):
        server.asks()
    ledger = FileLedger(server.folder / "audit.checkpoints")
    books = Books(FileArchive(server.folder / "audit.jsonl", "xinqiao"), ledger, {})
    report = asyncio.run(verify("xinqiao", books, keys))
    assert report.findings == ()
    assert [(chain.chain, chain.last > 0, chain.certified == chain.last) for chain in report.chains] == [
        ("xinqiao-1", True, True),
        ("xinqiao-2", True, True),
    ]


def test_workers_end_when_what_began_them_is_killed(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        everybody = server.descendants()
        assert server.asks() == 200
        server.process.kill()
        assert have_ended(everybody)


async def test_workers_that_cannot_begin_are_an_error_that_says_why(tmp_path: Path) -> None:
    lacking = Settings(port=0, audit_file=tmp_path / "audit.jsonl")
    with listening(lacking) as listener, pytest.raises(WorkerEndedError) as ended:
        await run_workers(lacking, listener, lambda: pytest.fail("they answer"))
    assert str(ended.value).startswith("SETTINGS_INVALID: XINQIAO_SECRET is not set")


def test_the_command_ends_as_a_worker_that_cannot_begin_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object) -> None:
        raise WorkerEndedError("SETTINGS_INVALID: XINQIAO_SECRET is not set")

    monkeypatch.setattr("gateway.cli.serve.run_workers", run)
    told = CliRunner().invoke(app, ["serve", "--workers", "2", "--port", "0"])
    assert told.exit_code == 2
    assert "WORKER_ENDED: SETTINGS_INVALID: XINQIAO_SECRET is not set" in told.stderr


async def test_workers_that_have_nowhere_to_lend_each_other_places_are_an_error_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    settings = Settings(port=0, workers=2)
    with listening(settings) as listener, pytest.raises(SettingsInvalidError, match="TMPDIR: several workers need a"):
        await run_workers(settings, listener, lambda: pytest.fail("they answer"))


def test_each_worker_of_each_instance_has_its_share() -> None:
    settings = Settings(workers=3, instances=2)
    assert [share_of(settings, number) for number in (1, 2, 3)] == [Share(4, 6, 2), Share(5, 6, 2), Share(6, 6, 2)]
    assert share_of(Settings(), None) == Share(1, 1, 1)
