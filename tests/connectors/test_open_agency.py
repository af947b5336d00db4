"""An agency that is opened again, while it may still be asked as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.cache import RowCache
from connectors.contract import FailureCode
from connectors.manifest_file import load_manifest
from connectors.open_agency import OpenAgency, Origin, open_agency, origin_of
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply
from tests.connectors.support import CODES, LOOPBACK, SHAPES, Agency, Asked, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    concurrency: 1
    datasets:
      - record: Penalty
        request: {path: "/first/{key}"}
        fields: {facts: f}
"""


@pytest.fixture
def settings(agency: Agency) -> SupplySettings:
    return SupplySettings(
        {"ADDRESS": agency.address, "ELSEWHERE": f"{agency.address}/moved", "CA": "elsewhere/ca.pem"}, reach=LOOPBACK
    )


@pytest.fixture
def origin(tmp_path: Path, settings: SupplySettings) -> Callable[[str], Origin]:
    def of(text: str) -> Origin:
        path = tmp_path / "court.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return origin_of(load_manifest(path, SHAPES), SHAPES, settings)

    return of


@pytest.fixture
async def opened() -> AsyncIterator[list[OpenAgency]]:
    agencies: list[OpenAgency] = []
    yield agencies
    for one in agencies:
        await one.close()


async def under_way_at_most(agency: Agency, supplies: list[AgencySupply]) -> int:
    """How many calls were under way at once when each of these was asked."""
    gate = asyncio.Event()

    async def answer(_: Asked) -> Any:
        await gate.wait()
        return [{"f": "x"}]

    agency.answer = answer
    asking = [asyncio.create_task(ask(supply, CODES[:1])) for supply in supplies]
    async with asyncio.timeout(20):
        while not agency.under_way:  # noqa: ASYNC110  (the agency tells nobody)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    gate.set()
    await asyncio.gather(*asking)
    return agency.most_under_way


async def test_calls_of_before_and_after_a_change_are_bounded_together(
    agency: Agency, settings: SupplySettings, origin: Callable[[str], Origin], opened: list[OpenAgency]
) -> None:
    opened.append(await open_agency(origin(MANIFEST), settings))
    opened.append(await open_agency(origin(MANIFEST.replace("first", "second")), settings, opened[0].bounds))
    supplies = [AgencySupply([one], RowCache(10)) for one in opened]
    assert await under_way_at_most(agency, supplies) == 1
    assert {asked.path.split("/")[1] for asked in agency.asked} == {"first", "second"}


async def test_a_changed_bound_holds_at_once(
    agency: Agency, settings: SupplySettings, origin: Callable[[str], Origin], opened: list[OpenAgency]
) -> None:
    opened.append(await open_agency(origin(MANIFEST), settings))
    opened.append(
        await open_agency(origin(MANIFEST.replace("concurrency: 1", "concurrency: 2")), settings, opened[0].bounds)
    )
    first, second = AgencySupply(opened[:1], RowCache(10)), AgencySupply(opened[1:], RowCache(10))
    assert await under_way_at_most(agency, [second, first, second]) == 1
    opened[1].bind()
    assert await under_way_at_most(agency, [second, first, second]) == 2


PAUSED = b"HTTP/1.1 429 X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("changed", "elsewhere"), [("timeout: 9", False), ("hedgeAfter: 1", False), ("", True)])
@pytest.mark.parametrize(
    ("reply", "failure"),
    [((500, {}), FailureCode.AGENCY_UNAVAILABLE), (PAUSED, FailureCode.AGENCY_OVERLOADED)],
)
async def test_how_an_agency_fared_is_known_after_a_change_unless_it_has_another_address(  # noqa: PLR0913, PLR0917  (a table's columns, and fixtures)
    agency: Agency,
    settings: SupplySettings,
    origin: Callable[[str], Origin],
    opened: list[OpenAgency],
    changed: str,
    elsewhere: bool,  # noqa: FBT001
    reply: Any,
    failure: FailureCode,
) -> None:
    async def answer(_: Asked) -> Any:
        return replies.pop(0) if replies else [{"f": "x"}]

    replies, agency.answer = [reply], answer
    text = MANIFEST + "    breaker: {failures: 1, seconds: 60}\n    retries: {most: 0}\n    "
    opened.append(await open_agency(origin(text), settings))
    before = AgencySupply(opened, RowCache(10))
    await ask(before, CODES[:1])
    moved = text.replace("${ADDRESS}", "${ELSEWHERE}") if elsewhere else text + changed
    opened.append(await open_agency(origin(moved), settings, opened[0].bounds))
    opened[1].bind()
    (told,) = (await ask(AgencySupply(opened[1:], RowCache(10)), CODES[:1])).values()
    assert (told.failure, len(agency.asked)) == ((None, 2) if elsewhere else (failure, 1))


def test_the_same_manifest_is_the_same_origin_and_another_secret_is_not(
    settings: SupplySettings, origin: Callable[[str], Origin], tmp_path: Path
) -> None:
    origin(MANIFEST)
    manifest = load_manifest(tmp_path / "court.yaml", SHAPES)
    elsewhere = replace(settings, environment={**settings.environment, "ADDRESS": "https://elsewhere.example"})
    assert origin(MANIFEST) == origin("# A remark.\n" + dedent(MANIFEST))
    assert origin_of(manifest, SHAPES, elsewhere) != origin_of(manifest, SHAPES, settings)


@pytest.mark.parametrize("file", ["elsewhere/ca.pem", "wsdl/demo.xsd"])
def test_a_file_that_is_read_only_when_an_agency_is_opened_is_part_of_its_origin(
    origin: Callable[[str], Origin], tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for directory in ("elsewhere", "wsdl"):
        (tmp_path / directory).mkdir()
    (tmp_path / "wsdl/demo.wsdl").write_text("<definitions/>")
    text = """
        agency: court
        name: {en: Court, zh: 法院}
        kind: soap
        connection: {url: "${ADDRESS}", tls: {authority: "${CA}"}}
        datasets:
          - record: Penalty
            key: code
            request: {wsdl: {file: wsdl/demo.wsdl}, operation: Ask, keys: {name: code}}
            fields: {facts: f}
    """
    before = origin(text)
    assert origin(text) == before
    (tmp_path / file).write_text("new")
    assert origin(text) != before
