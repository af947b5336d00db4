"""What is locked: its licences are free, and its audit tells what was found from what could not be looked up."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TODAY = dt.date(2026, 11, 27)
LATER = dt.date(2026, 12, 27)

# --- Licences ---------------------------------------------------------------------------------------------------------

FREE = frozenset(
    """MIT, MIT-0, MIT License, ISC, ISC License (ISCL), PSF-2.0, PSFL, Python Software Foundation License,
    BSD-2-Clause, BSD-3-Clause, BSD License, 3-Clause BSD License, Apache-2.0, Apache Software License, UPL-1.0,
    EPL-2.0, MPL-2.0, Mozilla Public License 2.0 (MPL 2.0), GNU Lesser General Public License v2 or later (LGPLv2+),
    GNU LESSER GENERAL PUBLIC LICENSE""".replace("\n    ", " ").split(", ")
)
"""The names of licences approved by the OSI that leave what uses a library under its own, as packages write them."""

IN_A_FILE = {"aiocache": "Redistribution and use in source and binary forms"}
"""Packages that state their licence in a file alone, with words of it."""


def locked() -> set[str]:
    return {_name(one) for one in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def licences(distribution: metadata.Distribution) -> set[str]:
    """What a package says of its licence: by its expression, or else its classifiers, or else its text."""
    told = distribution.metadata
    if expression := told.get("License-Expression"):
        return set(re.split(r" AND |[()]", expression)) - {""}
    classifiers = [one for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    named = {one.rpartition(" :: ")[2] for one in classifiers} - {"OSI Approved", "DFSG approved"}
    return named or {(told.get("License") or "").strip().partition("\n")[0]}


def is_free(licence: str) -> bool:
    """Of alternatives one is enough."""
    return any(one.strip() in FREE for one in licence.split(" OR "))


def test_every_locked_package_has_a_free_licence() -> None:
    installed = {_name(one.name): one for one in metadata.distributions()}
    found = {name: licences(installed[name]) for name in sorted(locked() & installed.keys() - IN_A_FILE.keys())}
    assert len(found) > 80
    assert {name: told for name, told in found.items() if not all(map(is_free, told))} == {}


@pytest.mark.parametrize("name", IN_A_FILE)
def test_a_licence_that_stands_in_a_file_alone_is_there(name: str) -> None:
    files = [file for file in metadata.files(name) or () if "LICENSE" in file.name]
    assert any(IN_A_FILE[name] in file.read_text() for file in files)


def test_a_licence_that_is_not_free_or_not_stated_is_seen() -> None:
    assert not is_free("")
    assert not is_free("Proprietary")
    assert not is_free("GPL-3.0-only OR AGPL-3.0-only")
    assert is_free("GPL-2.0-or-later OR EPL-2.0")


# --- Advisories -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_of_dependencies", ROOT / ".ci/audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CLEAN = {"dependencies": [{"name": "httpx", "version": "0.28.1", "vulns": []}]}
SKIPPED = {"name": "orjson", "skip_reason": "Dependency not found on PyPI and could not be audited"}
ADVISORY = {"id": "PYSEC-2026-1", "aliases": ["GHSA-1111-2222-3333"], "fix_versions": ["0.28.2"]}
VULNERABLE = {"dependencies": [{"name": "httpx", "version": "0.28.1", "vulns": [ADVISORY]}]}
EXCEPTION = {"id": "GHSA-1111-2222-3333", "package": "httpx", "reason": "Not reached.", "until": LATER}


@pytest.mark.parametrize(
    ("reports", "exceptions", "status", "said"),
    [
        ({"a": CLEAN}, [], 0, ""),
        ({"a": VULNERABLE}, [], 1, "httpx 0.28.1: PYSEC-2026-1, mended by 0.28.2"),
        ({"a": VULNERABLE}, [EXCEPTION], 0, ""),
        ({"a": VULNERABLE}, [{**EXCEPTION, "package": "orjson"}], 1, "PYSEC-2026-1"),
        ({"a": VULNERABLE}, [{**EXCEPTION, "until": TODAY}], 1, "ended on 2026-11-27"),
        ({"a": CLEAN}, [EXCEPTION], 1, "remove it"),
        ({"a": CLEAN, "b": VULNERABLE}, [EXCEPTION], 0, ""),
        ({"a": {"dependencies": [*CLEAN["dependencies"], SKIPPED]}}, [], 1, "orjson: could not be looked up"),
        ({"a": CLEAN, "b": None}, [], 1, "b: pip-audit gave no report"),
        ({"a": {"dependencies": [SKIPPED]}}, [EXCEPTION], 3, "NOT AUDITED"),
        ({"a": None}, [], 3, "NOT AUDITED"),
    ],
)
def test_what_was_found_excused_and_not_looked_up_are_told_apart(
    audit: ModuleType, reports: Any, exceptions: Any, status: int, said: str
) -> None:
    outcome = audit.judge(reports, exceptions, TODAY)
    assert outcome.status == status
    assert said in "\n".join(outcome.lines)
    assert bool(outcome.lines) is bool(said)


@pytest.mark.parametrize(
    ("printed", "strictly", "where_reachable"),
    [
        (json.dumps(CLEAN), 0, 0),
        (json.dumps(VULNERABLE), 1, 1),
        (json.dumps({"dependencies": [SKIPPED]}), 3, 0),
        ("Traceback", 3, 0),
    ],
    ids=["clean", "vulnerable", "everything skipped", "no report"],
)
def test_what_was_not_audited_fails_unless_that_is_allowed_and_is_said_either_way(  # noqa: PLR0913, PLR0917
    audit: ModuleType,
    printed: str,
    strictly: int,
    where_reachable: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n")
    tool.chmod(0o700)
    lock = str(ROOT / "requirements.lock")
    assert audit.main([lock, "--tool", str(tool)]) == strictly
    assert audit.main([lock, "--tool", str(tool), "--where-reachable"]) == where_reachable
    told = capsys.readouterr()
    assert told.err.count("NOT AUDITED") == (2 if strictly == 3 else 0)
    assert ("none with a known advisory" in told.out) is (strictly == 0)


@pytest.mark.parametrize("lacking", ["reason", "until", "package", "id"])
def test_an_exception_without_its_reason_or_its_end_is_no_exception(
    audit: ModuleType, lacking: str, tmp_path: Path
) -> None:
    file = tmp_path / "audit.toml"
    members = {"id": '"X-1"', "package": '"httpx"', "reason": '"Not reached."', "until": "2027-01-31"}
    file.write_text("[[exception]]\n" + "".join(f"{key} = {text}\n" for key, text in members.items()))
    assert len(audit.read_exceptions(file)) == 1
    file.write_text("[[exception]]\n" + "".join(f"{k} = {text}\n" for k, text in members.items() if k != lacking))
    with pytest.raises(ValueError, match="an exception has"):
        audit.read_exceptions(file)


def test_the_exceptions_that_stand_can_be_read(audit: ModuleType) -> None:
    audit.read_exceptions(ROOT / ".ci/audit.toml")
