"""Which manifests of a folder take the places of those before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ManifestInvalid
from connectors.folder import Folder, read_folder, stamps_of, succeed
from connectors.kinds.memory import MemoryManifest
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifest
from tests.connectors.support import SHAPES

TEXT = """
agency: {agency}
name: {{en: A, zh: 甲}}
kind: memory
datasets:
  - record: Penalty
    key: code
    missingMeans: none
    fields: {{facts: f}}
    rows: []
"""
AGENCIES = "abc"
FILES = tuple(Path(f"{name}.yaml") for name in "123")


def manifest(agency: str, version: int = 0) -> Manifest:
    data = {
        "agency": agency,
        "name": {"en": f"version {version}", "zh": "甲"},
        "kind": "memory",
        "datasets": [
            {"record": "Penalty", "key": "code", "missingMeans": "none", "fields": {"facts": "f"}, "rows": []}
        ],
    }
    return MemoryManifest.model_validate(data)


def test_a_file_that_is_as_it_was_is_not_read_again_and_a_broken_one_is(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(TEXT.format(agency="good"))
    bad.write_text(TEXT.format(agency="bad").replace("facts", "fcats"))
    first = read_folder(tmp_path, SHAPES, Folder())
    assert first.manifests == {good: load_manifest(good, SHAPES)}
    assert first.refused == {
        bad: ("line 9: datasets.0.fields.fcats: Penalty has no field 'fcats' (did you mean 'facts'?)",)
    }
    second = read_folder(tmp_path, SHAPES, first)
    assert second.manifests[good] is first.manifests[good]
    good.write_text(TEXT.format(agency="good") + "timeout: 3\n")
    third = read_folder(tmp_path, SHAPES, second)
    assert third.manifests[good].timeout == 3
    assert third.refused == first.refused


def test_a_folder_without_manifests_is_told_from_one_whose_manifests_are_gone(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="no manifest"):
        read_folder(tmp_path, SHAPES, Folder())


def test_what_is_hidden_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref")
    (tmp_path / ".a.yaml.swp").write_text("half")
    (tmp_path / "wsdl").mkdir()
    (tmp_path / "wsdl" / "a.wsdl").write_text("<x/>")
    assert list(stamps_of(tmp_path)) == [tmp_path / "wsdl" / "a.wsdl"]


def test_a_changed_file_keeps_its_agency_from_a_newcomer() -> None:
    before = {FILES[1]: manifest("a")}
    folder = Folder({FILES[0]: manifest("a", 1), FILES[1]: manifest("a", 2)})
    chosen, refused = succeed(folder, before, lambda _: True)
    assert chosen == {FILES[1]: manifest("a", 2)}
    assert refused == {FILES[0]: ("a second manifest of the agency 'a'",)}


def test_an_agency_may_move_to_another_file() -> None:
    chosen, refused = succeed(Folder({FILES[1]: manifest("a", 1)}), {FILES[0]: manifest("a")}, lambda _: True)
    assert (chosen, refused) == ({FILES[1]: manifest("a", 1)}, {})


found = st.dictionaries(st.sampled_from(FILES), st.sampled_from(AGENCIES) | st.none())
in_force = st.permutations(AGENCIES).flatmap(
    lambda agencies: st.integers(0, 3).map(lambda number: dict(zip(FILES[:number], agencies, strict=False)))
)


@given(found, in_force, st.sets(st.sampled_from(AGENCIES)))
def test_no_agency_twice_nothing_refused_in_force_and_no_agency_lost_by_a_mistake(found, in_force, unknown) -> None:
    """`None` is a broken file."""
    before = {path: manifest(agency) for path, agency in in_force.items()}
    good = {path: manifest(agency, 1) for path, agency in found.items() if agency}
    folder = Folder(good, {path: ("broken",) for path, agency in found.items() if agency is None})
    chosen, refused = succeed(folder, before, lambda agency: agency not in unknown)
    assert len({one.agency for one in chosen.values()}) == len(chosen)
    for path in found:
        new, old = good.get(path), before.get(path)
        if path not in refused:
            assert chosen[path] == new
        elif path in chosen:
            assert chosen[path] == old
        else:
            assert old is None or old.agency in {one.agency for one in chosen.values()}
    assert chosen.keys() <= found.keys()
    assert refused.keys() <= found.keys()
