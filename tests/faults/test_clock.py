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
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files as files_of
from pathlib import Path

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

from gateway.audit.files import FileArchive
from gateway.audit.ledger import FileLedger
from gateway.audit.notary import Books
from gateway.audit.verify import ChainReport, verify
from policies.publicity import CHINA
from tests.connectors.support import CODES
from tests.faults import agency as faulty
from tests.faults.agency import Agency, behave_after
from tests.faults.callers import ASKED, gateway_over_one
from tests.faults.installation import Gateway
from tests.waiting import until

HOUR = 3_600.0
DAY = 86_400.0
SHIFTED = Path(__file__).parent / "shifted"
FULL = "COMPLETE"
OTHERS = [str(code) for code in CODES[10:13]]

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@dataclass(frozen=True)
class Setting:
    """A gateway with its clock, over inspectors whose rows it keeps for two seconds. It takes tokens of `issuer`, whose
    key is `key`, and certifies its audit all the time."""

    gateway: Gateway
    inspectors: Agency
    clock: Clock
    issuer: str
    key: ECKey
    audit: Books
    audit_key: OKPKey


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    folder = tmp_path_factory.mktemp("clock")
    clock, issuer = Clock(folder / "clock"), "https://login.example"
    key, audit_key = ECKey.generate_key("P-256", auto_kid=True), OKPKey.generate_key("Ed25519", auto_kid=True)
    (folder / "audit.jwk").write_text(json.dumps(audit_key.as_dict(private=True)))
    (folder / "keys.json").write_text(json.dumps({"keys": [audit_key.as_dict(private=False)]}))
    settings = {
        **clock.settings,
        "XINQIAO_ISSUERS": json.dumps([{"id": issuer, "jwks": KeySet([key]).as_dict(private=False)}]),
        "XINQIAO_AUDIT__SIGNING_KEY": str(folder / "audit.jwk"),
        "XINQIAO_AUDIT__KEYS": str(folder / "keys.json"),
        "XINQIAO_AUDIT__CHECKPOINT_SECONDS": "0.1",
        "XINQIAO_AUDIT__ROTATE_BYTES": "2000",
        "XINQIAO_AUDIT__KEEP_DAYS": "30",
    }
    books = Books(FileArchive(folder / "audit.jsonl", "xinqiao"), FileLedger(folder / "audit.checkpoints"), {})
    async with gateway_over_one(folder, time_to_live=2, **settings) as (gateway, inspectors):
        yield Setting(gateway, inspectors, clock, issuer, key, books, audit_key)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def right_again(setting: Setting) -> AsyncIterator[None]:
    """After each test the clock is right and the agency behaves."""
    yield
    setting.clock.jump(0)
    setting.inspectors.behaviour = faulty.behave


def answers(gateway: Gateway, status: str) -> Callable[[], Awaitable[bool]]:
    async def hold() -> bool:
        return {one["status"] for one in (await gateway.ask(ASKED)).of("penalties")} == {status}

    return hold


@pytest.mark.parametrize(("seconds", "asked"), [(DAY, CODES[3:6]), (-DAY, CODES[6:9])], ids=["forwards", "back"])
async def test_deadlines_of_requests_and_calls_are_as_long_as_they_were(
    setting: Setting, seconds: float, asked: Sequence[str]
) -> None:
    gateway, inspectors, clock = setting.gateway, setting.inspectors, setting.clock
    let_go, calls = asyncio.Event(), inspectors.calls
    inspectors.behaviour = behave_after(let_go)
    under_way = asyncio.create_task(gateway.ask([str(code) for code in asked], milliseconds=20_000))

    async def is_asked() -> bool:
        return inspectors.calls == calls + 1

    await until(is_asked)
    clock.jump(seconds)
    let_go.set()
    assert {one["status"] for one in (await under_way).of("penalties")} == {FULL}
    inspectors.behaviour = faulty.freeze
    short = await gateway.ask(OTHERS, milliseconds=500)
    assert {one["sources"][0]["failure"]["code"] for one in short.of("penalties")} == {"AGENCY_TIMEOUT"}
    assert short.seconds < 10
    assert (await gateway.ready())["ready"]


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forwards", "back"])
async def test_rows_are_kept_for_as_long_as_they_were_to_be(setting: Setting, seconds: float) -> None:
    assert await answers(setting.gateway, FULL)()
    setting.clock.jump(seconds)
    first = setting.inspectors.calls

    async def asked_again() -> bool:
        assert await answers(setting.gateway, FULL)()
        return setting.inspectors.calls > first

    await until(asked_again)


async def test_a_token_is_good_by_the_clock_as_it_is(setting: Setting) -> None:
    gateway, clock, now = setting.gateway, setting.clock, int(time.time())
    claims = {"iss": setting.issuer, "aud": "xinqiao", "sub": "officer", "org": "first-bank", "roles": ["bank.officer"]}
    claims |= {"nbf": now - 60, "exp": now + 600}
    token = jwt.encode({"alg": "ES256", "kid": setting.key.kid}, claims, setting.key)
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await gateway.ask(ASKED, **bearer)).status == 200
    clock.jump(HOUR)
    expired = await gateway.ask(ASKED, **bearer)
    assert (expired.status, expired.code) == (401, "TOKEN_EXPIRED")
    clock.jump(0)
    assert (await gateway.ask(ASKED, **bearer)).status == 200


async def test_the_audit_goes_on_and_keeps_what_a_wrong_clock_takes_for_old(setting: Setting) -> None:
    async def chain() -> ChainReport:
        report = await verify("xinqiao", setting.audit, KeySet([setting.audit_key]))
        assert report.findings == ()
        (one,) = report.chains
        assert one.first == 1
        return one

    assert await answers(setting.gateway, FULL)()
    recorded = (await chain()).last

    async def is_certified() -> bool:
        return (await chain()).certified == recorded

    for seconds in (0, 365 * DAY, -365 * DAY, 0):
        setting.clock.jump(seconds)
        for _ in range(10):
            assert await answers(setting.gateway, FULL)()
            recorded += 1
        await until(is_certified)
        assert (await setting.gateway.ready())["ready"]
    assert (await chain()).last == recorded


async def test_a_rule_holds_on_its_days_by_the_clock_as_it_is(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
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


async def test_the_requests_of_a_minute_are_those_of_a_true_one(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    bounded = {"XINQIAO_QUOTAS__ORGANISATION__REQUESTS": "30"}
    async with gateway_over_one(tmp_path, **bounded, **clock.settings) as (gateway, _):

        async def refused() -> bool:
            return (await gateway.ask(ASKED)).status == 429

        async def admitted() -> bool:
            return (await gateway.ask(ASKED)).status == 200

        for seconds in (DAY, -DAY):
            await until(refused)
            clock.jump(seconds)
            again = [await gateway.ask(ASKED) for _ in range(10)]
            assert [answer.code for answer in again if answer.status == 429]
            await until(admitted)
