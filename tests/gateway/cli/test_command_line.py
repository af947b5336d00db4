from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app

ROOT = Path(__file__).parents[3]
QUERY = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
    taxArrears { records { balance { amount } } } penalties { records { responsiblePersonId } } } }"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    def invoke(*arguments: str, variables: dict[str, str] | None = None) -> Result:
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(arguments))

    return invoke


@pytest.fixture
def query(tmp_path: Path) -> str:
    file = tmp_path / "query.graphql"
    file.write_text(QUERY)
    return str(file)


@pytest.mark.parametrize("command", ["serve", "demo", "query", "plan", "check", "sdl"])
def test_every_command_has_help(run, command: str) -> None:
    said = run(command, "--help")
    assert said.exit_code == 0
    assert "--json" in said.output


def test_sdl_prints_the_contract(run) -> None:
    assert run("sdl").output == (ROOT / "schema/schema.graphql").read_text()
    assert run("sdl", "--admin").output == (ROOT / "gateway/admin/schema.graphql").read_text()
    assert "informant" not in run("sdl", "--subgraph").output
    assert "__schema" in orjson.loads(run("sdl", "--json").output)


def test_check_finds_nothing_in_what_is_shipped_and_says_what_is_not_set(run) -> None:
    said = run("check")
    assert said.exit_code == 0
    assert "7 manifests and the policies are good" in said.output
    assert "agency court: connection.url: the environment variable COURT_URL is not set" in said.output


def test_check_says_which_agencies_bear_too_little_for_so_many_instances(run) -> None:
    said = run("check", "--json", variables={"XINQIAO_INSTANCES": "5"})
    (court,) = [reason for reason in orjson.loads(said.output)["notSet"] if reason.startswith("agency court: it bears")]
    assert "4 at once" in court
    assert "XINQIAO_CACHE_URL" in court
    shared = {"XINQIAO_INSTANCES": "5", "XINQIAO_CACHE_URL": "redis://cache.example"}
    assert "it bears" not in run("check", "--json", variables=shared).output


def test_check_names_file_line_and_way_out_of_each_mistake_in_manifests_and_policies(run, tmp_path: Path) -> None:
    manifests, policies = tmp_path / "agencies", tmp_path / "policies"
    shutil.copytree(ROOT / "connectors/agencies", manifests)
    shutil.copytree(ROOT / "policies", policies)
    court, nation = manifests / "court.yaml", policies / "rules/nation.yaml"
    court.write_text(court.read_text().replace("caseNumber:", "caseNumbr:"))
    nation.write_text(nation.read_text().replace("- Penalty.responsiblePersonId", "- Penalty.responsiblePersonID", 1))
    publicity = policies / "publicity/2026-04-01.yaml"
    publicity.write_text(publicity.read_text().replace("record: Penalty", "record: Penalti"))
    said = run("check", "--json", variables={"XINQIAO_MANIFESTS": str(manifests), "XINQIAO_POLICIES": str(policies)})
    assert said.exit_code == 1
    mistakes = {Path(mistake["file"]).name: mistake for mistake in orjson.loads(said.output)["mistakes"]}
    assert set(mistakes) >= {"court.yaml", "nation.yaml"}
    assert mistakes["court.yaml"]["line"] > 1
    assert "caseNumber" in mistakes["court.yaml"]["hint"]
    assert "responsiblePersonId" in mistakes["nation.yaml"]["hint"]
    assert "Penalty" in mistakes["2026-04-01.yaml"]["hint"]


def test_plan_says_who_is_asked_for_what_and_what_is_not_clear(run, query: str) -> None:
    said = run("plan", query, "--as", "bank.officer", "--purpose", "credit.underwriting", "--companies", "30", "--json")
    assert said.exit_code == 0
    (place,) = orjson.loads(said.output)["places"]
    calls = {fetch["dataset"]: fetch["calls"] for fetch in place["fetches"]}
    assert calls["tax/TaxArrears"] == 30
    assert calls["guangdong-penalties/Penalty"] == 1
    decisions = {decision["coordinate"]: decision for decision in place["decisions"]}
    assert decisions["TaxArrears.balance"]["mask"] == "bucket"
    assert decisions["Penalty.responsiblePersonId"]["decision"] == "WITHHELD"


def test_plan_is_a_table_for_people(run, query: str) -> None:
    said = run("plan", query, "--as", "bank.officer@second-bank")
    assert "As bank.officer of second-bank" in said.output
    assert "tax/TaxArrears" in said.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--as", "bank.oficer"], 2, "did you mean `bank.officer`"),
        (["--as", "bank.officer@zhejiang-regulator"], 2, "not registered"),
        (["--as", "bank.officer", "--purpose", "credit.underwritting"], 2, "did you mean"),
        (["--as", "bank.officer", "--variables", "{"], 2, "not JSON"),
    ],
)
def test_plan_says_what_it_could_not_make_sense_of(
    run, query: str, arguments: list[str], code: int, message: str
) -> None:
    said = run("plan", query, *arguments)
    assert said.exit_code == code
    assert message in " ".join(said.output.replace("│", " ").split())


def test_plan_of_a_query_that_does_not_fit_the_schema_fails_with_its_errors(run, tmp_path: Path) -> None:
    file = tmp_path / "bad.graphql"
    file.write_text('{ enterprise(code: "x") { penaltys { status } } }')
    said = run("plan", str(file), "--as", "bank.officer")
    assert said.exit_code == 1
    assert "OPERATION_INVALID: Cannot query field 'penaltys'" in said.output


def test_query_says_that_nobody_answers_there(run, query: str) -> None:
    said = run("query", query, "--url", "http://127.0.0.1:9/graphql")
    assert said.exit_code == 2
    assert "No gateway answers at http://127.0.0.1:9/graphql" in said.output


def test_serve_says_what_is_missing(run) -> None:
    said = run("serve")
    assert said.exit_code == 2
    assert "XINQIAO_SECRET is not set" in said.output


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there is no manifest"),
        ({"court.yml": "court.yaml"}, "name it *.yaml"),
        ({"a.yaml": "court.yaml", "b.yaml": "court.yaml"}, "a second manifest of the agency 'court'"),
    ],
    ids=["none", "another ending", "the same agency twice"],
)
def test_check_finds_manifests_that_would_be_missing_or_clash(
    run, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, source in files.items():
        shutil.copy(ROOT / "connectors/agencies" / source, tmp_path / name)
    said = run("check", "--json", variables={"XINQIAO_MANIFESTS": str(tmp_path)})
    assert said.exit_code == 1
    mistakes = orjson.loads(said.output)["mistakes"]
    assert any(message in f"{mistake['message']} {mistake['hint']}" for mistake in mistakes)


def test_the_subgraph_s_introspection_knows_no_sealed_field(run) -> None:
    assert "informant" not in run("sdl", "--subgraph", "--json").output
