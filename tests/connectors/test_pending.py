"""Systems that take a question first and have the answer later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

FIRST = CODES[0]
BY_STATUS = """
        request: {path: /q, keys: {in: query, name: code}}
        response: {rows: rows, pending: {status: [202], every: 0.1}}
"""
BY_CODE = """
        lookup:
          request: {method: POST, path: /tasks, keys: {in: body, name: code}}
          id: task
          response: {status: [201]}
        request: {path: /result, keys: {in: query, name: task}}
        response: {rows: rows, envelope: {path: code, ok: ["0"]}, pending: {codes: ["1001"], every: 0.1}}
"""
ROWS = {"code": "0", "rows": [{"f": "x"}]}
STILL = {"code": 1001, "msg": "处理中", "rows": None}


def manifest(dataset: str, timeout: float = 5) -> str:
    return f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    timeout: {timeout}
    retries: {{most: 0}}
    connection: {{url: "${{ADDRESS}}/api"}}
    datasets:
      - record: Penalty{dataset}        fields: {{facts: f}}
    """


def accepted(head: str = "") -> bytes:
    return f"HTTP/1.1 202 X\r\n{head}Content-Length: 0\r\n\r\n".encode()


async def told(agency: Agency, open_one: Any, text: str, answers: Sequence[Any]) -> Any:
    """What is said of a company, where the agency gives these answers in their order, the last of them ever after."""
    left = list(answers)

    async def answer(_: Asked) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    agency.answer = answer
    return (await ask(await open_one(text, agency.address), [FIRST]))[FIRST]


@pytest.mark.parametrize("location", ["/api/jobs/1?x=2", "jobs/1?x=2", "${ADDRESS}/api/jobs/1?x=2"])
async def test_an_answer_is_fetched_from_where_the_agency_says_that_it_will_be(
    agency: Agency, open_one: Any, location: str
) -> None:
    led = accepted(f"Location: {location.replace('${ADDRESS}', agency.address)}\r\n")
    found = await told(agency, open_one, manifest(BY_STATUS), [led, accepted(), ROWS])
    assert (found.outcome, found.rows) == (Outcome.ANSWERED, ({"facts": "x"},))
    asked = [asked.target for asked in agency.asked]
    assert asked == [f"/api/q?code={FIRST}", "/api/jobs/1?x=2", "/api/jobs/1?x=2"]


async def test_without_such_a_place_the_same_is_asked_again(agency: Agency, open_one: Any) -> None:
    found = await told(agency, open_one, manifest(BY_STATUS), [accepted(), ROWS])
    assert found.rows == ({"facts": "x"},)
    assert [asked.target for asked in agency.asked] == [f"/api/q?code={FIRST}"] * 2


async def test_a_task_is_made_once_and_its_result_asked_for_until_it_is_there(agency: Agency, open_one: Any) -> None:
    found = await told(agency, open_one, manifest(BY_CODE), [(201, {"task": "t1"}), STILL, STILL, ROWS])
    assert found.rows == ({"facts": "x"},)
    asked = [(asked.method, asked.target) for asked in agency.asked]
    assert asked == [("POST", "/api/tasks"), *[("GET", "/api/result?task=t1")] * 3]


async def test_an_answer_that_never_comes_is_late(agency: Agency, open_one: Any) -> None:
    found = await told(agency, open_one, manifest(BY_STATUS, timeout=0.3), [accepted()])
    assert (found.outcome, found.failure) == (Outcome.FAILED, FailureCode.AGENCY_TIMEOUT)
    assert len(agency.asked) > 1


@pytest.mark.parametrize("location", ["http://127.0.0.2/x", "//elsewhere/x", "https://127.0.0.1/x", "ftp://x"])
async def test_no_other_address_is_asked(agency: Agency, open_one: Any, location: str) -> None:
    found = await told(agency, open_one, manifest(BY_STATUS), [accepted(f"Location: {location}\r\n")])
    assert (found.outcome, found.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert len(agency.asked) == 1


async def test_what_is_not_declared_is_a_failure(agency: Agency, open_one: Any) -> None:
    text = manifest(BY_STATUS.replace(", pending: {status: [202], every: 0.1}", ""))
    found = await told(agency, open_one, text, [accepted()])
    assert (found.outcome, found.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (BY_STATUS.replace("status: [202]", "codes: [a]"), "envelope"),
        (BY_STATUS.replace("status: [202]", "status: [302]"), "status"),
        (BY_STATUS.replace("pending:", "none: {status: [202]}, pending:"), "share"),
        (BY_STATUS.replace("0.1", "0"), "every"),
    ],
)
def test_what_cannot_be_waited_for_is_a_mistake(tmp_path: Any, dataset: str, reason: str) -> None:
    path = tmp_path / "court.yaml"
    path.write_text(manifest(dataset), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=reason):
        load_manifest(path, SHAPES)
