"""Manifests with random mistakes: each is a manifest or a list of mistakes with their lines, never another exception,
and nothing of what they say is run.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, ManifestInvalid
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from gateway.assembly import record_shapes
from schema.records import catalogue
from tests.connectors.support import LOOPBACK

ROOT = Path(__file__).parents[2]
SHAPES = record_shapes(catalogue())
FILES = sorted((ROOT / "connectors/agencies").glob("*.yaml"))
TEXTS = [file.read_text(encoding="utf-8") for file in FILES]
DOCUMENTS = [yaml.safe_load(text) for text in TEXTS]

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

HOSTILE = [
    None,
    "",
    True,
    0,
    -1,
    10**30,
    1.5,
    float("inf"),
    [],
    {},
    [[]],
    {"": ""},
    "x" * 5_000,
    "${HOME}",
    "${A}${B}",
    "file:/etc/passwd",
    "../../../etc/passwd",
    "/etc/passwd",
    "http://169.254.169.254/",
    "{__class__}",
    "%s%n",
    "\x00",
    "\ud7ff\ufffe",
    "a.b[0].*.^..",
    "; DROP TABLE x",
    "*",
    "null",
]
values = st.sampled_from(HOSTILE) | st.text(max_size=8) | st.integers() | st.floats()


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every node."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@st.composite
def changed_documents(draw: st.DrawFn) -> str:
    """A good manifest with a few nodes that are others', gone, or under another key."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    other = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([path for path in places(document) if path]))
        around = document
        for key in path[:-1]:
            around = around[key]
        match draw(st.sampled_from(["put", "drop", "swap", "rename"])):
            case "put":
                around[path[-1]] = draw(values)
            case "drop":
                del around[path[-1]]
            case "swap":
                found = other
                for key in draw(st.sampled_from(list(places(other)))):
                    found = found[key]
                around[path[-1]] = copy.deepcopy(found)
            case _ if isinstance(around, dict):
                around[draw(st.text(max_size=6))] = around.pop(path[-1])
    return yaml.safe_dump(document, allow_unicode=True)


PIECES = [
    "!!python/object/apply:os.system [x]",
    "&a",
    "*a",
    "<<: *a",
    "? ",
    "- ",
    "|",
    ">",
    "%TAG ! x",
    "---",
    "...",
    "\t",
    "!!binary x",
]


@st.composite
def changed_texts(draw: st.DrawFn) -> str:
    """The text of a good manifest with a few lines gone, repeated, put elsewhere, or with something in them."""
    lines = draw(st.sampled_from(TEXTS)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "repeat", "move", "cut", "put"])):
            case "drop" if len(lines) > 1:
                del lines[place]
            case "repeat":
                lines.insert(place, lines[place])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "cut":
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
            case _:
                at = draw(st.integers(0, len(lines[place])))
                piece = draw(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
                lines[place] = lines[place][:at] + piece + lines[place][at:]
    return "\n".join(lines)


def loaded(path: Path, content: bytes) -> Any:
    """The manifest, or the mistakes that it has, which are told with lines of the file."""
    path.write_bytes(content)
    try:
        return load_manifest(path, SHAPES)
    except ManifestInvalid as invalid:
        mistakes = invalid.findings
    most = content.count(b"\n") + content.count(b"\r") + 2
    assert mistakes
    assert all(1 <= mistake.line <= most and mistake.message for mistake in mistakes), mistakes
    return None


@many
@given(changed_documents() | changed_texts() | st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("a: &a [*a]")
@example("[" * 100_000)
@example("a: " * 50_000)
@example("{" * 3_000 + "}" * 3_000)
@example("- " * 2_000)
@example("!!python/object/apply:os.system ['touch ran']")
@example("agency: !!python/name:os.system\nkind: rest")
@example("? {a: b}\n: c")
@example("a: 2026-02-31\nb: 1e400\nc: 0x_\nd: 190:20:30:99999999")
def test_random_mistakes_are_told_as_mistakes(tmp_path: Path, text: str) -> None:
    loaded(tmp_path / "x.yaml", text.encode())


@many
@given(
    st.binary(max_size=200)
    | st.builds(lambda text, cut: text.encode()[cut:], st.sampled_from(TEXTS), st.integers(0, 300))
)
def test_random_bytes_are_told_as_mistakes(tmp_path: Path, content: bytes) -> None:
    loaded(tmp_path / "x.yaml", content)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changed_documents())
async def test_what_is_still_a_manifest_opens_or_says_why_not(tmp_path: Path, text: str) -> None:
    manifest = loaded(tmp_path / "x.yaml", text.encode())
    if manifest is None:
        return
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    environment = {f"{name}_URL": "http://127.0.0.1:9" for name in names} | {"CUSTOMS_DROP": str(tmp_path)}
    environment["REGISTRY_URL"] = f"sqlite:///{tmp_path}/registry.db"
    try:
        supply = await open_supply([manifest], SHAPES, SupplySettings(environment=environment, reach=LOOPBACK))
    except ConnectorError:
        return
    await supply.close()


RUNNING = [
    "!!python/object/apply:os.system ['touch ran']",
    "!!python/object/new:os.system ['touch ran']",
    "!!python/object/apply:subprocess.run [[touch, ran]]",
    "!!python/module:this",
    "!!python/name:os.system",
    "!!js/function 'function(){}'",
    "!include /etc/passwd",
    "!ENV ${HOME}",
]


@pytest.mark.parametrize("tagged", RUNNING)
@pytest.mark.parametrize(
    "place", ["agency: {}", "kind: {}", "{}", "name: {{en: {}, zh: x}}", "connection: {{url: {}}}"]
)
def test_no_tag_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagged: str, place: str) -> None:
    called: list[Any] = []
    monkeypatch.setattr(os, "system", called.append)
    monkeypatch.chdir(tmp_path)
    assert loaded(tmp_path / "x.yaml", place.format(tagged).encode()) is None
    assert called == []
    assert [file.name for file in tmp_path.iterdir()] == ["x.yaml"]
