from __future__ import annotations

import re
from importlib import import_module, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["gateway", "connectors", "policies", "schema"]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_imported_from_this_repository(name: str) -> None:
    origin = import_module(name).__file__
    assert origin is not None
    assert Path(origin) == ROOT / name / "__init__.py"


def test_no_folder_of_tests_is_a_package() -> None:
    # Under pytest a tests/gateway package would shadow the real one.
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_other_casbin_is_installed_beside_pycasbin() -> None:
    installed = {distribution.name.lower() for distribution in metadata.distributions()}
    assert "pycasbin" in installed
    assert "casbin" not in installed


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w./]+)`", (ROOT / "SECURITY.md").read_text()))
    assert len(named) > 30
    assert {path for path in named if not (ROOT / path).exists()} == set()
