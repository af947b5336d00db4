"""Whatever the suite says, it can say the contrary: each case fails on a system with the flaw that it looks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import CASES, Result, bad_days
from connectors.kinds import kinds
from tests.connectors.conformance.test_every_kind_conforms import (
    FILE,
    OF_DROPS,
    OF_HTTP,
    OF_SERVERS,
    REST_SINGLE,
    ROWS,
    SQL,
    court,
)
from tests.connectors.support import CODES, Agency

FLAWED = """
import asyncio
from collections.abc import Sequence
from typing import Literal

from connectors.contract import FailureCode, SourceAnswer
from connectors.errors import AgencyFailure
from connectors.kinds import SystemKind, Transport
from connectors.kinds import file, rest, sql
from connectors.manifest import DatasetManifest, Manifest, Part, Reference

ROWS = {rows!r}


class Connection(Part):
    flaw: Reference


class FlawedManifest(Manifest):
    kind: Literal["flawed"]
    connection: Connection
    datasets: tuple[DatasetManifest, ...]


class FlawedSource:
    def __init__(self, flaw):
        self._flaw = flaw

    async def fetch(self, call):
        flaw, keys = self._flaw, list(call.keys)
        if flaw == "down" or (flaw == "small batches" and len(keys) > 5):
            raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, "no", retryable=True)
        since = str(call.filters.get("decidedFrom", ""))
        if flaw == "ignores filters":
            since = ""
        if flaw == "filters too much" and since:
            since = "9"
        rows = [row for row in ROWS if row["code"].upper() in keys and row["day"] >= since]
        if flaw == "forgets in batches" and len(keys) > 1:
            rows = rows[:1]
        if flaw == "prefers the first":
            rows = [row for row in rows if row["code"].upper() == keys[0] or len(keys) == 1]
        if flaw == "answers for anybody" and not rows:
            rows = [dict(ROWS[0], code=key) for key in keys]
        if flaw == "mixes columns" and "wsh" not in call.columns:
            rows = [dict(row, day="2020-01-01") for row in rows]
        if flaw != "gives all":
            rows = [{{name: row[name] for name in call.columns}} for row in rows]
        return SourceAnswer(rows)

    async def close(self):
        pass


async def open_flawed(manifest, shapes, settings):
    return {{dataset.record: FlawedSource(manifest.connection.flaw) for dataset in manifest.datasets}}


FLAWED = SystemKind(FlawedManifest, projection=True, open_sources=open_flawed)


class Swallowing:
    '''Reads every failure as a clean record.'''

    def __init__(self, source):
        self._source = source
        self.close = source.close

    async def fetch(self, call):
        try:
            return await asyncio.wait_for(self._source.fetch(call), call.timeout / 2)
        except (AgencyFailure, TimeoutError):
            return SourceAnswer(())


class Sulking(Swallowing):
    '''Has failed once, and fails for good.'''

    failed = False

    async def fetch(self, call):
        try:
            if self.failed:
                raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, "no", retryable=True)
            return await self._source.fetch(call)
        except AgencyFailure:
            self.failed = True
            raise


class Hasty(Swallowing):
    '''Asks again at once, whatever the agency wants.'''

    async def fetch(self, call):
        try:
            return await self._source.fetch(call)
        except AgencyFailure:
            return await self._source.fetch(call)


class Stubborn(Swallowing):
    '''Takes every failure for one that says nothing of the agency's health.'''

    async def fetch(self, call):
        try:
            return await self._source.fetch(call)
        except AgencyFailure as failure:
            raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, str(failure), retryable=False) from None


class Doubling(Sulking):
    '''Has failed once, and asks everything twice.'''

    async def fetch(self, call):
        try:
            if self.failed:
                await self._source.fetch(call)
            return await self._source.fetch(call)
        except AgencyFailure:
            self.failed = True
            raise


