"""Calls that tell the agency for whom they are made, and what such calls are kept from sharing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Asker, FailureCode, FetchRequest, Outcome
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.manifest_file import load_manifest
from connectors.supply import AgencySupply
from tests.connectors import soap_support
from tests.connectors.redis_server import RedisServer
from tests.connectors.soap_support import replying
from tests.connectors.support import CODES, SHAPES, Agency, Asked

BANK = Asker("first-bank", "credit.underwriting", "r-1")
OTHER_BANK = Asker("second-bank", "credit.underwriting", "r-2")
FORWARD = "forward: {organisation: X-Org, purpose: X-Purpose, requestId: X-Request-Id}"


def manifest(forward: str = FORWARD, *, kept: int = 0, connection: str = "", kind: str = "rest") -> str:
    how = {
        "rest": "request: {path: /p, keys: {in: query, name: c, style: repeat}}",
        "graphql": 'query: {field: penalties, argument: codes, type: "[String!]!"}',
    }[kind]
    return f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: {kind}
    connection: {{url: "${{ADDRESS}}", {connection}}}
    {forward}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        timeToLive: {kept}
        shared: true
        {how}
        fields: {{facts: f}}
    """


async def fetch(supply: AgencySupply, asker: Asker | None, number: int = 0) -> Any:
    deadline = asyncio.get_running_loop().time() + 20
    codes = (CODES[number],)
    request = FetchRequest("court/Penalty", codes, frozenset({"facts"}), {}, "", deadline, asker)
    return (await supply.fetch(request))[CODES[number]]


def answering(agency: Agency) -> Agency:
    """An agency that tells each organisation something of its own."""

    async def answer(asked: Asked) -> Any:
        rows = [{"code": code, "f": f"for {asked.headers.get('x-org')}"} for code in CODES[:2]]
        return {"data": {"penalties": rows}} if asked.method == "POST" else rows

    agency.answer = answer
    return agency


@pytest.mark.parametrize("kind", ["rest", "graphql"])
@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_each_call_tells_for_whom_it_is_made(agency: Agency, open_one: Any, kind: str, lane: str) -> None:
    supply = await open_one(manifest(kind=kind, connection=f"lane: {lane}"), answering(agency).address)
    await fetch(supply, BANK)
    await fetch(supply, Asker("100% 银行\r\n", None, "r-3"))
    named = [
        {name: asked.headers.get(name) for name in ("x-org", "x-purpose", "x-request-id")} for asked in agency.asked
    ]
    assert named == [
        {"x-org": "first-bank", "x-purpose": "credit.underwriting", "x-request-id": "r-1"},
        {"x-org": "100%25%20%E9%93%B6%E8%A1%8C%0D%0A", "x-purpose": None, "x-request-id": "r-3"},
    ]


async def test_calls_by_soap_tell_it_in_their_http_headers(agency: Agency, open_soap: Any) -> None:
    replying(agency, soap_support.answered(soap_support.penalty(CODES[0]), around=""))
    manifest = soap_support.SINGLE.replace("    timeout:", f"    {FORWARD}\n    timeout:")
    supply = await open_soap(manifest.replace("documentNumber: number", "facts: number"))
    assert (await fetch(supply, BANK)).rows[0]["facts"] == "浙罚1"
    [asked] = agency.asked
    assert asked.headers["soapaction"]
    assert [asked.headers[name] for name in ("x-org", "x-purpose", "x-request-id")] == [
        "first-bank",
        "credit.underwriting",
        "r-1",
    ]


async def test_soap_has_headers_that_are_its_own(open_soap: Any) -> None:
    forward = "    forward: {requestId: SOAPAction}\n    timeout:"
    with pytest.raises(ManifestInvalid, match="WSDL"):
        await open_soap(soap_support.SINGLE.replace("    timeout:", forward))


async def test_without_it_nothing_is_told_and_calls_are_shared(agency: Agency, open_one: Any) -> None:
    supply = await open_one(manifest(""), answering(agency).address)
    await asyncio.gather(fetch(supply, BANK), fetch(supply, OTHER_BANK, 1))
    assert len(agency.asked) == 1
    assert not any(BANK.organisation in value for value in agency.asked[0].headers.values())


