"""A request's time is spent once, whatever it is spent on, and what remains of it is handed down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.faults import agency as faulty
from tests.faults.agency import Agency, Call, agency, name_holders
from tests.faults.callers import ASKED, body_of, connected, head_of
from tests.faults.installation import Gateway, Supplier, penalties, serving
from tests.faults.relay import relay
from tests.waiting import PATIENCE, until

PATIENT = 20
"""Seconds that an agency is given by its manifest: beyond any deadline here."""

LINKED = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    shareholders { status records { holder { penalties { status sources { failure { code } } } } } }
  }
}
"""


@asynccontextmanager
async def over_a_frozen_agency(folder: Path, **settings: str) -> AsyncIterator[tuple[Gateway, Agency]]:
    async with agency(faulty.freeze) as inspectors:
        supplier = replace(penalties("zhejiang-penalties", inspectors.url), timeout=PATIENT)
        async with serving(folder, [supplier], **settings) as gateway:
            yield gateway, inspectors


async def test_no_request_takes_longer_than_the_maximum_whatever_it_says(tmp_path: Path) -> None:
    bounds = {"XINQIAO_DEADLINE__DEFAULT": "1", "XINQIAO_DEADLINE__MAXIMUM": "1"}
    async with over_a_frozen_agency(tmp_path, **bounds) as (gateway, _):
        answer = await gateway.ask(ASKED, milliseconds=10**9)
        assert answer.seconds < 5
        assert {one["sources"][0]["failure"]["code"] for one in answer.of("penalties")} == {"AGENCY_TIMEOUT"}


async def test_a_time_that_is_none_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    async with over_a_frozen_agency(tmp_path) as (gateway, inspectors):
        for said in ("", "soon", "0", "-5", "1.5", "1e3", "+5", "0x10", "NaN", "5, 5", "5 5"):
            caller = await connected(gateway)
            caller.say(head_of(len(body_of()), X_Timeout_Ms=said) + body_of())
            async with asyncio.timeout(PATIENCE):
                heard = await caller.hears()
            caller.leave()
            (error,) = heard.json["errors"]
            assert (heard.status, error["extensions"]["code"]) == (400, "REQUEST_MALFORMED"), said
            assert error["message"].startswith("X-Timeout-Ms must be a whole number of milliseconds")
        assert inspectors.calls == 0


async def test_the_time_in_which_a_body_arrives_is_the_request_s_own(tmp_path: Path) -> None:
    async with over_a_frozen_agency(tmp_path) as (gateway, _):
        caller, body, loop = await connected(gateway), body_of(), asyncio.get_running_loop()
        started = loop.time()
        caller.say(head_of(len(body), X_Timeout_Ms="3000"))
        await asyncio.sleep(2.5)
        caller.say(body)
        async with asyncio.timeout(PATIENCE):
            heard = await caller.hears()
        caller.leave()
        assert heard.status == 200
        assert {one["penalties"]["status"] for one in heard.json["data"]["enterprises"]} == {"UNAVAILABLE"}
        assert loop.time() - started < 5


async def test_what_one_level_took_the_next_does_not_have(tmp_path: Path) -> None:
    async def slowly(call: Call) -> None:
        await asyncio.sleep(2.5)
        await name_holders(call)

    async with agency(slowly) as registry, agency(faulty.freeze) as inspectors:
        suppliers = [
            Supplier("registry", "Shareholder", "holder", "", registry.url, timeout=PATIENT, column="holder"),
            replace(penalties("zhejiang-penalties", inspectors.url), timeout=PATIENT),
        ]
        async with serving(tmp_path, suppliers) as gateway:
            answer = await gateway.ask(ASKED, milliseconds=3_000, query=LINKED)
            assert answer.seconds < 5
            shareholders = answer.of("shareholders")
            assert {one["status"] for one in shareholders} == {"COMPLETE"}
            links = [record["holder"]["penalties"] for one in shareholders for record in one["records"]]
            assert len(links) == len(ASKED)
            assert {source["failure"]["code"] for link in links for source in link["sources"]} == {"AGENCY_TIMEOUT"}


async def test_an_issuer_that_is_slow_to_name_its_keys_takes_no_more_than_the_request_has(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    async with relay(lambda: asyncio.open_connection("127.0.0.1", 9)) as silent:
        silent.silence()
        issuer = {"id": "https://login.example", "jwks": f"http://127.0.0.1:{silent.port}/keys"}
        claims = {"iss": issuer["id"], "aud": "xinqiao", "sub": "officer", "exp": 2**33}
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
        async with over_a_frozen_agency(tmp_path, XINQIAO_ISSUERS=json.dumps([issuer])) as (gateway, inspectors):

            async def given_up() -> bool:
                answer = await gateway.ask(ASKED, milliseconds=300, Authorization=f"Bearer {token}")
                assert answer.seconds < 1.5
                # Keys are not looked for at each request.
                return answer.code == "DEADLINE_EXCEEDED"

            await until(given_up)
            assert inspectors.calls == 0
            assert gateway.audited()[-1]["code"] == "DEADLINE_EXCEEDED"
