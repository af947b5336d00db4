"""Operations that the operator trusts: found by their ids, and told from others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.errors import SettingsInvalidError
from gateway.messages import Principal, Received
from gateway.settings import DocumentSettings, Settings
from gateway.stages.trusted import TrustedDocuments, read_documents
from tests.gateway.stages.conftest import BANK, HANGZHOU, World, build_world

LISTED = "{ me { subject } }"
OTHER = "{ me { organisation } }"
PENALTIES = f'{{ enterprise(code: "{HANGZHOU}") {{ penalties {{ status }} }} }}'
ANYBODY = Principal("anonymous", "public", frozenset({"anonymous"}))


def id_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "operations.json"
    path.write_bytes(orjson.dumps({id_of(text): text for text in (LISTED, PENALTIES)}))
    return path


@pytest.fixture
def make(file: Path) -> Callable[..., World]:
    """A world whose callers are bound to the list as the settings say."""

    def made(more_rules: str = "", **settings: Any) -> World:
        world = build_world(more_rules=more_rules)
        trusted = TrustedDocuments(DocumentSettings(file=file, **settings))
        return replace(world, gateway=replace(world.gateway, trusted=trusted))

    return made


async def answered(world: World, query: str = "", document: str | None = None, caller: Principal = BANK) -> Any:
    received = Received("r", query, None, {}, caller, None, (), 1e9, read_only=False, document=document)
    return orjson.loads((await world.gateway.answer(received)).body)


def code(answer: Any) -> str | None:
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


@pytest.mark.parametrize("mode", ["off", "log", "warn", "enforce", "id"])
async def test_a_listed_operation_is_found_by_its_id_in_every_mode(make, mode: str) -> None:
    answer = await answered(make(mode=mode), document=id_of(LISTED))
    assert answer["data"] == {"me": {"subject": "officer"}}
    assert "warnings" not in answer["extensions"]


@pytest.mark.parametrize("mode", ["off", "enforce", "id"])
async def test_an_id_that_is_not_listed_is_refused(make, mode: str) -> None:
    assert code(await answered(make(mode=mode), document=id_of(OTHER))) == "DOCUMENT_UNKNOWN"


@pytest.mark.parametrize(
    ("mode", "of_listed", "of_other"),
    [
        ("off", None, None),
        ("log", None, None),
        ("warn", None, None),
        ("enforce", None, "DOCUMENT_NOT_TRUSTED"),
        ("id", "DOCUMENT_ID_REQUIRED", "DOCUMENT_ID_REQUIRED"),
    ],
)
async def test_a_text_runs_or_is_refused_as_the_mode_says(
    make, mode: str, of_listed: str | None, of_other: str | None
) -> None:
    world = make(mode=mode)
    assert code(await answered(world, LISTED)) == of_listed
    assert code(await answered(world, OTHER)) == of_other
    assert [line["outcome"] for line in world.audit.lines] == [
        "ANSWERED" if refused is None else "REFUSED" for refused in (of_listed, of_other)
    ]


@pytest.mark.parametrize(("mode", "logged", "warned"), [("off", 0, 0), ("log", 1, 0), ("warn", 1, 1)])
async def test_what_is_not_listed_is_logged_or_warned_of_without_its_text(
    make, mode: str, logged: int, warned: int
) -> None:
    with capture_logs() as logs:
        listed, other = [await answered(make(mode=mode), text) for text in (LISTED, OTHER)]
    assert "warnings" not in listed["extensions"]
    assert len(other["extensions"].get("warnings", ())) == warned
    told = [entry for entry in logs if entry["event"] == "operation not listed"]
    assert [(entry["organisation"], entry["operation"]) for entry in told] == [("first-bank", id_of(OTHER))] * logged


async def test_an_organisation_may_be_bound_more_closely_than_others(make) -> None:
    world = make(mode="log", organisations={"first-bank": "id"})
    assert code(await answered(world, LISTED)) == "DOCUMENT_ID_REQUIRED"
    assert code(await answered(world, OTHER, caller=ANYBODY)) is None


async def test_a_listed_operation_is_authorised_anew_for_each_caller(make) -> None:
    deny = "\n  - {id: guard, deny: Penalty, of: any, to: anonymous, for: any, given: any, note: Guarded.}\n"
    world = make(deny, mode="id")
    found = [await answered(world, document=id_of(PENALTIES), caller=caller) for caller in (BANK, ANYBODY)]
    assert [answer["data"]["enterprise"]["penalties"]["status"] for answer in found] == ["COMPLETE", "WITHHELD"]


async def test_the_list_is_read_again_when_it_changes_and_a_bad_one_leaves_it(make, file: Path) -> None:
    world = make(mode="enforce")
    trusted = world.gateway.trusted.file
    for content in (orjson.dumps({id_of(OTHER): OTHER}), b"{", orjson.dumps({id_of(LISTED): OTHER})):
        _write(file, content)
        await trusted.look()
        assert code(await answered(world, OTHER)) is None
        assert code(await answered(world, LISTED)) == "DOCUMENT_NOT_TRUSTED"


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def test_apollos_manifest_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    operations = [{"id": id_of(LISTED), "body": LISTED, "name": "Me", "type": "query"}]
    path.write_bytes(
        orjson.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
    )
    assert read_documents(path).by_id == {id_of(LISTED): LISTED}


@pytest.mark.parametrize(
    "content",
    [b"[]", b"5", b"no", b'{"a": 5}', b'{"operations": [5]}', b'{"operations": [{"id": "a"}]}', b'{"abc": "{ me }"}'],
)
def test_a_list_that_cannot_be_used_stops_the_start_and_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operations.json"
    path.write_bytes(content)
    with pytest.raises(SettingsInvalidError, match=r"operations\.json"):
        TrustedDocuments(DocumentSettings(file=path))
    path.unlink()
    with pytest.raises(SettingsInvalidError, match=r"operations\.json"):
        TrustedDocuments(DocumentSettings(file=path))


def test_a_mode_needs_the_list() -> None:
    for settings in ({"mode": "enforce"}, {"organisations": {"first-bank": "id"}}):
        with pytest.raises(ValueError, match="needs the file"):
            Settings(documents=settings)


@asynccontextmanager
async def caller(application: Callable[..., Any], pipeline: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(pipeline))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def test_ids_come_as_parameters_or_as_apollos_clients_send_them(application, echo) -> None:
    id_ = id_of(LISTED)
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": id_}}
    async with caller(application, echo) as client:
        for sent in ({"documentId": f"sha256:{id_}"}, {"documentId": id_}, {"extensions": persisted}):
            assert (await client.post("/graphql", json=sent)).status_code == 200
        await client.get("/graphql", params={"documentId": f"sha256:{id_}"})
        await client.get("/graphql", params={"extensions": orjson.dumps(persisted).decode()})
    assert [(received.document, received.query) for received in echo.received] == [(id_, "")] * 5


async def test_a_text_that_comes_with_an_id_is_what_counts(application, echo) -> None:
    async with caller(application, echo) as client:
        await client.post("/graphql", json={"query": OTHER, "documentId": id_of(LISTED)})
    assert [(received.document, received.query) for received in echo.received] == [(None, OTHER)]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"documentId": 5},
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"sha256Hash": 1}}},
    ],
)
async def test_a_request_without_text_and_id_is_malformed(application, echo, sent: dict[str, Any]) -> None:
    async with caller(application, echo) as client:
        response = await client.post("/graphql", json=sent)
    assert response.status_code == 400
    assert not echo.received


async def test_the_cost_is_told_to_those_who_ask(application, echo) -> None:
    async with caller(application, echo) as client:
        for extensions, status in (({"cost": True}, 200), ({"cost": False}, 200), ({}, 200), ({"cost": "yes"}, 400)):
            response = await client.post("/graphql", json={"query": LISTED, "extensions": extensions})
            assert response.status_code == status
    assert [received.tell_cost for received in echo.received] == [True, False, False]
