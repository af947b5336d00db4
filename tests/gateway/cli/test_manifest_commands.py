"""`xinqiao check`, `diff` and `sdl` on record types that agencies declare as their own."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from tests.connectors.support import CODES

ROOT = Path(__file__).parents[3]
MANIFEST = """\
agency: {agency}
name: {{en: A, zh: 甲}}
kind: memory
records:
  - name: {name}
    tier: PUBLIC
    description: {{en: A recall., zh: 召回信息。}}
    fields:
      cost: {{type: money, tier: PUBLIC, description: {{en: The cost., zh: 费用。}}}}
datasets:
  - {{record: {name}, key: code, missingMeans: none, rows: [], fields: {{cost: {{path: c, unit: 元}}}}}}
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Runs a command where the shipped manifests and policies are, and two agencies more."""
    shutil.copytree(ROOT / "connectors/agencies", tmp_path / "agencies")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    with (tmp_path / "policies/trees.yaml").open("a", encoding="utf-8") as trees:
        trees.write("  wu-xi: market-regulation\n  wu: market-regulation\n")
    monkeypatch.setenv("XINQIAO_MANIFESTS", str(tmp_path / "agencies"))
    monkeypatch.setenv("XINQIAO_POLICIES", str(tmp_path / "policies"))
    level = logging.getLogger().level
    yield lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))
    # Some commands turn the logs off.
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)


def declare(tmp_path: Path, agency: str, name: str) -> Path:
    file = tmp_path / f"agencies/{agency}.yaml"
    file.write_text(MANIFEST.format(agency=agency, name=name), encoding="utf-8")
    return file


def release(tmp_path: Path, name: str) -> None:
    with (tmp_path / "policies/rules/nation.yaml").open("a", encoding="utf-8") as rules:
        rules.write(
            f"\n  - {{id: r, allow: {name}, of: any, to: any, for: any, given: any, note: The centre releases it.}}\n"
        )


def test_rules_and_manifests_of_an_own_record_type_are_checked_together(run, tmp_path: Path) -> None:
    declare(tmp_path, "wu-xi", "WuXiRecall")
    release(tmp_path, "WuXiRecall")
    assert run("check").exit_code == 0
    assert "type WuXiRecall " in run("sdl", "--own").output
    assert "WuXiRecall" not in run("sdl").output
    (tmp_path / "agencies/wu-xi.yaml").unlink()
    (mistake,) = orjson.loads(run("check", "--json").output)["mistakes"]
    assert "unknown record type `WuXiRecall`" in mistake["message"]


def test_names_that_clash_are_told_by_file_and_line(run, tmp_path: Path) -> None:
    declare(tmp_path, "wu", "WuXiRecall")
    declare(tmp_path, "wu-xi", "WuXiRecall")
    said = run("check", "--json")
    assert said.exit_code == 1
    alone = run("connector", "check", "--json", tmp_path / "agencies/wu-xi.yaml", tmp_path / "agencies/wu.yaml")
    assert orjson.loads(alone.output)["mistakes"] == orjson.loads(said.output)["mistakes"]
    told = [(Path(one["file"]).name, one["line"], one["message"]) for one in orjson.loads(said.output)["mistakes"]]
    assert told == [
        ("wu.yaml", 5, "records.0.name: the agency wu-xi has a type WuXiRecall already"),
        ("wu.yaml", 5, "records.0.name: the agency wu-xi has the field wuXiRecall on Enterprise already"),
    ]


def test_the_commands_that_ask_an_agency_know_its_own_record_types(run, tmp_path: Path) -> None:
    file = declare(tmp_path, "wu-xi", "WuXiRecall")
    rows = f"[{{code: {CODES[0]}, c: 12}}, {{code: {CODES[1]}, c: 7}}]"
    file.write_text(file.read_text("utf-8").replace("rows: []", f"rows: {rows}"), "utf-8")
    asked = run("connector", "probe", file, CODES[0])
    assert (asked.exit_code, "wu-xi/WuXiRecall" in asked.output) == (0, True)
    tried = run("connector", "test", file, "--code", CODES[0], "--code", CODES[1])
    assert tried.exit_code == 0, tried.output
    assert "0 failed" in tried.output


def test_diff_tells_what_breaks_by_its_exit_status(run, tmp_path: Path) -> None:
    old = declare(tmp_path, "wu-xi", "WuXiRecall")
    new = tmp_path / "new.yaml"
    new.write_text(old.read_text("utf-8").replace("type: money, tier: PUBLIC", "type: money, tier: SEALED"), "utf-8")
    assert (run("diff", old, old).exit_code, run("diff", old, old).output) == (
        0,
        "Nothing changes for those who ask.\n",
    )
    said = run("diff", old, new)
    assert said.exit_code == 1
    assert "1 change, 1 breaking" in said.output
    assert orjson.loads(run("diff", old, new, "--json").output) == {
        "breaking": 1,
        "changes": [
            {
                "place": "wu-xi/WuXiRecall.cost",
                "message": "SEALED, no more PUBLIC: rules on tiers show less",
                "breaking": True,
            }
        ],
    }


def test_diff_compares_directories_and_refuses_broken_manifests(run, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "agencies", tmp_path / "before")
    declare(tmp_path, "wu-xi", "WuXiRecall")
    said = run("diff", tmp_path / "before", tmp_path / "agencies", "--json")
    assert said.exit_code == 0
    assert orjson.loads(said.output)["changes"] == [
        {"place": "wu-xi", "message": "the agency is new", "breaking": False}
    ]
    (tmp_path / "agencies/tax.yaml").write_text("agency: tax\n", "utf-8")
    said = run("diff", tmp_path / "before", tmp_path / "agencies")
    assert said.exit_code == 2
    assert "MANIFEST_INVALID" in said.stderr
