from __future__ import annotations

import inspect
import logging
from typing import Any

import httpx
import pytest

from connectors.contract import FailureCode
from connectors.httpx_lane import meaning_of
from tests.connectors.support import CODES, Agency, Asked, ask

ERRORS = [
    error
    for _, error in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(error, Exception) and not issubclass(error, Warning)
]
EXPECTED = {
    httpx.TimeoutException: FailureCode.AGENCY_TIMEOUT,
    httpx.NetworkError: FailureCode.AGENCY_UNAVAILABLE,
    httpx.ProxyError: FailureCode.AGENCY_UNAVAILABLE,
}


def make(error: type[Exception]) -> Exception:
    if error is httpx.HTTPStatusError:
        request = httpx.Request("GET", "http://hidden")
        return httpx.HTTPStatusError("hidden", request=request, response=httpx.Response(500))
    parameters = inspect.signature(error).parameters
    return error("hidden") if "message" in parameters else error()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_the_http_client_has_a_meaning_and_loses_its_message(error: type[Exception]) -> None:
    assert len(ERRORS) >= 25
    assert issubclass(error, (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict))
    meaning = meaning_of(make(error))
    expected = next((code for base, code in EXPECTED.items() if issubclass(error, base)), None)
    assert meaning.failure is (expected or FailureCode.AGENCY_BAD_RESPONSE)
    assert str(meaning) == error.__name__


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_no_log_line_holds_a_company_a_secret_or_a_query(
    agency: Agency, open_one: Any, lane: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(asked: Asked) -> Any:
        return (500, {"said": "hidden-value"}) if asked.query[0][1] == CODES[0] else [{"f": "hidden-value"}]

    agency.answer = answer
    manifest = f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", headers: {{X-Key: "${{SECRET}}"}}, lane: {lane}}}
    datasets:
      - record: Penalty
        request: {{path: /p, keys: {{in: query, name: code}}}}
        fields: {{facts: f, amount: f}}
    """
    caplog.set_level(logging.DEBUG)
    await ask(await open_one(manifest, agency.address), CODES[:2])
    said = "".join((*(str(record.getMessage()) for record in caplog.records), *capsys.readouterr()))
    assert "status 500" in said
    for secret in (CODES[0], CODES[1], "a-secret", "hidden-value", "?code"):
        assert secret not in said
