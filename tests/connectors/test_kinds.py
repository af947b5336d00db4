"""Kinds that other packages add, found by real entry points of a package that is not one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.contract import Outcome
from connectors.errors import KindClash, ManifestInvalid
from connectors.kinds import SHIPPED, kinds
from connectors.manifest_file import manifest_json_schema
from tests.connectors.support import CODES, ask

PIGEON = Path("docs/kinds.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
"""What the documentation shows."""

MANIFEST = """
    agency: loft
    name: {en: Loft, zh: 鸽舍}
    kind: pigeon
    connection: {loft: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        bird: Homer
        fields: {facts: letter}
"""
MEMORY = """
    agency: classroom
    name: {en: Classroom, zh: 教室}
    kind: memory
    datasets:
      - record: Penalty
        key: code
        missingMeans: none
        rows: [{code: x, facts: y}]
        fields: {facts: facts}
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with entry points on the path, as an installer does."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(points: str, **modules: str) -> None:
        about = site / f"{next(iter(modules), 'nothing')}_kind-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about.name.split('-')[0]}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[xinqiao.kinds]\n{points}\n")
        for name, text in modules.items():
            (site / f"{name}.py").write_text(dedent(text))
        kinds.cache_clear()

    yield put
    kinds.cache_clear()


async def test_a_kind_of_another_package_is_read_checked_described_and_asked(install: Install, open_one: Any) -> None:
    install("pigeon = pigeon_post:KIND", pigeon_post=PIGEON)
    supply = await open_one(MANIFEST, "the tower")
    dataset = supply.datasets["loft/Penalty"]
    assert (dataset.batch, dataset.projection) == (10, False)
    answers = await ask(supply, CODES[:2])
    assert [answers[code].rows[0]["facts"] for code in CODES[:2]] == ["Homer from the tower"] * 2
    assert "pigeon" in manifest_json_schema()["discriminator"]["mapping"]
    with pytest.raises(ManifestInvalid, match=r"line 11: datasets.0.birds: unknown key 'birds' \(did you mean 'bird'"):
        await open_one(MANIFEST.replace("bird:", "birds:"), "the tower")


async def test_a_kind_that_cannot_be_loaded_is_named_where_it_is_used_and_takes_no_other_along(
    install: Install, open_one: Any
) -> None:
    install("pigeon = pigeon_ill:KIND\nowl = pigeon_ill:KIND", pigeon_ill="raise RuntimeError('no feathers')")
    with capture_logs() as logs, pytest.raises(ManifestInvalid) as refused:
        await open_one(MANIFEST, "the tower")
    said = str(refused.value)
    assert "line 4: kind: the entry point 'pigeon' (pigeon_ill:KIND) of pigeon_ill_kind cannot be loaded" in said
    assert "RuntimeError: no feathers" in said
    assert [(log["log_level"], log["kind"]) for log in logs] == [("warning", "pigeon"), ("warning", "owl")]
    assert set(kinds().broken) == {"pigeon", "owl"}
    assert kinds().usable.items() >= SHIPPED.items()
    assert (await ask(await open_one(MEMORY, ""), CODES[:1]))[CODES[0]].outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize(
    ("name", "module", "reason"),
    [
        ("pigeon_five", "KIND = 5", "TypeError: it is no SystemKind"),
        (
            "pigeon_dove",
            PIGEON.replace('Literal["pigeon"]', 'Literal["dove"]'),
            "ValueError: its manifest's kind is not Literal",
        ),
        ("pigeon_any", PIGEON.replace('Literal["pigeon"]', "str"), "ValueError: its manifest's kind is not Literal"),
    ],
)
def test_an_entry_point_must_be_a_kind_of_its_own_name(install: Install, name: str, module: str, reason: str) -> None:
    install(f"pigeon = {name}:KIND", **{name: module})
    assert reason in kinds().broken["pigeon"]


def test_no_package_can_put_itself_in_a_shipped_kinds_place(install: Install) -> None:
    install("sql = pigeon_thief:KIND", pigeon_thief=PIGEON)
    with pytest.raises(KindClash, match=r"'sql' \(pigeon_thief:KIND\) of pigeon_thief_kind: there is a kind 'sql'"):
        kinds()


def test_no_two_packages_can_have_one_kind(install: Install) -> None:
    install("pigeon = pigeon_one:KIND", pigeon_one=PIGEON)
    install("pigeon = pigeon_two:KIND", pigeon_two=PIGEON)
    with pytest.raises(KindClash, match="there is a kind 'pigeon' already"):
        kinds()
