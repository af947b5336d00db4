"""The conformance suite over each shipped manifest, against its live agency."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from connectors.conformance import Result, conform
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from gateway.demo.nation import Population
from gateway.demo.supervisor import Nation
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from schema.credit_code import CreditCode
from schema.records import catalogue
from tests.connectors.support import LOOPBACK

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANIFESTS: Final = sorted((Path(__file__).parents[2] / "connectors/agencies").glob("*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
async def test_a_shipped_manifest_conforms(path: Path, nation: Nation, population: Population) -> None:
    shapes = record_shapes(catalogue())
    codes = [CreditCode.parse(nation.showcase["everything"]), *map(CreditCode.parse, nation.codes[30:33])]
    known = population.showcase["everything"]
    number = LegacyId.parse(LegacyIdKind.REGISTRATION_NUMBER, known.registration_number)
    keys = [*codes, number, SearchName.parse(known.name)]
    verdicts = await conform(
        load_manifest(path, shapes), shapes, SupplySettings(nation.environment, reach=LOOPBACK), keys
    )
    assert {verdict.dataset.partition("/")[2] for verdict in verdicts} >= {
        dataset.record for dataset in load_manifest(path, shapes).datasets
    }
    # Each was seen to have records of somebody: otherwise nothing else would be seen.
    assert {verdict.result for verdict in verdicts if verdict.case == "answers"} == {Result.PASS}
    assert [verdict for verdict in verdicts if verdict.result is Result.FAIL] == []
