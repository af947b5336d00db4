"""Of each dataset the log tells about which companies it was asked, neither more nor less, and so whose use it was."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Coverage, FailureCode
from gateway.agencies.usage import read_usage
from gateway.audit.evidence import LogPlace
from tests.gateway.stages.conftest import (
    BEIJING,
    DATASETS,
    GUANGZHOU,
    HANGZHOU,
    NINGBO,
    REGULATOR,
    SHENZHEN,
    World,
    build_world,
)

CODES = [HANGZHOU, NINGBO, SHENZHEN, GUANGZHOU, BEIJING]
COVERED = {
    **DATASETS,
    **{
        f"{name}-penalties/Penalty": replace(
            DATASETS[f"{name}-penalties/Penalty"], coverage=Coverage(registered=True, divisions=frozenset({division}))
        )
        for name, division in (("zhejiang", "33"), ("guangdong", "44"))
    },
}
PARTS = (
    "penalties { status }",
    "taxArrears { status }",
    "taxCredits { records { recordId } }",
    "judgmentDefaults { status }",
    "shareholders { records { holder { penalties { status } judgmentDefaults { status } } } }",
    "registration { status record { employees { value } } }",
)


def asked_of(world: World) -> Mapping[str, set[str]]:
    """About which companies each dataset was asked."""
    asked: defaultdict[str, set[str]] = defaultdict(set)
    for request in world.supply.requests:
        asked[request.dataset].update(request.codes)
    return asked


@settings(max_examples=40, deadline=None)
@given(
    codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=4),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, unique=True),
    holders=st.dictionaries(st.sampled_from(CODES), st.sampled_from(CODES)),
    failing=st.sets(st.sampled_from(sorted(DATASETS)), max_size=1),
    regulator=st.booleans(),
)
def test_the_companies_that_a_dataset_was_asked_about_are_recorded(
    codes: list[str],
    parts: list[str],
    holders: Mapping[str, str],
    failing: set[str],
    regulator: bool,  # noqa: FBT001 - drawn
) -> None:
    rows = {("registry/Shareholder", code): ({"recordId": "s", "holder": held},) for code, held in holders.items()}
    world = build_world(rows, COVERED, failing=dict.fromkeys(failing, FailureCode.AGENCY_TIMEOUT))
    caller = {"principal": REGULATOR, "purpose": "supervision.inspection"} if regulator else {"purpose": "credit"}
    query = f"query ($codes: [CreditCode!]!) {{ enterprises(codes: $codes) {{ {' '.join(parts)} }} }}"
    answer = asyncio.run(world.ask(query, codes=codes, **caller))
    assert "data" in answer, answer
    (record,) = world.audit.lines
    recorded = {
        outcome["dataset"]: set(record.get("asked", {}).get(outcome["dataset"], record["companies"]))
        for outcome in record["agencies"]
        if outcome["status"] not in {"WITHHELD", "NOT_ASKED"}
    }
    assert recorded == asked_of(world)


def usage(tmp_path: Path, lines: Collection[Any], agency: str) -> Any:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    return read_usage(LogPlace(log), {agency}, since, companies=True)


async def test_an_agency_is_told_of_the_companies_that_it_was_asked_about_alone(tmp_path: Path) -> None:
    world = build_world({}, COVERED)
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { penalties { status } } }"
    await world.ask(query, purpose="credit", codes=[HANGZHOU, SHENZHEN, NINGBO])
    await world.ask(query, purpose="credit", codes=[HANGZHOU])
    await world.ask(query, purpose="credit", codes=[GUANGZHOU])
    (zhejiang,) = usage(tmp_path, world.audit.lines, "zhejiang-penalties")
    assert (zhejiang.requests, zhejiang.answers, zhejiang.companies) == (2, 3, tuple(sorted([HANGZHOU, NINGBO])))
    (guangdong,) = usage(tmp_path, world.audit.lines, "guangdong-penalties")
    assert (guangdong.requests, guangdong.companies) == (2, tuple(sorted([SHENZHEN, GUANGZHOU])))


async def test_to_find_companies_is_use_as_well(tmp_path: Path) -> None:
    line = {
        "at": dt.datetime.now(dt.UTC),
        "organisation": "first-bank",
        "purpose": None,
        "outcome": "ANSWERED",
        "companies": [HANGZHOU],
        "agencies": [],
        "lookups": [
            {"key": "name", "agencies": [{"dataset": "registry/CompanySearch", "status": "ANSWERED"}]},
            {"key": "taxNumber", "agencies": [{"dataset": "registry/CompanyByTaxNumber", "status": "FAILED"}]},
            {"key": "taxNumber", "agencies": [{"dataset": "registry/CompanyByTaxNumber", "status": "UNKNOWN_COMPANY"}]},
        ],
    }
    told = {one.user.record: one for one in usage(tmp_path, [line, line], "registry")}
    assert told.keys() == {"EnterpriseMatch", "EnterpriseByLegacyId"}
    found, named = told["EnterpriseMatch"], told["EnterpriseByLegacyId"]
    assert (found.requests, found.answers, found.failed, found.companies) == (2, 2, 0, ())
    assert (named.requests, named.answers, named.failed) == (2, 4, 2)
