"""The nation comes up, and goes away whole: whatever happens, no process is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from gateway.demo import nation, supervisor
from gateway.demo.errors import AgencyNotStartedError
from gateway.demo.nation import Population
from gateway.demo.records import customs
from gateway.demo.supervisor import running_nation

ROOT = Path(__file__).parents[2]
FEW = 200
"""Companies: how many they are makes no difference to the processes that know them."""


@pytest.fixture(autouse=True)
def small_nation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nation, "COMPANIES", FEW)


def agencies_running(directory: Path) -> list[str]:
    """The command lines of processes that work on this directory."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in lines if "gateway.demo.agencies" in line and str(directory) in line]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the kernel's table of processes sets no event
            await asyncio.sleep(0.01)


async def test_all_seven_answer_and_all_seven_end_leaving_nothing_but_their_records(tmp_path: Path) -> None:
    async with running_nation(tmp_path) as running:
        assert running.agencies.keys() == running.processes.keys()
        assert len(running.agencies) == len(agencies_running(tmp_path)) == 7

    assert agencies_running(tmp_path) == []
    assert not (tmp_path / "registry" / "registry.db").exists()
    assert not (tmp_path / "customs" / "drop").exists()


async def test_no_process_is_left_when_one_cannot_start(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"

    with pytest.raises(AgencyNotStartedError, match="registry"):
        async with running_nation(tmp_path, postgres_url=url):
            pass
    assert agencies_running(tmp_path) == []


async def test_no_process_is_left_when_one_is_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "START_SECONDS", 0.05)

    with pytest.raises(AgencyNotStartedError, match="did not answer within"):
        async with running_nation(tmp_path):
            pass
    assert agencies_running(tmp_path) == []


async def test_no_process_is_left_when_the_start_is_cancelled(tmp_path: Path) -> None:
    async def start() -> None:
        async with running_nation(tmp_path):
            pass

    task = asyncio.create_task(start())
    await until(lambda: bool(agencies_running(tmp_path)))
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert agencies_running(tmp_path) == []


async def test_an_agency_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    async with running_nation(tmp_path) as running:
        running.processes["court"].send_signal(signal.SIGSTOP)

    assert running.processes["court"].returncode == -signal.SIGKILL
    assert agencies_running(tmp_path) == []


async def test_the_others_go_on_when_one_is_killed(tmp_path: Path) -> None:
    async with running_nation(tmp_path) as running:
        os.kill(running.processes["tax"].pid, signal.SIGKILL)
        await running.processes["tax"].wait()

        assert len(agencies_running(tmp_path)) == 6
    assert agencies_running(tmp_path) == []


async def test_agencies_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from gateway.demo import nation\n"
        "from gateway.demo.supervisor import running_nation\n"
        f"nation.COMPANIES = {FEW}\n"
        "async def main():\n"
        "    async with running_nation(pathlib.Path(sys.argv[1])) as running:\n"
        "        print('up', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"
    parent.kill()
    await parent.wait()

    await until(lambda: not agencies_running(tmp_path))
    assert not (tmp_path / "registry" / "registry.db").exists()


async def test_the_registry_keeps_the_same_tables_in_postgresql_and_takes_them_away(
    tmp_path: Path, postgres_url: str
) -> None:
    (tmp_path / "nation").mkdir()
    async with running_nation(tmp_path / "nation", postgres_url=postgres_url) as running:
        assert running.environment["REGISTRY_URL"] == postgres_url
        database = await asyncpg.connect(postgres_url)
        code = running.showcase["everything"]
        holders = await database.fetch("SELECT inv, bcerno FROM v_inv WHERE uniscid = $1", code)
        assert len(holders) == 3
    left = await database.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    await database.close()

    assert left == []


async def test_a_database_that_has_such_tables_is_refused_and_left_alone(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "nation").mkdir()
    database = await asyncpg.connect(postgres_url)
    await database.execute("CREATE TABLE e_inv (kept text)")

    with pytest.raises(AgencyNotStartedError, match="e_inv"):
        async with running_nation(tmp_path / "nation", postgres_url=postgres_url):
            pass
    columns = await database.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'e_inv'")
    await database.execute("DROP TABLE e_inv")
    await database.close()

    assert [column["column_name"] for column in columns] == ["kept"]


async def test_an_agency_prints_one_line_of_json_and_ends_when_its_input_is_closed(
    tmp_path: Path, population: Population
) -> None:
    customs.write(population, tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway.demo.agencies.customs", "--data", str(tmp_path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    printed, _ = await process.communicate(b"")

    assert json.loads(printed) == {"address": str(tmp_path / "drop")}
    assert process.returncode == 0
