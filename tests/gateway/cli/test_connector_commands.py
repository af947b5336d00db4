"""The commands by which an agency's system is exposed: check, new, probe, test."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.connector import new as new_command
from tests.connectors.soap_support import BATCH, WSDL
from tests.connectors.support import CODES
from tests.http_service import serving

ROOT = Path(__file__).parents[3]
SECRET = 's3cret/+&"<'
REST = """
agency: court
name: {en: Court, zh: 法院}
kind: rest
connection:
  url: ${COURT_URL}
  headers: {X-Key: "Key ${COURT_KEY}"}
  auth: {scheme: apiKey, in: query, name: key, value: "${COURT_KEY}"}
datasets:
  - record: Penalty
    key: code
    batch: 10
    missingMeans: none
    request: {path: /search, keys: {in: query, name: codes, style: comma}}
    response: {rows: rows}
    fields:
      recordId: id
      decidedOn: day
      kind: {path: lx, codes: {"1": {code: fine, label: 罚款}}}
      amount: {path: je, unit: 万元}
      facts: wfss
"""
ROWS = [
    {"code": CODES[0], "id": "1", "day": "32/13/2026", "lx": "7", "je": "1.5", "more": "未用"},
    {"code": "nobody's", "id": "2", "day": "2026-01-02", "lx": "1", "je": "2", "wfss": "事实"},
]

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("COURT_URL", "COURT_KEY", "XINQIAO_PLAIN_NETWORKS"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: object, given: str | bytes | None = None, **variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, ["connector", *map(str, arguments)], input=given)

    return invoke


@pytest.fixture
def court() -> Iterator[tuple[str, list[str]]]:
    """The address of a system, and the targets that it was asked for."""
    asked: list[str] = []

    def answer(path: str, _: bytes) -> bytes:
        asked.append(path)
        query = parse_qs(urlsplit(path).query)
        codes = query["codes"][0].split(",")
        rows = [row for row in ROWS if row["code"] in codes or row["id"] == "2"]
        return json.dumps({"rows": rows, "echo": query["key"][0]}).encode()

    with serving(answer) as address:
        yield f"{address}/token-of-ours", asked


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "court.yaml"
    path.write_text(REST, encoding="utf-8")
    return path


@pytest.fixture
def standards(tmp_path: Path) -> str:
    """The address of the example's database."""
    with sqlite3.connect(tmp_path / "standards.db") as database:
        database.executescript((ROOT / "examples/agency/standards.sql").read_text())
    database.close()
    return f"sqlite:///{tmp_path / 'standards.db'}"


@pytest.mark.parametrize("command", ["new", "check", "probe", "test"])
def test_each_command_has_help(run: Run, command: str) -> None:
    assert run(command, "--help").exit_code == 0


def test_check_is_content_with_good_manifests_and_says_what_is_not_set(run: Run, manifest: Path) -> None:
    said = run("check", manifest)
    assert said.exit_code == 0
    assert "1 manifest is good." in said.output
    assert "the environment variable COURT_KEY is not set" in said.output


def test_check_names_line_and_way_out_of_each_mistake(run: Run, manifest: Path) -> None:
    manifest.write_text(REST.replace("facts: wfss", "fact: wfss"), encoding="utf-8")
    said = run("check", manifest, ROOT / "connectors/agencies/tax.yaml", "--json")
    assert said.exit_code == 1
    document = orjson.loads(said.output)
    assert document["manifests"] == 1
    (mistake,) = document["mistakes"]
    assert (mistake["line"], mistake["hint"]) == (21, "did you mean 'facts'?")


