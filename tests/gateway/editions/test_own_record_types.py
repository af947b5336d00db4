"""A record type of an agency's own, from its manifest to the answer: unseen until the centre releases it."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.assembly import open_gateway, read_installation
from gateway.editions.views import Views
from gateway.messages import Principal, Received
from gateway.pipeline import Gateway
from gateway.settings import Settings
from policies.load import PolicyFiles, read_directory
from policies.store.initial import initialise
from policies.store.model import new_version
from policies.store.open import open_store

ROOT = Path(__file__).parents[3]
COMPANY, MAKER = "91440300TEXT000170", "91330100TEXT00025M"

MANIFEST = f"""\
agency: shenzhen-market
name: {{en: Shenzhen Market Regulation, zh: 深圳市市场监督管理局}}
kind: memory
records:
  - name: ShenzhenMarketRecall
    field: shenzhenMarketRecalls
    tier: PUBLIC
    orderedBy: recalledOn
    filters: {{recalledFrom: {{from: recalledOn}}}}
    description: {{en: A recall that the city ordered., zh: 市级责令召回信息。}}
    fields:
      product: {{type: text, tier: PUBLIC, description: {{en: The product., zh: 产品。}}}}
      recalledOn: {{type: date, tier: PUBLIC, description: {{en: The day of the order., zh: 责令日期。}}}}
      contact: {{type: text, tier: PUBLIC, mask: partial, description: {{en: Whom to ask., zh: 联系人。}}}}
      cost: {{type: money, tier: AUTHORISED, mask: bucket, description: {{en: What it cost., zh: 费用。}}}}
      maker: {{type: creditCode, tier: PUBLIC, description: {{en: Who made it., zh: 生产企业。}}}}
      informant: {{type: text, tier: SEALED, description: {{en: Who reported it., zh: 举报人。}}}}
datasets:
  - record: ShenzhenMarketRecall
    key: code
    missingMeans: none
    rows:
      - {{code: {COMPANY}, id: r1, what: 电热水壶, day: 2026-03-01, who: 王小明, fee: 35000, by: {MAKER}, told: 李四}}
      - {{code: {COMPANY}, id: r2, what: 儿童座椅, day: 2025-06-01, who: 陈静, fee: 900}}
    fields:
      recordId: id
      product: what
      recalledOn: day
      contact: who
      cost: {{path: fee, unit: 元}}
      maker: by
      informant: told
"""

RELEASE = """
  - id: release-recalls
    allow: ShenzhenMarketRecall
    of: shenzhen-market
    to: anonymous
    for: any
    given: any
    note: The centre releases the recalls of Shenzhen.
"""

OWN_RULES = """\
rules:
  - id: own-recalls
    allow: [ShenzhenMarketRecall, ShenzhenMarketRecall.informant]
    of: shenzhen-market
    to: any
    for: any
    given: any
    note: The agency would show them to everybody.
"""

WIDE = """
  - id: authorised-recalls
    allow: AUTHORISED
    of: market-regulation
    to: anonymous
    for: any
    given: any
    note: A rule on a tier, for the test.
