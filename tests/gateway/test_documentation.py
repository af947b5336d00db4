"""The documentation names everything that there is, and what it shows is good."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import BaseModel
from typer.core import TyperGroup

from connectors.manifest_file import load_manifest
from gateway.assembly import record_shapes
from gateway.cli import app
from gateway.settings import (
    PREFIX,
    CertificateSettings,
    ClaimSettings,
    ConsentIssuerSettings,
    IssuerSettings,
    Settings,
    load_settings,
)
from schema.records import catalogue

ROOT = Path(__file__).parents[2]


def variables(model: type[BaseModel], prefix: str) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        names += variables(field.annotation, f"{prefix}{name.upper()}__") if nested else [prefix + name.upper()]
    return names


def test_every_setting_is_in_the_documentation() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    groups = (IssuerSettings, ClaimSettings, CertificateSettings, ConsentIssuerSettings)
    keys = [name for group in groups for name in group.model_fields]
    assert [name for name in [*variables(Settings, PREFIX), *keys] if f"`{name}`" not in text] == []


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs/dependencies.md").read_text().lower()
    lines = (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]\n")[0].splitlines()
    names = [line.strip().strip('",').split(">=")[0].split("[")[0] for line in lines if ">=" in line]
    assert len(names) > 15
    assert [name for name in names if name not in text] == []


PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
    for link in links:
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = ROOT / page if not file else (ROOT / page).parent / file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES)
def test_every_command_it_shows_there_is(page: str) -> None:
    shown = re.findall(
        r"(?:^|`|/bin/)xinqiao ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", (ROOT / page).read_text(), re.MULTILINE
    )
    root = typer.main.get_command(app)
    for words in shown:
        first, _, second = words.partition(" ")
        command = root.get_command(None, first)
        assert command is not None, words
        if isinstance(command, TyperGroup) and second:
            assert second in command.list_commands(None), words


def test_the_settings_that_operations_begin_with_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (ROOT / "docs/operations.md").read_text().split("```toml\n")[1].split("```")[0]
    file = tmp_path / "settings.toml"
    file.write_text(text.replace('"..."', f'"{"0123456789abcdef" * 4}"'))
    monkeypatch.setenv("XINQIAO_SETTINGS", str(file))
    assert load_settings().workers > 1


def test_what_operations_quote_of_the_log_is_what_it_says() -> None:
    table = (ROOT / "docs/operations.md").read_text().split("## What to do at each alarm")[1]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|") and "log: `" in line]
    quoted = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell.split("log: ", 1)[1])]
    assert len(quoted) > 5
    code = "".join(path.read_text() for package in ("gateway", "connectors") for path in (ROOT / package).rglob("*.py"))
    whats = ("the cache's second level", "the store of quotas")
    told = [text for text in quoted if not any(text == f"{what} does not answer" for what in whats)]
    assert [text for text in told if f'"{text}"' not in code] == []
    assert [what for what in whats if f'"{what}"' not in code] == []


def yaml_blocks(path: Path) -> list[str]:
    return [block.split("```")[0] for block in path.read_text().split("```yaml\n")[1:]]


@pytest.mark.parametrize("document", ["README.md", "docs/manifest.md", "docs/agencies.md"])
def test_the_whole_manifests_it_shows_are_good(document: str, tmp_path: Path) -> None:
    whole = [block for block in yaml_blocks(ROOT / document) if block.startswith(("agency:", "# Batch"))]
    assert whole
    shutil.copytree(ROOT / "tests/connectors/wsdl", tmp_path, dirs_exist_ok=True)
    for number, block in enumerate(whole):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        assert load_manifest(file, record_shapes(catalogue())).agency == yaml.safe_load(block)["agency"]
