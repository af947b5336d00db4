"""What the policy commands take for what, what they say of files out of reach, and that nobody steers a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.output import print_table
from gateway.cli.policy.connection import reference

FILES = [{"name": name, "content": "rules: []\n"} for name in ("version.yaml", "rules/nation.yaml", "tests/tax.yaml")]
WILY = "tests:\n# \x1b[9A\x1b[J \u202e opens nothing [/bold]\n"
DRAFT = {
    "id": "ab12",
    "base": 1,
    "author": "al",
    "why": "a [/reason]",
    "digest": "00",
    "changed": ["tests/tax.yaml"],
    "files": [{**one, "content": WILY} for one in FILES if one["name"] == "tests/tax.yaml"],
    "approvals": [],
}
VERSION = {"number": 1, "files": FILES}


class _Administration(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = orjson.dumps({"data": {"draft": DRAFT, "drafts": [DRAFT], "version": VERSION, "workbook": ""}})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Administration) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/admin/graphql"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        ("latest", None),
        ("12", {"version": 12}),
        ("123456789012", {"draft": "123456789012"}),
        ("1a2b3c4d5e6f", {"draft": "1a2b3c4d5e6f"}),
        ("１２", {"draft": "１２"}),
    ],
)
def test_a_draft_whose_id_is_of_digits_is_no_version(policy: str, meant: object) -> None:
    assert reference(policy) == meant


def test_what_others_wrote_is_shown_and_steers_no_terminal(address: str) -> None:
    for arguments in (["show", "ab12"], ["drafts"]):
        said = CliRunner().invoke(app, ["policy", *arguments, "--url", address], color=True)
        assert said.exit_code == 0
        assert "a [/reason]" in said.output
        assert not any(part in said.output for part in ("\x1b[9A", "\x1b[J", "\u202e"))
    assert "opens nothing [/bold]" in CliRunner().invoke(app, ["policy", "show", "ab12", "--url", address]).output


def test_chinese_text_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("一　览", ("机构",), [("税务　局",)])
    assert "税务　局" in capsys.readouterr().out


def test_pull_names_the_files_that_were_there_and_are_not_the_policys(address: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/court.yaml").write_text("rules: []\n")
    said = CliRunner().invoke(app, ["policy", "pull", str(tmp_path), "--url", address])
    assert said.exit_code == 0
    assert "rules/court.yaml" in said.output
    again = CliRunner().invoke(app, ["policy", "pull", str(tmp_path / "new"), "--url", address])
    assert "also" not in again.output


def test_files_that_cannot_be_used_are_named_with_the_reason(address: str, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "file"
    for arguments in (
        ["restore", str(missing), str(tmp_path / "store")],
        ["backup", str(tmp_path / "store"), str(missing)],
        ["export", str(missing), "--url", address],
    ):
        said = CliRunner().invoke(app, ["policy", *arguments])
        assert said.exit_code == 2
        assert f"{missing} cannot be read or written: No such file or directory" in said.output
    (tmp_path / "taken").write_text("")
    said = CliRunner().invoke(app, ["policy", "pull", str(tmp_path / "taken"), "--url", address])
    assert said.exit_code == 2
