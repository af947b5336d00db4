"""The wall clock of the gateway's own process is set forwards and back while it runs: what is a duration lasts as long
as it should, and what is a date holds by the clock as it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import struct
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from importlib.resources import files as files_of
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

from gateway.audit.files import FileArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import Report, verify
from policies.publicity import CHINA
from tests.faults import agency as faulty
from tests.faults.agency import agency, behave_after
from tests.faults.callers import ASKED, gateway_over_one
from tests.faults.installation import Gateway, penalties, serving
from tests.waiting import until

HOUR = 3_600.0
DAY = 86_400.0
SHIFTED = Path(__file__).parent / "shifted"
FULL = "COMPLETE"


class Clock:
    """The wall clock of the processes that are begun with its `settings`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)
        path = os.environ.get("PYTHONPATH")
        self.settings = {
            "PYTHONPATH": os.pathsep.join([str(SHIFTED), *([path] if path else [])]),
            "CLOCK_SHIFT": str(file),
        }

    def jump(self, seconds: float) -> None:
        """Moves it to so many seconds from the true time."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


def answers(gateway: Gateway, status: str) -> Callable[[], Awaitable[bool]]:
    async def hold() -> bool:
        return {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == {status}

    return hold


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["forwards", "back"])
async def test_deadlines_of_requests_and_calls_are_as_long_as_they_were(
    tmp_path: Path, clock: Clock, seconds: float
) -> None:
    let_go = asyncio.Event()

    async with gateway_over_one(tmp_path, **clock.settings) as (gateway, inspectors):
        inspectors.behaviour = behave_after(let_go)
        under_way = asyncio.create_task(gateway.ask(ASKED, milliseconds=20_000))

        async def asked() -> bool:
            return inspectors.calls == 1

        await until(asked)
        clock.jump(seconds)
        let_go.set()
        assert {one["status"] for one in (await under_way).of("penalties")} == {FULL}
        inspectors.behaviour = faulty.freeze
        short = await gateway.ask(ASKED, milliseconds=500)
        assert {one["sources"][0]["failure"]["code"] for one in short.of("penalties")} == {"AGENCY_TIMEOUT"}
        assert short.seconds < 1.5
        assert (await gateway.ready())["ready"]


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forwards", "back"])
async def test_rows_are_kept_for_as_long_as_they_were_to_be(tmp_path: Path, clock: Clock, seconds: float) -> None:
    async with agency() as inspectors:
        suppliers = [penalties("zhejiang-penalties", inspectors.url, time_to_live=2)]
        async with serving(tmp_path, suppliers, **clock.settings) as gateway:
            assert await answers(gateway, FULL)()
            clock.jump(seconds)
            first = inspectors.calls

            async def asked_again() -> bool:
                assert await answers(gateway, FULL)()
                return inspectors.calls > first

            await until(asked_again)


async def test_a_token_is_good_by_the_clock_as_it_is(tmp_path: Path, clock: Clock) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    issuer = {"id": "https://login.example", "jwks": KeySet([key]).as_dict(private=False)}
    claims = {"iss": issuer["id"], "aud": "xinqiao", "sub": "officer", "org": "first-bank", "roles": ["bank.officer"]}
    now = int(time.time())
    token = jwt.encode({"alg": "ES256", "kid": key.kid}, {**claims, "nbf": now - 60, "exp": now + 600}, key)
    bearer = {"Authorization": f"Bearer {token}"}
    async with gateway_over_one(tmp_path, XINQIAO_ISSUERS=json.dumps([issuer]), **clock.settings) as (gateway, _):
        assert (await gateway.ask(ASKED, **bearer)).status == 200
        clock.jump(HOUR)
        expired = await gateway.ask(ASKED, **bearer)
        assert (expired.status, expired.code) == (401, "TOKEN_EXPIRED")
        clock.jump(0)
        assert (await gateway.ask(ASKED, **bearer)).status == 200


async def test_a_rule_holds_on_its_days_by_the_clock_as_it_is(tmp_path: Path, clock: Clock) -> None:
    today = datetime.now(CHINA).date()
    policy = tmp_path / "policy"
    shutil.copytree(Path(str(files_of("policies"))), policy, ignore=shutil.ignore_patterns("*.py*", "tests"))
    rule = f"""
  - id: no-penalties-for-now
    deny: Penalty
    of: any
    to: any
    for: any
    given: any
    from: {today - timedelta(days=1)}
    until: {today + timedelta(days=1)}
    note: For these days, nobody.
"""
    rules = policy / "rules" / "nation.yaml"
    rules.write_text(rules.read_text() + rule)
    async with gateway_over_one(tmp_path, XINQIAO_POLICIES=str(policy), **clock.settings) as (gateway, _):
        assert await answers(gateway, "WITHHELD")()
        for days, status in ((3, FULL), (0, "WITHHELD")):
            clock.jump(days * DAY)
            await until(answers(gateway, status))


async def test_the_audit_goes_on_and_keeps_what_a_wrong_clock_takes_for_old(tmp_path: Path, clock: Clock) -> None:
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    (tmp_path / "audit.jwk").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    keeping = {
        "XINQIAO_AUDIT__SIGNING_KEY": str(tmp_path / "audit.jwk"),
        "XINQIAO_AUDIT__KEYS": str(tmp_path / "keys.json"),
        "XINQIAO_AUDIT__CHECKPOINT_SECONDS": "0.1",
        "XINQIAO_AUDIT__ROTATE_BYTES": "2000",
        "XINQIAO_AUDIT__KEEP_DAYS": "30",
    }
    books = Books(FileArchive(tmp_path / "audit.jsonl", "xinqiao"), FileLedger(tmp_path / "audit.checkpoints"), {})

    async def verified() -> Report:
        return await verify("xinqiao", books, KeySet([key]))

    async with gateway_over_one(tmp_path, **keeping, **clock.settings) as (gateway, _):
        asked = 0

        async def is_certified() -> bool:
            (chain,) = (await verified()).chains
            return bool(chain.certified == asked)

        for seconds in (0, 365 * DAY, -365 * DAY, 0):
            clock.jump(seconds)
            for _ in range(10):
                assert await answers(gateway, FULL)()
                asked += 1
            await until(is_certified)
            assert (await gateway.ready())["ready"]
    report = await verified()
    assert report.findings == ()
    assert [(chain.first, chain.last) for chain in report.chains] == [(1, asked)]


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["forwards", "back"])
async def test_the_requests_of_a_minute_are_those_of_a_true_one(tmp_path: Path, clock: Clock, seconds: float) -> None:
    bounded = {"XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "30"}
    async with gateway_over_one(tmp_path, **bounded, **clock.settings) as (gateway, _):

        async def refused() -> bool:
            return (await gateway.ask(ASKED)).status == 429

        async def admitted() -> bool:
            return (await gateway.ask(ASKED)).status == 200

        await until(refused)
        clock.jump(seconds)
        again = [await gateway.ask(ASKED) for _ in range(10)]
        assert [answer.code for answer in again if answer.status == 429]
        await until(admitted)
