"""The conformance suite over each shipped manifest, against its live agency."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from connectors.conformance import Result, conform
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from gateway.demo.supervisor import Nation
from schema.credit_code import CreditCode
from schema.records import catalogue
from tests.connectors.support import LOOPBACK

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANIFESTS: Final = sorted((Path(__file__).parents[2] / "connectors/agencies").glob("*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
async def test_a_shipped_manifest_conforms(path: Path, nation: Nation) -> None:
    shapes = record_shapes(catalogue())
    codes = [CreditCode.parse(nation.showcase["everything"]), *map(CreditCode.parse, nation.codes[30:33])]
    verdicts = await conform(
        load_manifest(path, shapes), shapes, SupplySettings(nation.environment, reach=LOOPBACK), codes
    )
    assert verdicts
    assert [verdict for verdict in verdicts if verdict.result is Result.FAIL] == []