def test_check_reads_the_copy_of_a_wsdl(run: Run, tmp_path: Path) -> None:
    shutil.copytree(WSDL, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "court.yaml"
    path.write_text(BATCH)
    assert run("check", path).exit_code == 0
    path.write_text(BATCH.replace("operation: QueryPenalties", "operation: QueryPenaltys"))
    said = run("check", path, "--json")
    (mistake,) = orjson.loads(said.output)["mistakes"]
    assert mistake["message"].startswith("datasets.0.request.wsdl: ")
    assert mistake["line"] > 10
    assert "QueryPenaltys" in mistake["message"]


def test_the_check_of_an_installation_reads_copies_of_wsdls_too(tmp_path: Path) -> None:
    shutil.copytree(WSDL, tmp_path, dirs_exist_ok=True)
    (tmp_path / "court.yaml").write_text(BATCH.replace("operation: QueryPenalties", "operation: QueryPenaltys"))
    said = CliRunner().invoke(app, ["check", "--json"], env={"XINQIAO_MANIFESTS": str(tmp_path)})
    assert any("QueryPenaltys" in mistake["message"] for mistake in orjson.loads(said.output)["mistakes"])


def test_new_drafts_a_manifest_that_check_is_content_with_once_it_is_decided_how_to_ask(
    run: Run, tmp_path: Path
) -> None:
    sample, draft = tmp_path / "sample.json", tmp_path / "court.yaml"
    sample.write_text(json.dumps({"rows": ROWS[:1]}))
    said = run("new", sample, "--agency", "court", "--record", "Penalty", "--path", "/search", "--out", draft)
    assert said.exit_code == 0
    assert "things to decide" in said.output
    assert run("check", draft).exit_code == 1
    draft.write_text(draft.read_text().replace("name: TODO", "name: codes"))
    assert run("check", draft).exit_code == 0
    assert yaml.safe_load(draft.read_text())["connection"] == {"url": "${COURT_URL}"}
    again = run("new", sample, "--agency", "court", "--out", draft)
    assert (again.exit_code, "is there already" in again.output) == (2, True)


def test_new_reads_a_sample_from_its_input(run: Run) -> None:
    said = run("new", "-", "--agency", "court", given=json.dumps(ROWS[:1]))
    assert yaml.safe_load(said.output)["kind"] == "rest"


def test_new_drafts_a_manifest_of_a_table(run: Run, standards: str, tmp_path: Path) -> None:
    said = run("new", "--table", "certificates", "--agency", "standards", STANDARDS_URL=standards)
    assert said.exit_code == 0
    (dataset,) = yaml.safe_load(said.output)["datasets"]
    assert (dataset["table"], dataset["key"]) == ("certificates", "uscc")
    draft = tmp_path / "draft.yaml"
    draft.write_text(said.output)
    assert run("check", draft).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a sample, or --table"),
        (["-"], "is needed"),
        (["-", "--agency", "A Court"], "is not an id"),
        (["-", "--agency", "court", "--record", "Penalti"], "no record type"),
        (["-", "--agency", "court", "--kind", "sql"], "no kind with such a sample"),
        (["none.json", "--agency", "court"], "none.json cannot be read"),
        (["--table", "t", "--agency", "nowhere"], "NOWHERE_URL is not set"),
    ],
)
def test_new_says_what_it_needs(run: Run, arguments: list[str], message: str) -> None:
    said = run("new", *arguments, given=json.dumps(ROWS[:1]))
    assert said.exit_code == 2
    assert message in " ".join(said.output.replace("│", " ").split())


def test_at_a_terminal_new_asks_for_what_is_missing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_command, "_at_terminal", lambda: True)
    sample, draft = tmp_path / "sample.json", tmp_path / "draft.yaml"
    sample.write_text(json.dumps(ROWS[:1]))
    typed = f"{sample}\ncourt\nHigh Court\n高级法院\nPenalti\nPenalty\n"
    said = run("new", "--out", draft, given=typed)
    assert said.exit_code == 0, said.output
    manifest = yaml.safe_load(draft.read_text())
    assert manifest["name"] == {"en": "High Court", "zh": "高级法院"}
    assert manifest["datasets"][0]["record"] == "Penalty"


def test_probe_shows_what_was_sent_what_came_what_it_became_and_what_was_not_mapped(
    run: Run, manifest: Path, court: tuple[str, list[str]]
) -> None:
    address, asked = court
    said = run(
        *("probe", manifest, CODES[0]), COURT_URL=address, COURT_KEY=SECRET, XINQIAO_PLAIN_NETWORKS='["127.0.0.0/8"]'
    )
    assert said.exit_code == 0
    output = " ".join(said.output.replace("│", " ").split())
    assert "sent GET ${COURT_URL}/search?codes=" in output
    assert "X-Key: Key ${COURT_KEY}" in output
    assert "shows whose it is by apiKey" in output
    assert "amount je 1.5 15000 CNY" in output
    assert "decidedOn day 32/13/2026 NOT MAPPED: no date in a usual form" in output
    assert "kind lx 7 NOT MAPPED: not in codes" in output
    assert "facts wfss (no such place) nothing" in output
    assert "read by no field: more" in output
    assert "row 2 of 2, whose key is no code: it may be anybody's" in output
    assert f"{CODES[0]}: INCOMPLETE, 1 row, 3 values or rows not mapped" in output
    assert len(asked) == 1