def over(kind, base, wrapper, transport):
    class Over(base):
        kind: str

    Over.__annotations__["kind"] = Literal[kind]
    Over.model_fields["kind"].annotation = Literal[kind]
    Over.model_rebuild(force=True)

    async def open_sources(manifest, shapes, settings):
        module = {{Transport.HTTP: rest, Transport.TCP: sql, Transport.DROP: file}}[transport]
        return {{name: wrapper(one) for name, one in (await module.open_sources(manifest, shapes, settings)).items()}}

    return SystemKind(Over, projection=False, open_sources=open_sources, transport=transport)


SWALLOWREST = over("swallowrest", rest.RestManifest, Swallowing, Transport.HTTP)
SWALLOWSQL = over("swallowsql", sql.SqlManifest, Swallowing, Transport.TCP)
SWALLOWFILE = over("swallowfile", file.FileManifest, Swallowing, Transport.DROP)
SULK = over("sulk", rest.RestManifest, Sulking, Transport.HTTP)
HASTY = over("hasty", rest.RestManifest, Hasty, Transport.HTTP)
STUBBORN = over("stubborn", rest.RestManifest, Stubborn, Transport.HTTP)
DOUBLE = over("double", rest.RestManifest, Doubling, Transport.HTTP)
"""
MANIFEST = """
    agency: loft
    name: {en: Loft, zh: 鸽舍}
    kind: flawed
    connection: {flaw: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        filters: {decidedFrom: since}
        fields: {recordId: id, documentNumber: wsh, decidedOn: day, amount: je}
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path / "site"
    about = site / "flawed-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: flawed\nVersion: 1.0\n")
    names = ("flawed", "swallowrest", "swallowsql", "swallowfile", "sulk", "hasty", "stubborn", "double")
    points = "".join(f"{name} = flawed_kinds:{name.upper()}\n" for name in names)
    (about / "entry_points.txt").write_text(f"[xinqiao.kinds]\n{points}")
    plain = [{**row, "code": str(row["code"])} for row in ROWS]
    (site / "flawed_kinds.py").write_text(FLAWED.format(rows=plain))
    monkeypatch.syspath_prepend(str(site))
    kinds.cache_clear()
    yield
    kinds.cache_clear()


async def failed(conforming: Any, manifest: str, address: str, **options: Any) -> dict[str, str]:
    verdicts = await conforming(manifest, address, **options)
    return {name: verdict.reason for name, verdict in verdicts.items() if verdict.result is Result.FAIL}


@pytest.mark.parametrize(
    ("flaw", "case", "reason"),
    [
        ("down", "answers", "company 1 of 3: AGENCY_OVERLOADED"),
        ("forgets in batches", "batch-equals-singles", "company 1 of 5, in a batch: 1 rows instead of 3"),
        ("prefers the first", "order-does-not-matter", "in another order: 0 rows instead of"),
        ("answers for anybody", "unknown-gives-nothing", "an unknown company has 1 rows"),
        ("small batches", "full-batch", "in a call for 10: FAILED (AGENCY_OVERLOADED) instead of ANSWERED"),
        ("mixes columns", "columns-stand-alone", "a column has other values without the others"),
        ("gives all", "no-more-leaves", "the system gave more columns than were asked for"),
        ("ignores filters", "filters-narrow", "decidedFrom: a record came that it should leave out"),
        ("filters too much", "filters-narrow", "decidedFrom: a record is missing that it should keep"),
    ],
)
async def test_a_flaw_is_found_by_the_case_that_looks_for_it(
    conforming: Any, flaw: str, case: str, reason: str
) -> None:
    found = await failed(conforming, MANIFEST, flaw)
    assert reason in found[case]


async def test_nothing_is_found_where_there_is_no_flaw(conforming: Any) -> None:
    assert await failed(conforming, MANIFEST, "none at all") == {}