@pytest.mark.parametrize("forward", [FORWARD, "forward: {requestId: X-Request-Id}"])
async def test_concurrent_requests_call_by_themselves(agency: Agency, open_one: Any, forward: str) -> None:
    supply = await open_one(manifest(forward), answering(agency).address)
    await asyncio.gather(*(fetch(supply, asker, number) for asker in (BANK, OTHER_BANK) for number in (0, 1)))
    assert sorted(asked.headers["x-request-id"] for asked in agency.asked) == ["r-1", "r-1", "r-2", "r-2"]


@pytest.mark.parametrize("forward", [FORWARD, "forward: {organisation: X-Org}"])
async def test_kept_rows_serve_the_organisation_and_purpose_that_they_were_told_to(
    agency: Agency, open_one: Any, forward: str
) -> None:
    """Even where the manifest shares them."""
    supply = await open_one(manifest(forward, kept=60), answering(agency).address)
    review = Asker("first-bank", "credit.review", "r-4")
    facts = [(await fetch(supply, asker)).rows[0]["facts"] for asker in (BANK, OTHER_BANK, review, BANK)]
    assert facts == ["for first-bank", "for second-bank", "for first-bank", "for first-bank"]
    assert len(agency.asked) == 3


async def test_organisations_do_not_wait_for_each_others_calls(agency: Agency, open_one: Any) -> None:
    supply = await open_one(manifest(kept=60), answering(agency).address)
    rows = await asyncio.gather(fetch(supply, BANK), fetch(supply, OTHER_BANK))
    assert [one.rows[0]["facts"] for one in rows] == ["for first-bank", "for second-bank"]


async def test_nor_at_the_second_level(agency: Agency, open_one: Any, redis: RedisServer) -> None:
    answering(agency)
    for number, asker in enumerate((BANK, OTHER_BANK), 1):
        supply = await open_one(manifest(kept=60), agency.address, second_level=redis.level())
        assert (await fetch(supply, asker)).rows[0]["facts"] == f"for {asker.organisation}"
        await redis.holds(number)
    again = await open_one(manifest(kept=60), agency.address, second_level=redis.level())
    assert (await fetch(again, BANK)).rows[0]["facts"] == "for first-bank"
    assert len(agency.asked) == 2


async def test_an_agency_that_wants_to_know_is_not_asked_for_nobody(agency: Agency, open_one: Any) -> None:
    rows = await fetch(await open_one(manifest(), answering(agency).address), None)
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert agency.asked == []


@pytest.mark.parametrize(
    "connection",
    ['headers: {x-org: "${SECRET}"}', 'auth: {scheme: apiKey, name: x-ORG, value: "${SECRET}"}'],
)
async def test_a_header_that_is_set_already_stops_the_start(open_one: Any, connection: str) -> None:
    with pytest.raises(ConnectionNotConfigured, match="forward"):
        await open_one(manifest(connection=connection), "http://127.0.0.1:1")


@pytest.mark.parametrize("header", ["Host", "content-length", '"X: y"', '"X\\r\\n"'])
async def test_a_header_that_is_the_calls_own_stops_the_start(open_one: Any, header: str) -> None:
    with pytest.raises(ConnectionNotConfigured, match="forward"):
        await open_one(manifest(f"forward: {{organisation: {header}}}"), "http://127.0.0.1:1")


def test_a_kind_without_headers_cannot_forward(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(
        f"""
agency: court
name: {{en: Court, zh: 法院}}
kind: file
connection: {{path: "${{A}}"}}
{FORWARD}
datasets: [{{record: Penalty, file: a.csv, key: c, missingMeans: none, fields: {{facts: f}}}}]
"""
    )
    with pytest.raises(ManifestInvalid, match="no headers"):
        load_manifest(file, SHAPES)
    file.write_text(file.read_text().replace(FORWARD, ""))
    load_manifest(file, SHAPES)
