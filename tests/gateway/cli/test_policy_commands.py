"""The policy commands that need no running gateway; those that do are run by the guide's walk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Self

import orjson
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from gateway.admin import local
from gateway.cli import app

POLICIES = Path(__file__).parents[3] / "policies"
OPENS = """
  - id: tax-to-all
    allow: TaxPayment
    of: tax
    to: any
    for: any
    given: any
    note: A slip.
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


class InThisProcess:
    """Compiles as `gateway.editions.compiler.Compiler` does, without a process of its own."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def run(self, make: Callable[..., object], *args: object) -> object:
        return make(*args)


@pytest.fixture
def compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "Compiler", InThisProcess)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The demonstration's policy files, to edit."""
    directory = tmp_path / "work"
    shutil.copytree(POLICIES, directory, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return directory


def edit(directory: Path, name: str, before: str, after: str) -> None:
    path = directory / name
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def append(directory: Path, name: str, text: str) -> None:
    with (directory / name).open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_store_is_begun_backed_up_and_restored(files: Path, tmp_path: Path) -> None:
    begun = run("init", files, tmp_path / "store", "--by", "the office")
    assert begun.exit_code == 0, begun.output
    assert f"XINQIAO_POLICIES={tmp_path / 'store'}" in begun.output
    assert run("backup", tmp_path / "store", tmp_path / "store.zip").exit_code == 0
    copy = f"sqlite+aiosqlite:///{tmp_path / 'copy.db'}"
    assert run("restore", tmp_path / "store.zip", copy).exit_code == 0
    assert run("backup", copy, tmp_path / "copy.zip").exit_code == 0
    assert (tmp_path / "copy.zip").read_bytes() == (tmp_path / "store.zip").read_bytes()
    again = run("restore", tmp_path / "store.zip", copy)
    assert (again.exit_code, again.output.startswith("STORE_NOT_EMPTY")) == (2, True)


def test_no_store_is_begun_with_files_that_do_not_load(files: Path, tmp_path: Path) -> None:
    edit(files, "rules/nation.yaml", "to: bank", "to: banc")
    refused = run("init", files, tmp_path / "store", "--by", "the office")
    assert refused.exit_code == 2
    assert "unknown role `banc` (did you mean `bank`?)" in refused.output
    assert not (tmp_path / "store").exists()


@pytest.mark.usefixtures("compiled_here")
def test_what_is_shipped_has_nothing_to_be_said_against_it() -> None:
    said = run("lint", POLICIES, "--here")
    assert (said.exit_code, said.output) == (0, "Nothing is wrong, and nothing is worth a look.\n")
    assert run("test", POLICIES, "--here").exit_code == 0


@pytest.mark.usefixtures("compiled_here")
def test_lint_fails_for_mistakes_and_not_for_what_is_only_worth_a_look(files: Path) -> None:
    append(files, "rules/tax.yaml", OPENS.replace("note:", "until: 2020-01-01\n    note:"))
    warned = run("lint", files, "--here", "--json")
    assert [(one["severity"], one["code"]) for one in orjson.loads(warned.output)] == [("warning", "EXPIRED")]
    assert warned.exit_code == 0
    append(files, "rules/tax.yaml", OPENS.replace("id: tax-to-all", "id: again").replace("TaxPayment", "TaxPayments"))
    assert run("lint", files, "--here").exit_code == 1


def test_a_failed_test_fails_the_command(files: Path) -> None:
    append(files, "rules/tax.yaml", OPENS)
    said = run("test", files, "--here")
    assert said.exit_code == 1
    assert "tests/tax.yaml:" in said.output


@pytest.mark.usefixtures("compiled_here")
def test_diff_names_whose_data_is_opened_first(files: Path) -> None:
    append(files, "rules/tax.yaml", OPENS)
    said = run("diff", POLICIES, files, "--here")
    assert said.exit_code == 0
    assert said.output.startswith("THIS OPENS DATA OF tax;")
    assert run("diff", files, files, "--here").output == "No decision changes.\n"


@pytest.mark.usefixtures("compiled_here")
def test_why_names_what_there_is_where_the_caller_is_unknown() -> None:
    said = run("why", "bank.oficer", "TaxArrears.balance", "--here", "--policy", POLICIES)
    assert said.exit_code == 1
    assert "CALLER_UNKNOWN: unknown role `bank.oficer`; did you mean `bank.officer`?" in said.output


@pytest.mark.usefixtures("compiled_here")
def test_a_directory_is_exported_as_a_workbook(tmp_path: Path) -> None:
    assert run("export", tmp_path / "rules.xlsx", POLICIES, "--here").exit_code == 0
    assert "For credit" in load_workbook(tmp_path / "rules.xlsx", read_only=True).sheetnames


def test_what_needs_a_store_says_how_to_make_one() -> None:
    said = run("lint", "latest", "--here")
    assert said.exit_code == 1
    assert "xinqiao policy init" in said.output


def test_nothing_that_answers_is_told_with_its_address() -> None:
    said = run("versions", "--url", "http://127.0.0.1:9/admin/graphql")
    assert (said.exit_code, "http://127.0.0.1:9/admin/graphql" in said.output) == (2, True)
