"""A request's time is spent once, whatever it is spent on, and what remains of it is handed down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.identity.key_sets import SEEK_SECONDS
from tests.faults import agency as faulty
from tests.faults.agency import Agency, Call, agency, name_holders
from tests.faults.callers import ASKED, PATIENT, body_of, connected, head_of
from tests.faults.installation import Gateway, Supplier, penalties, serving
from tests.faults.relay import relay
from tests.waiting import PATIENCE, until

MAXIMUM = 3
"""Seconds that a request may take here at most."""

BETWEEN = 750 * MAXIMUM
"""Milliseconds of a request that is begun when another has half its time behind it: it ends after that one does, and
before that one would if its time began only then."""

LINKED = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    shareholders { status records { holder { penalties { status sources { failure { code } } } } } }
  }
}
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Setting:
    """A gateway over inspectors who say nothing, and over a registry. `token` is of an issuer who says nothing."""

    gateway: Gateway
    inspectors: Agency
    registry: Agency
    token: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    key = ECKey.generate_key("P-256", auto_kid=True)
    async with (
        agency(faulty.freeze) as inspectors,
        agency(name_holders) as registry,
        relay(lambda: asyncio.open_connection("127.0.0.1", 9)) as silent,
    ):
        silent.silence()
        issuer = {"id": "https://login.example", "jwks": f"http://127.0.0.1:{silent.port}/keys"}
        claims = {"iss": issuer["id"], "aud": "xinqiao", "sub": "officer", "exp": 2**33}
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
        suppliers = [
            Supplier("registry", "Shareholder", "holder", "", registry.url, timeout=PATIENT, column="holder"),
            penalties("zhejiang-penalties", inspectors.url, timeout=PATIENT),
        ]
        settings = {
            "XINQIAO_ISSUERS": json.dumps([issuer]),
            "XINQIAO_DEADLINE__DEFAULT": "1",
            "XINQIAO_DEADLINE__MAXIMUM": str(MAXIMUM),
        }
        async with serving(tmp_path_factory.mktemp("deadlines"), suppliers, **settings) as gateway:
            yield Setting(gateway, inspectors, registry, token)


async def test_no_request_takes_longer_than_the_maximum_whatever_it_says(setting: Setting) -> None:
    answer = await setting.gateway.ask(ASKED, milliseconds=10**9)
    assert answer.seconds < 5 * MAXIMUM
    assert {one["sources"][0]["failure"]["code"] for one in answer.of("penalties")} == {"AGENCY_TIMEOUT"}


async def test_a_time_that_is_none_is_refused_and_nobody_is_asked(setting: Setting) -> None:
    calls = setting.inspectors.calls
    for said in ("", "soon", "0", "-5", "1.5", "1e3", "+5", "0x10", "NaN", "5, 5", "5 5"):
        caller = await connected(setting.gateway)
        caller.say(head_of(len(body_of()), X_Timeout_Ms=said) + body_of())
        async with asyncio.timeout(PATIENCE):
            heard = await caller.hears()
        caller.leave()
        (error,) = heard.json["errors"]
        assert (heard.status, error["extensions"]["code"]) == (400, "REQUEST_MALFORMED"), said
        assert error["message"].startswith("X-Timeout-Ms must be a whole number of milliseconds")
    assert setting.inspectors.calls == calls


async def test_the_time_in_which_a_body_arrives_is_the_request_s_own(setting: Setting) -> None:
    caller, body = await connected(setting.gateway), body_of()
    caller.say(head_of(len(body), X_Timeout_Ms=str(1_000 * MAXIMUM)))
    await asyncio.sleep(MAXIMUM / 2)
    caller.say(body)
    began_now = asyncio.create_task(setting.gateway.ask(ASKED, milliseconds=BETWEEN))
    async with asyncio.timeout(PATIENCE):
        heard = await caller.hears()
    assert not began_now.done()
    caller.leave()
    assert heard.status == 200
    assert {one["penalties"]["status"] for one in heard.json["data"]["enterprises"]} == {"UNAVAILABLE"}
    await began_now


async def test_what_one_level_took_the_next_does_not_have(setting: Setting) -> None:
    gateway = setting.gateway
    began_late: list[asyncio.Task[object]] = []

    async def slowly(call: Call) -> None:
        await asyncio.sleep(MAXIMUM / 2)
        began_late.append(asyncio.create_task(gateway.ask(ASKED, milliseconds=BETWEEN)))
        await name_holders(call)

    setting.registry.behaviour = slowly
    answer = await gateway.ask(ASKED, milliseconds=1_000 * MAXIMUM, query=LINKED)
    (began_with_the_next,) = began_late
    assert not began_with_the_next.done()
    shareholders = answer.of("shareholders")
    assert {one["status"] for one in shareholders} == {"COMPLETE"}
    links = [record["holder"]["penalties"] for one in shareholders for record in one["records"]]
    assert len(links) == len(ASKED)
    assert {source["failure"]["code"] for link in links for source in link["sources"]} == {"AGENCY_TIMEOUT"}
    await began_with_the_next


async def test_an_issuer_that_is_slow_to_name_its_keys_takes_no_more_than_the_request_has(setting: Setting) -> None:
    calls = setting.inspectors.calls

    async def given_up() -> bool:
        answer = await setting.gateway.ask(ASKED, milliseconds=300, Authorization=f"Bearer {setting.token}")
        # Keys are not looked for at each request.
        return answer.code == "DEADLINE_EXCEEDED" and answer.seconds < SEEK_SECONDS

    await until(given_up)
    assert setting.inspectors.calls == calls
    assert setting.gateway.audited()[-1]["code"] == "DEADLINE_EXCEEDED"
