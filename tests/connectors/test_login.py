"""Systems that want a login first, as their pages do: a call gives a token or sets a cookie, which the others carry."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

SECRET = "S3cr3t-of-the-court"
NAMES = '{user.name: us, user.password: "${KEY}"}'
TOKEN = f'scheme: login, url: "${{ADDRESS}}/login", parameters: {NAMES}, token: data.token'
COOKIE = (
    'scheme: login, url: "${ADDRESS}/login", format: form, parameters: {j_user: us, j_pass: "${KEY}"}, cookie: SESSION'
)


def manifest(auth: str) -> str:
    return f"""
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection:
      url: "${{ADDRESS}}"
      auth: {{{auth}}}
    datasets:
      - record: Penalty
        request: {{path: /p, keys: {{in: query, name: code}}}}
        response: {{rows: data, envelope: {{path: code, ok: ["0"]}}}}
        fields: {{facts: f}}
    """


class Sessions:
    """Opens sessions s1, s2, ..., each good for so many calls; `refuse` is what others are answered."""

    def __init__(self, agency: Agency, *, calls: int, refuse: Any, cookie: bool = False) -> None:
        agency.answer, agency.read = self.answer, self.read
        self.calls, self.refuse, self.cookie = calls, refuse, cookie
        self.logins: list[Asked] = []
        self.left: dict[str, int] = {}
        self.shown: list[str] = []

    @staticmethod
    def read(content: bytes) -> Any:
        return json.loads(content) if content.startswith(b"{") else dict(parse_qsl(content.decode()))

    async def answer(self, asked: Asked) -> Any:
        if asked.path == "/login":
            self.logins.append(asked)
            session = f"s{len(self.logins)}"
            self.left[session] = self.calls
            if not self.cookie:
                return {"code": "0", "data": {"token": session, "life": 7200}}
            cookies = f"Set-Cookie: lang=zh\r\nSet-Cookie: SESSION={session}; Path=/; HttpOnly\r\n"
            return f"HTTP/1.1 302 X\r\nLocation: /home\r\n{cookies}Content-Length: 0\r\n\r\n".encode()
        shown = asked.headers.get("cookie", "").removeprefix("SESSION=") or asked.headers.get("x-token", "")
        self.shown.append(shown)
        if self.left.get(shown, 0) < 1:
            return self.refuse
        self.left[shown] -= 1
        return {"code": "0", "data": [{"f": "x"}]}


async def opened(open_one: Any, agency: Agency, auth: str) -> Any:
    return await open_one(manifest(auth), agency.address, environment={"KEY": SECRET})


async def test_a_token_is_renewed_when_a_code_within_a_200_says_that_it_ended(agency: Agency, open_one: Any) -> None:
    sessions = Sessions(agency, calls=2, refuse={"code": 40101, "msg": "token expired", "data": None})
    auth = f'{TOKEN}, sent: {{name: X-Token}}, refused: {{path: code, codes: ["40101"]}}'
    supply = await opened(open_one, agency, auth)
    for code in CODES[:3]:
        assert (await ask(supply, [code]))[code].rows == ({"facts": "x"},)
    assert sessions.shown == ["s1", "s1", "s1", "s2"]
    assert sessions.logins[0].body == {"user": {"name": "us", "password": SECRET}}


async def test_a_session_is_a_cookie_and_ends_with_a_redirect_to_the_page_for_logging_in(
    agency: Agency, open_one: Any
) -> None:
    to_login = b"HTTP/1.1 302 X\r\nLocation: /login.html\r\nContent-Length: 0\r\n\r\n"
    sessions = Sessions(agency, calls=1, refuse=to_login, cookie=True)
    supply = await opened(open_one, agency, f"{COOKIE}, refused: {{status: [302]}}")
    for code in CODES[:2]:
        assert (await ask(supply, [code]))[code].rows == ({"facts": "x"},)
    assert sessions.shown == ["s1", "s1", "s2"]
    assert sessions.logins[0].body == {"j_user": "us", "j_pass": SECRET}


async def test_calls_at_once_log_in_once(agency: Agency, open_one: Any) -> None:
    sessions = Sessions(agency, calls=100, refuse={"code": "1"})
    supply = await opened(open_one, agency, f"{TOKEN}, sent: {{name: X-Token}}")
    answers = await asyncio.gather(*(ask(supply, [code]) for code in CODES[:8]))
    assert all(rows.outcome is Outcome.ANSWERED for one in answers for rows in one.values())
    assert len(sessions.logins) == 1


async def test_a_token_may_be_asked_for_by_get_and_ends_when_the_manifest_says(agency: Agency, open_one: Any) -> None:
    sessions = Sessions(agency, calls=100, refuse={"code": "1"})
    auth = f"{TOKEN}, method: GET, seconds: 0.000001, sent: {{name: X-Token}}"
    supply = await opened(open_one, agency, auth)
    for code in CODES[:2]:
        await ask(supply, [code])
    assert sessions.shown == ["s1", "s2"]
    assert sessions.logins[0].query == [("user.name", "us"), ("user.password", SECRET)]


async def test_an_agency_that_takes_no_token_is_asked_twice_and_has_failed(agency: Agency, open_one: Any) -> None:
    sessions = Sessions(agency, calls=0, refuse={"code": "40101"})
    supply = await opened(
        open_one, agency, f'{TOKEN}, sent: {{name: X-Token}}, refused: {{path: code, codes: ["40101"]}}'
    )
    rows = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert sessions.shown == ["s1", "s2"]


@pytest.mark.parametrize("auth", [TOKEN.replace("data.token", "data.tokn"), COOKIE])
@pytest.mark.parametrize("answer", [{"code": "A1", "msg": SECRET}, (403, {}), [], b"HTTP/1.1 200 X\r\n\r\n<html>"])
async def test_a_login_that_gives_nothing_is_a_failure_that_tells_nothing(
    agency: Agency, open_one: Any, capsys: pytest.CaptureFixture[str], auth: str, answer: Any
) -> None:
    sessions = Sessions(agency, calls=1, refuse={})

    async def refuse(_: Asked) -> Any:
        return answer

    agency.answer = refuse
    rows = (await ask(await opened(open_one, agency, auth), CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert (sessions.shown, SECRET in "".join(capsys.readouterr())) == ([], False)


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (TOKEN.replace("token: data.token", "seconds: 5"), "token or cookie"),
        (f"{TOKEN}, cookie: S", "token or cookie"),
        (f"{COOKIE}, sent: {{name: X}}", "sent: goes with token"),
        (TOKEN.replace("${KEY}", "open"), "none of them is a secret"),
    ],
)
def test_a_login_that_cannot_work_is_a_mistake(tmp_path: Any, auth: str, reason: str) -> None:
    path = tmp_path / "court.yaml"
    path.write_text(manifest(auth), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=reason):
        load_manifest(path, SHAPES)
