from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.errors import AddressInvalid, ConnectionNotConfigured, ManifestInvalid
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest, load_manifests, manifest_json_schema
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from tests.connectors.support import LOOPBACK, SHAPES

SCHEMA = Path("connectors/manifest.schema.json")
GOOD = """\
agency: standards
name: {en: Standards, zh: 标准}
kind: sql
connection: {url: "${STANDARDS_URL}"}
datasets:
  - record: Penalty
    table: penalties
    key: uscc
    missingMeans: none
    fields: {documentNumber: number, decidedOn: decided}
"""


def load(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "standards.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return load_manifest(path, SHAPES)


def test_an_agency_is_ten_lines(tmp_path: Path) -> None:
    assert len(GOOD.splitlines()) == 10
    manifest = load(tmp_path, GOOD)
    assert manifest.datasets[0].fields["decidedOn"].path == "decided"


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message", "hint"),
    [
        ("record: Penalty", "record: Penalti", 6, "datasets.0.record", "unknown record type 'Penalti'", "'Penalty'"),
        ("decidedOn:", "decideOn:", 10, "datasets.0.fields.decideOn", "no field 'decideOn'", "'decidedOn'"),
        ("table:", "tabel:", 7, "datasets.0.tabel", "unknown key 'tabel'", "'table'"),
        ("    missingMeans: none\n", "", 6, "datasets.0.missingMeans", "missing key 'missingMeans'", ""),
        ("    table: penalties\n", "", 6, "datasets.0", "exactly one of table and statement", ""),
        ("kind: sql", "kind: sqll", 3, "kind", "unknown kind 'sqll'", "'sql'"),
        ("kind: sql\n", "", 1, "kind", "missing key 'kind'", "known"),
        ("${STANDARDS_URL}", "sqlite:///x.db", 4, "connection.url", "not a reference", "${NAME}"),
        ("missingMeans: none", "missingMeans: nothing", 9, "datasets.0.missingMeans", "'none'", ""),
        (
            "decidedOn: decided",
            "decidedOn: {path: d, unit: 元}",
            10,
            "datasets.0.fields.decidedOn.unit",
            "unit",
            "money",
        ),
        (
            "decidedOn: decided",
            "decidedOn: {const: soon}",
            10,
            "datasets.0.fields.decidedOn.const",
            "no value",
            "write",
        ),
        ("decidedOn: decided", "decidedOn: {formats: [x]}", 10, "datasets.0.fields.decidedOn.formats", "strptime", ""),
        (
            "decidedOn: decided",
            "kind: {path: k, codes: {a: true}}",
            10,
            "datasets.0.fields.kind.codes.a",
            "no value",
            "",
        ),
        ("key: uscc", "key: uscc\n    key: other", 9, "datasets.0.key", "twice", ""),
        ("key: uscc", 'key: uscc\n    coverage: {divisions: ["99"]}', 9, "datasets.0.coverage.divisions.0", "99", "GB"),
        (
            "key: uscc",
            'key: uscc\n    coverage: {categories: ["91", "94"]}',
            9,
            "datasets.0.coverage.categories.1",
            "begins with 94",
            "91, 92, 93",
        ),
        ("key: uscc", "key: uscc\n    precedence: 3", 9, "datasets.0.precedence", "single records only", "all"),
        (
            "key: uscc",
            "key: uscc\n    coverage: {authorities: [Z]}",
            9,
            "datasets.0.coverage.authorities.0",
            "pattern",
            "",
        ),
        (
            "key: uscc",
            "key: uscc\n    filters: {since: d}",
            9,
            "datasets.0.filters.since",
            "no filter 'since'",
            "known",
        ),
        ("agency: standards", "agency: [", 3, "", "not YAML", ""),
        ("name: {en: Standards, zh: 标准}", "name: &a {en: S, zh: *a}", 2, "name.zh", "alias", "write it out"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_way_out(  # noqa: PLR0913, PLR0917
    tmp_path: Path, old: str, new: str, line: int, path: str, message: str, hint: str
) -> None:
    assert old in GOOD
    with pytest.raises(ManifestInvalid) as caught:
        load(tmp_path, GOOD.replace(old, new))
    found = [finding for finding in caught.value.findings if finding.path == path and message in finding.message]
    assert found, str(caught.value)
    assert (found[0].line, hint in found[0].hint) == (line, True), str(caught.value)
    assert "standards.yaml, line" in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("table:", "tabel:").replace("decidedOn:", "decideOn:").replace("zh: 标准", "cn: 标准")
    with pytest.raises(ManifestInvalid) as caught:
        load(tmp_path, text + "  - record: Penalty\n")
    paths = {finding.path for finding in caught.value.findings}
    assert {"datasets.0.tabel", "datasets.0.fields.decideOn", "name.cn", "name.zh", "datasets.1.record"} <= paths
    lines = [finding.line for finding in caught.value.findings]
    assert lines == sorted(lines)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"just text", b"\xff\xfe", b"a: &x [*x]", b"x" * 1_000_001])
def test_what_is_no_manifest_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestInvalid):
        load_manifest(path, SHAPES)
    with pytest.raises(ManifestInvalid, match="cannot be read"):
        load_manifest(tmp_path / "none.yaml", SHAPES)