async def test_an_outage_read_as_a_clean_record_fails_every_case_of_a_bad_day_by_http(
    agency: Agency, conforming: Any
) -> None:
    agency.answer = court
    found = await failed(conforming, REST_SINGLE.replace("kind: rest", "kind: swallowrest"), agency.address)
    assert found.keys() == OF_HTTP
    assert found.pop("asked-later") == "the system is back: 0 rows instead of 3"
    assert set(found.values()) == {"it passes for ANSWERED, with 0 rows"}


@pytest.mark.parametrize(
    ("kind", "case", "reason"),
    [
        ("hasty", "asked-later", "it was asked again before it wanted to be"),
        ("stubborn", "left-alone", "AGENCY_BAD_RESPONSE instead of AGENCY_UNAVAILABLE"),
        ("double", "tried-by-one", "another call was sent while one tried"),
    ],
)
async def test_an_agency_that_is_pressed_is_found(
    agency: Agency, conforming: Any, kind: str, case: str, reason: str
) -> None:
    agency.answer = court
    manifest = REST_SINGLE.replace("kind: rest", f"kind: {kind}")
    assert await failed(conforming, manifest, agency.address, only={case}) == {case: reason}


async def test_an_outage_read_as_a_clean_record_fails_every_case_of_a_bad_day_of_a_database(
    sql_database: Any, conforming: Any
) -> None:
    address, run = sql_database
    if address.startswith("sqlite"):
        pytest.skip("a file has no bad days of a server")
    await run("CREATE TABLE t_penalty (code CHAR(20), id TEXT, number TEXT, decided DATE, facts TEXT)")
    await run(f"INSERT INTO t_penalty VALUES ('{CODES[0]}', '1', '浙罚1', '2026-01-05', 'x')")  # noqa: S608
    assert (await failed(conforming, SQL.replace("kind: sql", "kind: swallowsql"), address)).keys() == OF_SERVERS


@pytest.mark.usefixtures("indexed_here")
async def test_an_outage_read_as_a_clean_record_fails_the_cases_of_careless_drops(
    tmp_path: Path, conforming: Any
) -> None:
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / "penalties_1.csv").write_text(f"code,id,number,decided,facts\n{CODES[0]},1,x,2026-01-05,x\n")
    (drops / "penalties_1.csv.ok").touch()
    found = await failed(conforming, FILE.replace("kind: file", "kind: swallowfile"), str(drops))
    # In a good drop's place half of one does not count, whoever reads it.
    assert found.keys() == OF_DROPS - {"drop-replaced-by-half"}


async def test_a_system_that_never_comes_back_is_found(
    agency: Agency, conforming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_days, "RECOVERY_SECONDS", 0.3)
    agency.answer = court
    manifest = REST_SINGLE.replace("kind: rest", "kind: sulk")
    found = await failed(conforming, manifest, agency.address, only={"internal-error"})
    assert found == {"internal-error": "the system is back: FAILED (AGENCY_UNAVAILABLE) instead of ANSWERED"}


async def test_a_reason_holds_no_code_and_no_value(conforming: Any) -> None:
    for flaw in ("forgets in batches", "answers for anybody", "ignores filters"):
        said = " ".join((await failed(conforming, MANIFEST, flaw)).values())
        assert not any(value in said for row in ROWS for value in (row["code"], row["wsh"], row["day"]))


async def test_companies_without_records_are_told_to_show_nothing(conforming: Any) -> None:
    verdicts = await conforming(MANIFEST, "none", codes=CODES[5:6])
    assert verdicts["answers"].result is Result.SKIP
    assert "none of the companies has a record" in verdicts["answers"].reason


async def test_only_the_named_cases_run(conforming: Any) -> None:
    assert (await conforming(MANIFEST, "none", only={"answers"})).keys() == {"answers"}


def test_each_case_of_a_transport_has_a_name_of_its_own() -> None:
    names = [(case.transport, case.name) for case in CASES]
    assert len(set(names)) == len(names)
