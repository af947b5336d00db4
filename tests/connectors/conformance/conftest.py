from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.conformance import Verdict, conform
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from schema.credit_code import CreditCode
from tests.connectors.support import CODES, LOOPBACK, SHAPES

Conform = Callable[..., Awaitable[dict[str, Verdict]]]


@pytest.fixture
def conforming(tmp_path: Path) -> Conform:
    """Runs the suite over one manifest, written as YAML; gives the verdicts by case."""

    async def run(
        manifest: str, address: str, codes: Sequence[CreditCode] = CODES[:3], **options: Any
    ) -> dict[str, Verdict]:
        path = tmp_path / "manifest.yaml"
        path.write_text(dedent(manifest), encoding="utf-8")
        settings = SupplySettings({"ADDRESS": address, "SECRET": "a-secret"}, reach=LOOPBACK)
        verdicts = await conform(load_manifest(path, SHAPES), SHAPES, settings, codes, **options)
        return {verdict.case: verdict for verdict in verdicts}

    return run