def test_codes_with_leading_zeros_keep_them_quoted_or_not(tmp_path: Path) -> None:
    text = GOOD.replace("decidedOn: decided", "kind: {path: k, codes: {01: {code: 007}, '02': b}}")
    codes = load(tmp_path, text).datasets[0].fields["kind"].codes
    assert codes is not None
    assert list(codes) == ["01", "02"]
    assert codes["01"].code == "007"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "dataset",
    [
        {"request": {"path": "/p"}},
        {"request": {"path": "/p/{key}"}, "batch": 2, "missingMeans": "none", "key": "k"},
        {"request": {"path": "/p/{key}"}, "key": {"spellings": ["upper", "lower"]}},
        {"request": {"path": "/p", "keys": {"in": "query", "name": "k", "style": "list"}}},
        {"request": {"path": "/p", "keys": {"in": "body", "name": "k", "style": "list"}}},
        {"request": {"path": "/p", "keys": {"in": "query", "name": "k", "style": "comma"}}, "batch": 2, "key": "k"},
        {"request": {"path": "/p/{key}"}, "response": {"unknown": {"codes": ["1"]}}},
        {"request": {"path": "http://elsewhere/{key}"}},
    ],
)
def test_a_rest_dataset_that_could_not_work_is_refused(tmp_path: Path, dataset: dict[str, Any]) -> None:
    manifest = {
        "agency": "a",
        "name": {"en": "a", "zh": "a"},
        "kind": "rest",
        "connection": {"url": "${A}"},
        "datasets": [{"record": "Penalty", "fields": {"facts": "f"}, **dataset}],
    }
    with pytest.raises(ManifestInvalid):
        load(tmp_path, json.dumps(manifest))


async def test_what_the_environment_lacks_is_named_all_at_once_and_never_its_values(tmp_path: Path) -> None:
    first = load(tmp_path, GOOD)
    second = load(
        tmp_path,
        """
        agency: court
        name: {en: Court, zh: 法院}
        kind: rest
        connection: {url: "${COURT_URL}", headers: {X-Key: "${COURT_KEY}"}}
        datasets: [{record: Penalty, request: {path: "/{key}"}, fields: {facts: f}}]
        """,
    )
    with pytest.raises(ConnectionNotConfigured) as caught:
        await open_supply([first, second], SHAPES, SupplySettings(environment={"COURT_URL": "hidden", "COURT_KEY": ""}))
    assert caught.value.reasons == (
        "agency standards: connection.url: the environment variable STANDARDS_URL is not set",
        "agency court: connection.headers.X-Key: the environment variable COURT_KEY is not set",
    )
    for address in ("ftp://hidden/", "http://", "//hidden", "http://hidden:x/", "http://hidden/?k=1"):
        environment = {"COURT_URL": address, "COURT_KEY": "k"}
        with pytest.raises(ConnectionNotConfigured, match=r"agency court: connection\.url is not") as refused:
            await open_supply([second], SHAPES, SupplySettings(environment=environment, reach=LOOPBACK))
        assert "hidden" not in str(refused.value)
    with pytest.raises(ConnectionNotConfigured, match=r"headers\.X-Key"):
        await open_supply(
            [second], SHAPES, SupplySettings(environment={"COURT_URL": "https://h", "COURT_KEY": "two\nlines"})
        )
    assert issubclass(AddressInvalid, Exception)


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("standards", name, 1), encoding="utf-8")
    assert [manifest.agency for manifest in load_manifests(tmp_path, SHAPES).values()] == ["a", "b"]


def test_the_json_schema_for_editors_is_the_one_checked_in() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == manifest_json_schema(), "run `make generated`"