"""


def recalls(selection: str, arguments: str = "") -> str:
    return f'{{ enterprise(code: "{COMPANY}") {{ shenzhenMarketRecalls{arguments} {{ {selection} }} }} }}'


RECALLS = recalls("""
    status
    records {  recordId product recalledOn contact cost { from to } maker { creditCode } source { agency { id } } }
    access { coordinate decision mask } sources { status agency { records } }""")
ANYBODY = Principal("anonymous", "public", frozenset({"anonymous"}))
OFFICER = Principal("officer", "first-bank", frozenset({"bank.officer"}))
UNKNOWN = "Cannot query field 'shenzhenMarketRecalls' on type 'Enterprise'."


@dataclass(frozen=True)
class Installed:
    """The shipped manifests and the one above, and the shipped policy with more rules."""

    folder: Path

    def settings(self, policies: Path) -> Settings:
        return Settings(
            secret="s" * 32,
            plain_networks=["127.0.0.0/8"],
            audit_file=self.folder / "audit.jsonl",
            manifests=self.folder / "agencies",
            policies=str(policies),
        )

    def opened(self, policies: Path) -> AbstractAsyncContextManager[Gateway]:
        names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
        environment = {f"{name}_URL": "http://127.0.0.1:9" for name in names}
        environment |= {"REGISTRY_URL": f"sqlite:///{self.folder / 'registry.db'}", "CUSTOMS_DROP": str(self.folder)}
        settings = self.settings(policies)
        return open_gateway(settings, read_installation(settings), environment)

    def policy(self, nation: str = "", own: str = "") -> Path:
        policies = self.folder / "policies"
        rules = policies / "rules/nation.yaml"
        rules.write_text((ROOT / "policies/rules/nation.yaml").read_text("utf-8") + nation, "utf-8")
        if own:
            (policies / "rules/shenzhen-market.yaml").write_text(own, "utf-8")
        return policies


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    shutil.copytree(ROOT / "connectors/agencies", tmp_path / "agencies")
    (tmp_path / "agencies/shenzhen-market.yaml").write_text(MANIFEST, "utf-8")
    trees = tmp_path / "policies/trees.yaml"
    trees.write_text(f"{trees.read_text('utf-8').rstrip()}\n  shenzhen-market: market-regulation\n", "utf-8")
    return Installed(tmp_path)


async def answer(gateway: Gateway, query: str, principal: Principal = ANYBODY) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + 20
    received = Received("r", query, None, {}, principal, None, (), deadline, read_only=False)
    return orjson.loads((await gateway.answer(received)).body)


@pytest.fixture
def ask(installed: Installed) -> Callable[..., list[Any]]:
    """Asks a gateway under the shipped policy with more rules."""

    async def answers(policies: Path, queries: tuple[str, ...], principal: Principal) -> list[Any]:
        async with installed.opened(policies) as gateway:
            return [await answer(gateway, query, principal) for query in queries]

    def asked(*queries: str, nation: str = "", own: str = "", principal: Principal = ANYBODY) -> list[Any]:
        return asyncio.run(answers(installed.policy(nation, own), queries, principal))

    return asked


def test_nobody_learns_of_a_record_type_that_the_centre_has_not_released(ask) -> None:
    entity = f'{{__typename: "Enterprise", creditCode: "{COMPANY}"}}'
    *asked, introspected, told = ask(
        RECALLS,
        RECALLS.replace("shenzhenMarketRecalls", "penalties: shenzhenMarketRecalls"),
        f"{{ _entities(representations: [{entity}]) {{ ...on Enterprise {{ shenzhenMarketRecalls {{ status }} }} }} }}",
        "{ agencies { ...on ShenzhenMarketRecall { product } } }",
        "{ agencies { ...on ShenzhenMarketRecallAnswer { status } } }",
        """{ __type(name: "ShenzhenMarketRecall") { name } answer: __type(name: "Answer") { possibleTypes { name } }
             __schema { types { name fields { name } } } }""",
        "{ agencies { id records } me { access { coordinate } } _service { sdl } }",
        own=OWN_RULES,
    )
    assert [error["message"] for answer in asked for error in answer["errors"]] == [
        *[UNKNOWN] * 3,
        "Unknown type 'ShenzhenMarketRecall'.",
        "Unknown type 'ShenzhenMarketRecallAnswer'.",
    ]
    assert introspected["data"]["__type"] is None
    assert {"id": "shenzhen-market", "records": []} in told["data"]["agencies"]
    assert "henzhenMarket" not in f"{introspected} {told}"


def test_once_released_it_is_asked_decided_masked_and_answered_as_any_other(ask) -> None:
    whole, page, filtered, sealed, told = ask(
        RECALLS,
        recalls("records { recordId } hasMore endCursor", "(first: 1)"),
        recalls("records { recordId }", '(recalledFrom: "2026-01-01")'),
        recalls("records { informant }"),
        '{ __type(name: "ShenzhenMarketRecall") { fields { name } } _service { sdl } }',
        nation=RELEASE + WIDE,
    )
    assert whole["data"]["enterprise"]["shenzhenMarketRecalls"] == {
        "status": "COMPLETE",
        "records": [
            {
                "recordId": "r1",
                "product": "电热水壶",
                "recalledOn": "2026-03-01",
                "contact": "王**",
                "cost": {"from": "20000", "to": "50000"},
                "maker": {"creditCode": MAKER},
                "source": {"agency": {"id": "shenzhen-market"}},
            },
            {
                "recordId": "r2",
                "product": "儿童座椅",
                "recalledOn": "2025-06-01",
                "contact": "陈**",
                "cost": {"from": "0", "to": "1000"},
                "maker": None,
                "source": {"agency": {"id": "shenzhen-market"}},
            },
        ],
        "access": [
            {"coordinate": "ShenzhenMarketRecall.contact", "decision": "MASKED", "mask": "partial"},
            {"coordinate": "ShenzhenMarketRecall.cost", "decision": "MASKED", "mask": "bucket"},
        ],
        "sources": [{"status": "ANSWERED", "agency": {"records": ["ShenzhenMarketRecall"]}}],
    }
    first = page["data"]["enterprise"]["shenzhenMarketRecalls"]
    assert (first["records"], first["hasMore"]) == ([{"recordId": "r1"}], True)
    assert filtered["data"]["enterprise"]["shenzhenMarketRecalls"]["records"] == [{"recordId": "r1"}]
    assert "Cannot query field 'informant'" in sealed["errors"][0]["message"]
    names = {field["name"] for field in told["data"]["__type"]["fields"]}
    assert {"product", "contact", "cost", "objection"} <= names
    assert "informant" not in f"{names} {told['data']['_service']['sdl']}".replace("Penalty", "")
    assert "shenzhenMarketRecalls" in told["data"]["_service"]["sdl"]


def test_released_the_declared_tiers_hold_and_the_agencys_rules_count(ask) -> None:
    (cost,) = ask(RECALLS, nation=RELEASE, principal=OFFICER)
    answer = cost["data"]["enterprise"]["shenzhenMarketRecalls"]
    assert [record["cost"] for record in answer["records"]] == [None, None]
    assert {"coordinate": "ShenzhenMarketRecall.cost", "decision": "WITHHELD", "mask": None} in answer["access"]
    (informant,) = ask(
        recalls("records { informant }"),
        nation=RELEASE,
        own=OWN_RULES,
    )
    assert informant["data"]["enterprise"]["shenzhenMarketRecalls"]["records"] == [
        {"informant": "李四"},
        {"informant": None},
    ]


def test_a_release_ends_with_its_rule(ask) -> None:
    (asked,) = ask(RECALLS, nation=RELEASE + "    until: 2026-01-31\n", own=OWN_RULES)
    assert [error["message"] for error in asked["errors"]] == [UNKNOWN]


def test_whom_a_released_type_is_not_opened_to_knows_its_field_as_soon_as_it_is_released(installed: Installed) -> None:
    views = Views(read_installation(installed.settings(installed.folder)).contract)
    nothing = frozenset[str]()
    known = [
        "shenzhenMarketRecalls" in view.schema.type_map["Enterprise"].fields
        for view in (views.view(nothing, frozenset({"ShenzhenMarketRecall"})), views.view(nothing, nothing))
    ]
    assert known == [False, True]


async def test_a_release_and_its_end_take_effect_as_they_are_published(installed: Installed) -> None:
    store = await open_store(installed.folder / "store")
    now = dt.datetime.now(dt.UTC)
    sealed, released = (read_directory(installed.policy(nation)) for nation in ("", RELEASE))
    await initialise(store, sealed, by="the centre", why="first", at=now)

    async def published(number: int, files: PolicyFiles) -> None:
        version = new_version(number, files, published_at=now, by="the centre", why="reviewed")
        await store.publish(version, expected=number - 1)
        await gateway.editions.reached(number)

    async with installed.opened(installed.folder / "store") as gateway:
        before = await answer(gateway, RECALLS)
        await published(2, released)
        during = await answer(gateway, RECALLS)
        await published(3, sealed)
        after = await answer(gateway, RECALLS)
    await store.close()
    assert [error["message"] for error in before["errors"]] == [UNKNOWN]
    assert during["data"]["enterprise"]["shenzhenMarketRecalls"]["status"] == "COMPLETE"
    assert after["errors"] == before["errors"]
