"""The documentation names everything that there is, and what it shows is good."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from connectors.manifest_file import load_manifest
from gateway.assembly import record_shapes
from gateway.settings import (
    PREFIX,
    CertificateSettings,
    ClaimSettings,
    ConsentIssuerSettings,
    IssuerSettings,
    Settings,
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
