"""The walks in docs/agencies.md are what happens: each command is run, and says what stands there."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import pytest

from connectors.conformance import CASES
from gateway.demo.supervisor import Nation, running_nation
from tests.connectors.soap_support import WSDL, answered, penalty
from tests.end_to_end.shell import run
from tests.http_service import serving

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/agencies.md"
TODAY = date(2026, 11, 24)
WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+\.\d+\+00:00")
"""When a drop was written: as precisely as a clock of this machine tells."""

PENALTIES = {"xydm": "", "dqy": 1, "mys": 100}
RATINGS = """query ($codes: [String!]!) { enterprises(codes: $codes) { uscc evaluations {
    id evaluationYear colour evaluatedAt score complaintCount underObjection bureau { name } } } }"""


@dataclass
class Step:
    """A command, and what it says."""

    command: str
    said: list[str] = field(default_factory=list)


def steps(text: str) -> Iterator[Step]:
    """The steps of the document's blocks."""
    for block in text.split("```console\n")[1:]:
        found: list[Step] = []
        for line in block.split("```")[0].splitlines():
            if line.startswith("$ "):
                found.append(Step(line.removeprefix("$ ")))
            else:
                found[-1].said.append(line)
        yield from found


def plain(lines: list[str]) -> list[str]:
    """The lines that say something, however wide their tables are, and whenever the files were written."""
    return [re.sub(r"[ ─━]+", " ", WRITTEN.sub("now", line)).rstrip() for line in lines if line.strip()]


@contextmanager
def court(company: str) -> Iterator[str]:
    """A web service that knows one company; gives its address."""

    def answer(_: str, asked: bytes) -> bytes:
        return envelope(company if f"<code>{company}</code>".encode() in asked else None).encode()

    with serving(answer, "text/xml; charset=utf-8") as address:
        yield address


def envelope(company: str | None) -> str:
    rows = "".join(penalty(company, number, fine="1.5") for number in (1, 2)) if company else ""
    return answered(rows)


@asynccontextmanager
async def world(directory: Path, systems: Path) -> AsyncIterator[Mapping[str, str]]:
    """The systems that are asked, what lies in the directory, and the variables that tell where they are."""
    async with running_nation(systems, today=TODAY) as nation:
        company, another = nation.showcase["everything"], nation.showcase["holder"]
        for path in (ROOT / "connectors/agencies").glob("*.yaml"):
            shutil.copy(path, directory)
        shutil.copytree(WSDL, directory, dirs_exist_ok=True)
        (directory / "court.yaml").write_text(
            DOCUMENT.read_text("utf-8").split("```yaml\n")[1].split("```")[0], "utf-8"
        )
        (directory / "answer.xml").write_text(envelope(company), "utf-8")
        await _save_answers(nation, company, another, directory)
        with court(company) as service:
            yield {
                **nation.environment,
                "COURT_SERVICE_URL": service,
                "COMPANY": company,
                "ANOTHER": another,
                "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]',
            }


async def _save_answers(nation: Nation, company: str, another: str, directory: Path) -> None:
    asked = {**PENALTIES, "xydm": f"{company},{another}"}
    ratings = {"query": RATINGS, "variables": {"codes": [company]}}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(f"{nation.environment['GUANGDONG_PENALTIES_URL']}/xzcf/cx", json=asked)
        (directory / "answer.json").write_bytes(answer.content)
        answer = await client.post(nation.environment["ENVIRONMENT_URL"], json=ratings)
        (directory / "answer-graphql.json").write_bytes(answer.content)


@pytest.mark.timeout(600)  # the suite over six systems
async def test_each_command_of_the_walks_says_what_stands_there(
    tmp_path: Path, clean_variables: pytest.MonkeyPatch
) -> None:
    directory, systems = tmp_path / "walk", tmp_path / "systems"
    directory.mkdir()
    systems.mkdir()
    walked = list(steps(DOCUMENT.read_text("utf-8")))
    assert len(walked) > 15
    async with world(directory, systems) as variables:
        clean_variables.chdir(directory)
        for name, value in variables.items():
            clean_variables.setenv(name, value)
        for step in walked:
            said = await asyncio.to_thread(run, step.command)
            assert plain(said.splitlines()) == plain(step.said), step.command


def test_the_document_names_every_case_of_the_conformance_suite() -> None:
    text = DOCUMENT.read_text("utf-8")
    missing = [case.name for case in CASES if f"| `{case.name}` | {case.shows} |" not in text]
    assert missing == []
