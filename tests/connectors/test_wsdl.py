"""WSDLs that a manifest names: copies, and what an agency gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.supply import AgencySupply
from connectors.wsdl import LocalDocuments
from tests.connectors.soap_support import (
    LAUGHS,
    SINGLE,
    WSDL,
    answered,
    http,
    penalty,
    replying,
)
from tests.connectors.support import CODES, Agency, Asked, ask

Open = Callable[..., Awaitable[AgencySupply]]


async def test_a_wsdl_is_read_beside_the_event_loop(open_soap: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[threading.Thread] = set()
    read = LocalDocuments.read

    def noted(documents: LocalDocuments, place: str) -> bytes:
        threads.add(threading.current_thread())
        return read(documents, place)

    monkeypatch.setattr(LocalDocuments, "read", noted)
    await open_soap(SINGLE)
    assert threads
    assert threading.main_thread() not in threads


REFUSED = {
    "no such operation": ("operation: QueryOne", "operation: QueryTwo", "has no operation 'QueryTwo'.*QueryPenalties"),
    "no such port": ("operation: QueryOne", "operation: QueryOne, port: Nowhere", "PenaltyService.Penalty12"),
    "no such element": ("name: creditCode", "name: kreditCode", "unexpected keyword argument 'kreditCode'"),
    "an element is missing": ("QueryOne, keys: {name: creditCode}", "QueryPenalties, keys: {name: source}", "codes"),
    "no such header": ("    timeout: 10\n", "      soapHeaders: {Who: x}\n    timeout: 10\n", "no header 'Who'"),
    "a header of another form": (
        "    timeout: 10\n",
        '      soapHeaders: {"{urn:x}a b": "${SECRET}"}\n    timeout: 10\n',
        "cannot be|headers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_the_wsdl_does_not_have_is_refused_at_the_start(open_soap: Open, name: str) -> None:
    old, new, message = REFUSED[name]
    assert old in SINGLE
    with pytest.raises(ConnectionNotConfigured, match=message) as refused:
        await open_soap(SINGLE.replace(old, new))
    assert str(refused.value).startswith("agency court: Penalty: penalties.wsdl: ")
    assert "a-secret" not in str(refused.value)


IMPORT = 'schemaLocation="types/query.xsd"'
BROKEN = {
    "no WSDL": ("<wsdl:definitions", "<definitions", "cannot be read"),
    "half a WSDL": ("</wsdl:definitions>", "", "cannot be read"),
    "a document type": ("<wsdl:definitions", '<!DOCTYPE d SYSTEM "ADDRESS/x.dtd"><wsdl:definitions', "document type"),
    "growing entities": ("<wsdl:definitions", f"{LAUGHS}<wsdl:definitions", "amplification"),
    "a schema elsewhere": (IMPORT, 'schemaLocation="ADDRESS/query.xsd"', "imports a document from elsewhere"),
    "a schema outside": (IMPORT, 'schemaLocation="../../query.xsd"', "imports a document from elsewhere"),
    "a file by address": (IMPORT, 'schemaLocation="file:///etc/passwd"', "imports a document from elsewhere"),
    "a schema that is missing": (IMPORT, 'schemaLocation="types/no.xsd"', r"no.xsd cannot be read \(FileNotFound"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_copy_that_is_broken_or_leads_elsewhere_is_refused_and_no_address_is_called(
    agency: Agency, open_soap: Open, tmp_path: Path, name: str
) -> None:
    replying(agency, "<x/>")
    old, new, message = BROKEN[name]
    text = (WSDL / "penalties.wsdl").read_text(encoding="utf-8")
    assert old in text
    broken = text.replace(old, new.replace("ADDRESS", agency.address))
    if name == "growing entities":
        broken = broken.replace('name="PenaltyService"', 'name="&x9;"', 1)
    (tmp_path / "penalties.wsdl").write_text(broken, encoding="utf-8")
    with pytest.raises(ConnectionNotConfigured, match=message):
        await open_soap(SINGLE)
    assert agency.asked == []


MISTAKES = {
    "no such file": ("wsdl: penalties.wsdl", "wsdl: penalty.wsdl", "no such file beside the manifest"),
    "two places": (
        "wsdl: penalties.wsdl",
        'wsdl: {file: penalties.wsdl, fetch: "?wsdl"}',
        "exactly one of file and fetch",
    ),
    "a batch by one key": (
        "        request:",
        "        key: k\n        batch: 2\n        missingMeans: none\n        request:",
        "style",
    ),
    "codes without a path": (
        "rows: penalty",
        "rows: penalty\n          unknown: {codes: [x]}",
        "needs response.envelope",
    ),
    "a header of the WSDL's": ("{Authorization:", "{soapAction:", "come from the WSDL"),
    "an open secret": (
        "    timeout: 10\n",
        "      security: {user: a, password: b}\n    timeout: 10\n",
        "not a reference",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
async def test_mistakes_of_a_manifest_are_named(open_soap: Open, name: str) -> None:
    old, new, message = MISTAKES[name]
    assert old in SINGLE
    with pytest.raises(ManifestInvalid, match=message):
        await open_soap(SINGLE.replace(old, new))


FETCHED = SINGLE.replace("wsdl: penalties.wsdl", 'wsdl: {fetch: "/penalty?wsdl"}')


@dataclass
class Publisher:
    """An agency that gives its WSDL and what that imports, but only to whom it knows; `wsdl` goes before its own."""

    address: str = ""
    wsdl: bytes | None = None
    given: list[str] = field(default_factory=list)

    async def answer(self, asked: Asked) -> bytes:
        if asked.method == "POST":
            return http(answered(penalty("a"), around=""))
        if asked.headers.get("authorization") != "Basic a-secret":
            return http("", 401)
        self.given.append("&".join(f"{name}={value}" for name, value in asked.query) or asked.path)
        if self.wsdl is not None:
            return self.wsdl
        if asked.path == "/services/penalty":
            text = (WSDL / "penalties.wsdl").read_text(encoding="utf-8")
            # One by its whole address, in other letters, one by a relative one.
            return http(
                text.replace("types/query.xsd", f"{self.address}/services/types/query.xsd".replace("http", "HTTP"))
            )
        return http((WSDL / "types" / Path(asked.path).name).read_bytes())


@pytest.fixture
def publisher(agency: Agency) -> Publisher:
    published = Publisher(agency.address)
    agency.answer = published.answer
    return published


async def test_a_wsdl_is_fetched_from_the_agency_with_its_headers(
    agency: Agency, open_soap: Open, publisher: Publisher
) -> None:
    supply = await open_soap(FETCHED)
    answers = await ask(supply, CODES[:3])
    assert {answer.outcome for answer in answers.values()} == {Outcome.ANSWERED}
    files = ["query.xsd", "common.xsd", "faults.xsd", "access.xsd"]
    assert sorted(publisher.given) == sorted(["wsdl=", *(f"/services/types/{name}" for name in files)])
    assert sum(asked.method == "POST" for asked in agency.asked) == 3


async def test_an_agency_that_does_not_give_its_wsdl_is_a_failure_and_is_asked_again_later(
    open_soap: Open, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.wsdl = http("", 503)
    supply = await open_soap(FETCHED)
    first = await ask(supply, CODES[:1])
    again = await ask(supply, CODES[:3])
    assert first[CODES[0]].failure is again[CODES[2]].failure is FailureCode.AGENCY_OVERLOADED
    assert len(publisher.given) == 1
    monkeypatch.setattr("connectors.soap_operation.RETRY_SECONDS", 0)
    publisher.wsdl = http("<html>no</html>")
    supply = await open_soap(FETCHED)
    with capture_logs() as logs:
        assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_BAD_RESPONSE
    assert publisher.address not in str(logs)
    publisher.wsdl = None
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED


async def test_a_silent_agency_does_not_keep_a_gateway_from_starting(agency: Agency, open_soap: Open) -> None:
    silence = asyncio.Event()

    async def answer(_: Asked) -> bytes:
        await silence.wait()
        return b""

    agency.answer = answer
    supply = await open_soap(FETCHED)
    assert (await ask(supply, CODES[:1], seconds=0.2))[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    before = asyncio.all_tasks()
    await supply.close()
    assert not {task for task in before if "read" in repr(task.get_coro()) and not task.done()}
    silence.set()


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:PORT/x.xsd", "file:///etc/passwd", "https://127.0.0.1:OWN/x.xsd", "//127.0.0.1:PORT/x"]
)
async def test_a_fetched_wsdl_cannot_lead_to_another_address(open_soap: Open, publisher: Publisher, place: str) -> None:
    calls: list[bytes] = []

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.read(10))
        writer.close()

    async with await asyncio.start_server(called, "127.0.0.1", 0) as other:
        port = str(other.sockets[0].getsockname()[1])
        place = place.replace("PORT", port).replace("OWN", publisher.address.rpartition(":")[2])
        text = (WSDL / "penalties.wsdl").read_text(encoding="utf-8")
        publisher.wsdl = http(text.replace("types/query.xsd", place))
        with capture_logs() as logs:
            answers = await ask(await open_soap(FETCHED), CODES[:1])
    assert answers[CODES[0]].failure is FailureCode.AGENCY_BAD_RESPONSE
    assert "imports a document from another address" in str(logs)
    assert calls == []
    assert len(publisher.given) == 1
