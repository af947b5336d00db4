from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from benchmarks.load import companies
from benchmarks.peers import graph, install, subgraphs
from benchmarks.peers.serving import PeerFailedError, free_port, served
from benchmarks.upstream import MissingProgramError, rendered
from benchmarks.workload import AGENCIES


def test_what_the_subgraphs_answer_comes_together_to_what_a_peer_must_answer() -> None:
    (code,) = companies(first=7, count=1)
    together: dict[str, object] = {}
    for answer in subgraphs.answers():
        together |= json.loads(rendered(answer.each, code))
    assert together.pop("__typename") == "Enterprise"
    assert {"data": {"enterprises": [together]}} == graph.expected([code])


def test_the_subgraphs_have_every_field_that_a_peer_is_asked_for() -> None:
    types = [subgraphs.sdl(agency).split("\n", 1)[1] for agency in AGENCIES]
    merged = "\n".join([types[0], *(one.replace("type Enterprise", "extend type Enterprise") for one in types[1:])])
    merged = merged.replace(f'@key(fields: "{graph.CODE}") ', "")
    first, *others = merged.split(f"{graph.CODE}: String!")
    schema = build_schema(first + f"{graph.CODE}: String!" + "".join(others))
    assert validate(schema, parse(graph.query())) == []


def test_a_peer_that_ends_before_it_answers_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no port for me')"]
    with (
        pytest.raises(PeerFailedError, match="no port for me"),
        served(command, {}, port=free_port(), core=0, folder=tmp_path, headers={}),
    ):
        pass


def test_a_peers_server_gets_nothing_of_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_TARGET", "somewhere")
    command = [sys.executable, "-c", "import os; raise SystemExit(sorted(os.environ))"]
    with (
        pytest.raises(PeerFailedError) as failed,
        served(command, {"OWN": "1"}, port=free_port(), core=0, folder=tmp_path, headers={}),
    ):
        pass
    assert "OWN" in str(failed.value)
    assert "HIVE_TARGET" not in str(failed.value)


def test_without_npm_the_peers_from_it_are_said_to_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingProgramError, match="node is not installed"):
        install.node_modules()
