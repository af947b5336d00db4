"""The examples are good, and the agency in ten lines is on air in the three steps that its README names."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
from pathlib import Path

import orjson
import pytest
import yaml
from graphql import parse, validate

from gateway.assembly import open_gateway, read_installation
from gateway.messages import Principal, Received
from gateway.settings import Settings
from schema.contract import national

ROOT = Path(__file__).parents[1]
SCHEMA = national().schema(frozenset())
COMPANY = "91331002XQYP0GH1XC"


@pytest.mark.parametrize("path", sorted((ROOT / "examples/queries").glob("*.graphql")), ids=lambda path: path.stem)
def test_an_example_query_fits_the_schema(path: Path) -> None:
    assert validate(SCHEMA, parse(path.read_text())) == []


def test_the_readme_shows_the_example_manifest() -> None:
    assert (ROOT / "examples/agency/standards.yaml").read_text() in (ROOT / "README.md").read_text()


async def test_the_agency_in_ten_lines_answers(tmp_path: Path) -> None:
    agencies, policies = tmp_path / "agencies", tmp_path / "policies"
    agencies.mkdir()
    shutil.copy(ROOT / "examples/agency/standards.yaml", agencies)
    shutil.copytree(ROOT / "policies", policies)
    trees = policies / "trees.yaml"
    trees.write_text(trees.read_text().replace("agencies:\n", "agencies:\n  standards: nation\n", 1))
    with sqlite3.connect(tmp_path / "standards.db") as database:
        database.executescript((ROOT / "examples/agency/standards.sql").read_text())
    database.close()
    settings = Settings(
        manifests=agencies, policies=str(policies), secret="s" * 32, audit_file=tmp_path / "audit.jsonl"
    )
    environment = {**os.environ, "STANDARDS_URL": f"sqlite:///{tmp_path / 'standards.db'}"}
    query = f'{{ enterprise(code: "{COMPANY}") {{ certifications {{ status records {{ number issuedOn }} }} }} }}'
    async with open_gateway(settings, read_installation(settings), environment) as gateway:
        deadline = asyncio.get_running_loop().time() + 20
        anybody = Principal("anonymous", "public", frozenset({"anonymous"}))
        answered = await gateway.answer(Received("test", query, None, {}, anybody, None, (), deadline, read_only=False))
    assert orjson.loads(answered.body)["data"]["enterprise"]["certifications"] == {
        "status": "COMPLETE",
        "records": [{"number": "ISO9001-0001", "issuedOn": "2024-05-06"}],
    }


def test_alarms_are_about_metrics_that_there_are() -> None:
    rules = yaml.safe_load((ROOT / "examples/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"xinqiao_[a-z_]+(?=[{\[ ])", rule["expr"])}
    assert len(named) > 10
    documented = (ROOT / "docs/observing.md").read_text()
    assert [name for name in sorted(named) if f"`{name.removesuffix('_bucket')}`" not in documented] == []
