"""The conformance suite over each shipped manifest, against its live agency."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from connectors.conformance import Result, Verdict, conform
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

SHAPES: Final = record_shapes(catalogue())
MANIFESTS: Final = {
    path.stem: load_manifest(path, SHAPES)
    for path in sorted((Path(__file__).parents[2] / "connectors/agencies").glob("*.yaml"))
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def verdicts(nation: Nation, population: Population) -> Mapping[str, list[Verdict]]:
    """What the suite says of each dataset, by manifest. All of them at once: each waits for nearly all of its time."""
    codes = [CreditCode.parse(nation.showcase["everything"]), *map(CreditCode.parse, nation.codes[30:33])]
    known = population.showcase["everything"]
    number = LegacyId.parse(LegacyIdKind.REGISTRATION_NUMBER, known.registration_number)
    keys = [*codes, number, SearchName.parse(known.name)]
    settings = SupplySettings(nation.environment, reach=LOOPBACK)
    alone = [
        (name, manifest.model_copy(update={"datasets": (dataset,)}))
        for name, manifest in MANIFESTS.items()
        for dataset in manifest.datasets
    ]
    found = await asyncio.gather(*(conform(manifest, SHAPES, settings, keys) for _, manifest in alone))
    by_manifest = defaultdict(list)
    for (name, _), of_dataset in zip(alone, found, strict=True):
        by_manifest[name] += of_dataset
    return by_manifest


@pytest.mark.parametrize("name", MANIFESTS)
async def test_a_shipped_manifest_conforms(verdicts: Mapping[str, list[Verdict]], name: str) -> None:
    found = verdicts[name]
    assert {verdict.dataset.partition("/")[2] for verdict in found} >= {
        dataset.record for dataset in MANIFESTS[name].datasets
    }
    # Each was seen to have records of somebody: otherwise nothing else would be seen.
    assert {verdict.result for verdict in found if verdict.case == "answers"} == {Result.PASS}
    assert [verdict for verdict in found if verdict.result is Result.FAIL] == []
