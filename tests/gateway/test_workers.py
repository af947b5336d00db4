"""`xinqiao serve --workers`, as real processes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from joserfc.jwk import KeySet, OKPKey

from connectors.kindness.share import Share
from gateway.assembly import share_of
from gateway.audit.files import FileArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import verify
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


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("XINQIAO_")},
        **{f"{name}_URL": "http://127.0.0.1:9" for name in names},
        "REGISTRY_URL": f"sqlite:///{tmp_path / 'registry.db'}",
        "CUSTOMS_DROP": str(tmp_path),
        "XINQIAO_SECRET": "s" * 32,
        "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]',
        "XINQIAO_ANONYMOUS": "public",
        "XINQIAO_AUDIT_FILE": str(tmp_path / "audit.jsonl"),
    }


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    process = subprocess.Popen(COMMAND, env=dict(environment), stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["url"]
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


def writer(process: subprocess.Popen[bytes], log: Path) -> psutil.Process | None:
    """The worker that writes this audit log."""
    for child in psutil.Process(process.pid).children():
        try:
            if str(log) in [file.path for file in child.open_files()]:
                return child
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
    return None


def asks(url: str) -> int:
    """The status of one question, over a connection of its own."""
    return httpx.post(url, json={"query": "{ agencies { id } }"}, timeout=30, trust_env=False).status_code


def test_workers_share_a_socket_one_that_dies_is_replaced_and_told_to_end_all_end(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    logs = [tmp_path / "audit-1.jsonl", tmp_path / "audit-2.jsonl"]
    with served(environment) as (process, url):

        def lines() -> list[int]:
            return [len(log.read_bytes().splitlines()) for log in logs]

        with ThreadPoolExecutor(8) as callers:
            until(lambda: set(callers.map(asks, [url] * 8)) == {200} and min(lines()) > 0)
        first = until(lambda: writer(process, logs[0]))
        its_own = first.children()
        os.kill(first.pid, signal.SIGKILL)
        first.wait(PATIENCE)
        assert asks(url) == 200
        second = until(lambda: (found := writer(process, logs[0])) and found.pid != first.pid and found)
        psutil.wait_procs(its_own, timeout=PATIENCE)
        assert not [child for child in its_own if child.is_running()]
        answered = lines()[0]
        until(lambda: asks(url) == 200 and lines()[0] > answered)
        everybody = psutil.Process(process.pid).children(recursive=True)
        assert second in everybody
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        psutil.wait_procs(everybody, timeout=PATIENCE)
        assert not [child for child in everybody if child.is_running()]
        with pytest.raises(httpx.ConnectError):
            asks(url)


class Court:
    """A system that counts the calls under way, and answers none until it may."""

    def __init__(self) -> None:
        self.asked = self.under_way = self.most_under_way = 0
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


def is_answered(url: str) -> bool:
    """Whether a worker, asked over a connection of its own, tells what the court says."""
    question = {"query": f'{{ enterprise(code: "{CODES[0]}") {{ judgmentDefaults {{ status }} }} }}'}
    try:
        told = httpx.post(url, json=question, headers={"X-Timeout-Ms": "30000"}, timeout=60, trust_env=False).json()
    except httpx.HTTPError:
        return False  # the worker was killed
    return bool(told["data"]["enterprise"]["judgmentDefaults"]["status"] == "COMPLETE")


def test_workers_lend_each_other_the_one_call_that_an_agency_bears_and_one_that_is_killed_gives_it_back(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    agencies, court = tmp_path / "agencies", Court()
    shutil.copytree(Settings().manifests, agencies)
    manifest = agencies / "court.yaml"
    text = manifest.read_text().replace("concurrency: 4", "concurrency: 1").replace("batch: 200", "batch: 1")
    manifest.write_text(text.replace("timeToLive: 60", "timeToLive: 0") + "timeout: 30\n")
    logs = [tmp_path / "audit-1.jsonl", tmp_path / "audit-2.jsonl"]
    with (
        serving(court.answer) as address,
        served({**environment, "XINQIAO_MANIFESTS": str(agencies), "COURT_URL": address}) as (process, url),
        ThreadPoolExecutor(16) as callers,
    ):

        def asking() -> list[psutil.Process]:
            """The workers that have a connection to the court."""
            port = int(address.rpartition(":")[2])
            workers = psutil.Process(process.pid).children()
            return [one for one in workers if port in {to.raddr.port for to in one.net_connections() if to.raddr}]

        def lines() -> list[int]:
            return [len(log.read_bytes().splitlines()) for log in logs]

        questions = [callers.submit(is_answered, url) for _ in range(16)]
        until(lambda: court.asked)
        (first,) = asking()
        first.kill()
        until(lambda: court.asked == 2)
        court.may_answer.set()
        assert True in [question.result() for question in questions]
        until(lambda: not court.under_way)
        until(lambda: asks(url) == 200 and writer(process, logs[0]) and writer(process, logs[1]))
        before, court.most_under_way = lines(), 0
        until(lambda: all(callers.map(is_answered, [url] * 32)) and all(map(int.__lt__, before, lines())))
        assert court.most_under_way == 1


def test_every_worker_follows_the_manifests(environment: Mapping[str, str], tmp_path: Path) -> None:
    agencies = tmp_path / "agencies"
    shutil.copytree(Settings().manifests, agencies)
    with served({**environment, "XINQIAO_MANIFESTS": str(agencies)}) as (_, url), ThreadPoolExecutor(8) as callers:

        def names() -> set[str]:
            """What the workers call the court, each asked about as often as the other."""
            return set(callers.map(name_of_the_court, [url] * 16))

        assert names() == {"Court (demonstration)"}
        court = agencies / "court.yaml"
        court.write_text(court.read_text().replace("Court (demonstration)", "High Court"))
        until(lambda: names() == {"High Court"})


def name_of_the_court(url: str) -> str:
    answer = httpx.post(url, json={"query": "{ agencies { id name } }"}, timeout=30, trust_env=False).json()
    return next(agency["name"] for agency in answer["data"]["agencies"] if agency["id"] == "court")


def test_workers_end_when_what_began_them_is_killed(environment: Mapping[str, str]) -> None:
    with served(environment) as (process, url):
        everybody = psutil.Process(process.pid).children(recursive=True)
        assert asks(url) == 200
        process.kill()
        psutil.wait_procs(everybody, timeout=PATIENCE)
        assert not [child for child in everybody if child.is_running()]


def test_workers_that_cannot_begin_are_an_error_that_says_why(environment: Mapping[str, str]) -> None:
    lacking = {name: value for name, value in environment.items() if name != "XINQIAO_SECRET"}
    ended = subprocess.run(COMMAND, env=lacking, capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith("WORKER_ENDED: SETTINGS_INVALID: XINQIAO_SECRET is not set")


def test_workers_that_have_nowhere_to_lend_each_other_places_are_an_error_that_says_why(
    environment: Mapping[str, str],
) -> None:
    def write_no_file() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    ended = subprocess.run(
        COMMAND, env=dict(environment), capture_output=True, timeout=PATIENCE, check=False, preexec_fn=write_no_file
    )
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith("SETTINGS_INVALID: TMPDIR: several workers need a directory there")


def test_each_worker_of_each_instance_has_its_share() -> None:
    settings = Settings(workers=3, instances=2)
    assert [share_of(settings, number) for number in (1, 2, 3)] == [Share(4, 6, 2), Share(5, 6, 2), Share(6, 6, 2)]
    assert share_of(Settings(), None) == Share(1, 1, 1)


def test_the_logs_of_all_workers_are_under_one_signed_checkpoint_once_the_server_has_ended(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    (tmp_path / "audit.jwk").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    signed = {
        **environment,
        "XINQIAO_AUDIT__SIGNING_KEY": str(tmp_path / "audit.jwk"),
        "XINQIAO_AUDIT__KEYS": str(tmp_path / "keys.json"),
        "XINQIAO_AUDIT__CHECKPOINT_SECONDS": "0.2",
    }
    logs = [tmp_path / "audit-1.jsonl", tmp_path / "audit-2.jsonl"]
    with served(signed) as (process, url):
        with ThreadPoolExecutor(8) as callers:
            until(lambda: set(callers.map(asks, [url] * 8)) == {200} and all(log.read_bytes() for log in logs))
        until((tmp_path / "audit.checkpoints").exists)
        assert httpx.get(url.replace("/graphql", "/readyz"), trust_env=False).json()["parts"]["checkpoints"] == "ready"
        body = {"query": "{ agencies { id } }", "extensions": {"receipt": True}}
        answer = httpx.post(url, json=body, timeout=30, trust_env=False)
        published = httpx.get(url.replace("/graphql", "/.well-known/jwks.json"), trust_env=False).json()
        keys = KeySet.import_key_set(published)
        assert verify_receipt(answer.headers["Xinqiao-Receipt"], answer.content, keys)["organisation"] == "public"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    books = Books(FileArchive(tmp_path / "audit.jsonl", "xinqiao"), FileLedger(tmp_path / "audit.checkpoints"), {})
    report = asyncio.run(verify("xinqiao", books, keys))
    assert report.findings == ()
    assert [(chain.chain, chain.last > 0, chain.certified == chain.last) for chain in report.chains] == [
        ("xinqiao-1", True, True),
        ("xinqiao-2", True, True),
    ]