GARBLED = REST.replace("response: {rows: rows}", "response: {rows: rows, encoding: gb18030}")
UNJUDGED = {"code": -1, "msg": "down", "rows": []}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (REST.replace("/search", "/TODO").replace("name: codes", "name: TODO"), ["request.keys.name", "request.path"]),
        (REST.replace("key: code", "key: {path: TODO}"), ["key.path"]),
        (REST.replace("facts: wfss", "facts: TODO"), []),
    ],
)
def test_a_draft_is_no_manifest_before_it_is_decided_how_to_ask(
    run: Run, manifest: Path, text: str, places: list[str]
) -> None:
    manifest.write_text(text, encoding="utf-8")
    told = json.loads(run("check", manifest, "--json").output)
    assert [mistake["message"] for mistake in told["mistakes"]] == [
        f"datasets.0.{place}: TODO: to be decided" for place in places
    ]


@pytest.mark.parametrize(
    ("text", "content", "remark"),
    [
        (REST, json.dumps(UNJUDGED).encode(), "look the answer has code beside its rows, and no envelope reads it"),
        (REST, '{"rows": [], "note": "\ufffd"}'.encode(), "look the answer has characters that were lost"),
        (GARBLED, json.dumps({"rows": [], "note": "罚款"}, ensure_ascii=False).encode(), "be read as UTF-8, too"),
        (
            REST,
            json.dumps({"rows": [], "note": "罚"}, ensure_ascii=False).encode("gb2312"),
            "set response.encoding: gb18030",
        ),
        (REST, b"<html>", "it is HTML or XML"),
        (REST, b'{"rows": [{"code": 1, "je": 1, "je": 2}]}', "has je more than once: only the last of them is read"),
        (REST, b'{"rows": [null, {"id": "1"}]}', "1 row that cannot be read"),
        (REST, f'{{"rows": [{{"code": "{CODES[0]}", "x": 1}}]}}'.encode(), "1 key failed: GET /search: what stands"),
    ],
)
def test_probe_says_what_may_be_read_wrongly(run: Run, manifest: Path, text: str, content: bytes, remark: str) -> None:
    manifest.write_text(text, encoding="utf-8")
    with serving(lambda *_: content) as address:
        variables = {"COURT_URL": address, "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
        said = run("probe", manifest, CODES[0], **variables)
    assert remark in " ".join(said.output.split())


def test_probe_shows_numbers_as_numbers(run: Run, manifest: Path) -> None:
    manifest.write_text(REST.replace("facts: wfss", 'facts: {jmespath: "list[0].sum || text"}'), encoding="utf-8")
    row = {"code": CODES[0], "je": 1.25, "list": [{"sum": None, "other": 1.25}]}
    with serving(lambda *_: json.dumps({"rows": [row]}).encode()) as address:
        variables = {"COURT_URL": address, "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
        shown = json.loads(run("probe", manifest, CODES[0], "--json", **variables).output)
    fields = shown[0]["rows"][0]["fields"]
    assert fields["amount"]["came"] == ["1.25"]
    assert fields["facts"]["came"] == ["null", '[{"sum":null,"other":1.25}]', "(no such place)"]


def test_probe_remarks_nothing_where_an_envelope_reads_the_code(run: Run, manifest: Path) -> None:
    judged = REST.replace("{rows: rows}", "{rows: rows, envelope: {path: code, ok: ['0']}}")
    manifest.write_text(judged, encoding="utf-8")
    with serving(lambda *_: json.dumps({**UNJUDGED, "code": 0}).encode()) as address:
        variables = {"COURT_URL": address, "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
        said = run("probe", manifest, CODES[0], **variables)
    assert "look  " not in said.output


def test_probe_hides_secrets_wherever_they_come(run: Run, manifest: Path, court: tuple[str, list[str]]) -> None:
    address, asked = court
    variables = {"COURT_URL": address, "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
    for arguments in (("--whole",), ("--json",)):
        said = run("probe", manifest, CODES[0], *arguments, **variables)
        assert "echo" in said.output
        for hidden in (SECRET, json.dumps(SECRET)[1:-1], "s3cret", "127.0.0.1"):
            assert hidden not in said.output
    assert "s3cret" in asked[0]


def test_probe_shows_statements_of_a_database(run: Run, standards: str) -> None:
    path = ROOT / "examples/agency/standards.yaml"
    said = run("probe", path, "91331002XQYP0GH1XC", "--field", "number", STANDARDS_URL=standards)
    assert said.exit_code == 0
    assert '"certificates"."cert_no"' in said.output
    assert "'91331002XQYP0GH1XC'" in said.output
    assert '"certificates"."issued"' not in said.output
    assert "ISO9001-0001" in said.output


def test_probe_fails_where_the_system_does_not_answer_and_says_how(run: Run, manifest: Path) -> None:
    said = run(
        *("probe", manifest, CODES[0]),
        COURT_URL="http://127.0.0.1:9",
        COURT_KEY=SECRET,
        XINQIAO_PLAIN_NETWORKS='["127.0.0.0/8"]',
    )
    assert said.exit_code == 1
    assert "no answer: AGENCY_UNAVAILABLE" in said.output
    assert "came      nothing: no connection" in said.output


def test_an_address_that_may_not_be_reached_names_the_setting(run: Run, manifest: Path) -> None:
    said = run("probe", manifest, CODES[0], COURT_URL="http://127.0.0.1:9", COURT_KEY=SECRET)
    assert said.exit_code == 2
    assert "XINQIAO_PLAIN_NETWORKS" in said.output


def test_nothing_is_logged(
    run: Run, manifest: Path, court: tuple[str, list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    variables = {"COURT_URL": court[0], "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
    said = run("test", manifest, "--code", CODES[0], "--only", "reset", **variables)
    assert "pass" in said.output
    assert "agency call failed" not in said.output
    assert capfd.readouterr() == ("", "")


def test_test_says_of_each_case_how_it_ended(run: Run, standards: str) -> None:
    path = ROOT / "examples/agency/standards.yaml"
    said = run("test", path, "--code", "91331002XQYP0GH1XC", STANDARDS_URL=standards)
    assert said.exit_code == 0
    assert "pass  a batch says of each company what it is told alone  [batch-equals-singles]" in said.output
    assert "[silence] (its address names no server)" in said.output
    assert "0 failed" in said.output


def test_test_fails_where_a_case_does(run: Run, manifest: Path, court: tuple[str, list[str]]) -> None:
    variables = {"COURT_URL": court[0], "COURT_KEY": SECRET, "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
    said = run("test", manifest, "--code", CODES[0], "--only", "unknown-gives-nothing", "--json", **variables)
    assert said.exit_code == 1
    (verdict,) = orjson.loads(said.output)
    assert (verdict["case"], verdict["result"]) == ("unknown-gives-nothing", "fail")
    assert verdict["reason"].startswith("an unknown company is INCOMPLETE")


def test_test_names_the_cases_where_there_is_none_of_a_name(run: Run, manifest: Path) -> None:
    said = run("test", manifest, "--code", CODES[0], "--only", "silense")
    assert said.exit_code == 2
    assert "no case 'silense'" in " ".join(said.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("key", "record"), [("330100000000011", "Penalty"), ("若木", "CompanySearch"), (CODES[0], "LegacyIdentifiers")]
)
def test_each_dataset_is_asked_by_those_keys_that_it_knows_companies_by(
    run: Run, tmp_path: Path, key: str, record: str
) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(
        f"""
agency: old
name: {{en: Old, zh: 旧}}
kind: memory
datasets:
  - record: Penalty
    key: {{path: regno, kind: registrationNumber}}
    missingMeans: none
    fields: {{recordId: id}}
    rows: [{{regno: "330100000000011", id: found}}]
  - record: CompanySearch
    key: {{path: name, kind: name}}
    batch: 1
    fields: {{name: name}}
    rows: [{{name: 杭州若木有限公司}}]
  - record: LegacyIdentifiers
    key: uscc
    missingMeans: none
    fields: {{registrationNumber: regno}}
    rows: [{{uscc: {CODES[0]}, regno: "330100000000011"}}]
""",
        encoding="utf-8",
    )
    said = run("probe", path, key, "--json")
    assert said.exit_code == 0, said.output
    assert [one["dataset"] for one in json.loads(said.output)] == [f"old/{record}"]
    assert run("test", path, "--code", key).exit_code == 0
    refused = run("probe", path, key, "--record", "Honour")
    assert refused.exit_code == 2
    assert "no dataset of the manifest knows companies by such keys" in " ".join(refused.output.split())


def test_test_asks_for_the_named_record_types_alone(run: Run) -> None:
    path = ROOT / "connectors/agencies/tax.yaml"
    said = run("test", path, "--code", CODES[0], "--record", "TaxPaid", "--only", "answers")
    assert said.exit_code == 2
    assert "no dataset of TaxPaid" in " ".join(said.output.replace("│", " ").split())
    variables = {"TAX_URL": "http://127.0.0.1:9", "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]'}
    arguments = ("test", path, "--code", CODES[0], "--record", "TaxCredit", "--only", "answers", "--json")
    assert [verdict["dataset"] for verdict in orjson.loads(run(*arguments, **variables).output)] == ["tax/TaxCredit"]
