"""A record type of an agency's own, from its manifest to the answer: unseen until the centre releases it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.assembly import open_gateway, read_installation
from gateway.messages import Principal, Received
from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
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


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., list[Any]]:
    """Asks a gateway with the manifest above, under the shipped policy with more rules."""
    manifests, policies = tmp_path / "agencies", tmp_path / "policies"
    shutil.copytree(ROOT / "policies", policies)
    shutil.copytree(ROOT / "connectors/agencies", manifests)
    (manifests / "shenzhen-market.yaml").write_text(MANIFEST, "utf-8")
    trees = policies / "trees.yaml"
    trees.write_text(f"{trees.read_text('utf-8').rstrip()}\n  shenzhen-market: market-regulation\n", "utf-8")
    names = ("TAX", "COURT", "ENVIRONMENT", "GUANGDONG_PENALTIES", "ZHEJIANG_PENALTIES")
    environment = {f"{name}_URL": "http://127.0.0.1:9" for name in names}
    environment |= {"REGISTRY_URL": f"sqlite:///{tmp_path / 'registry.db'}", "CUSTOMS_DROP": str(tmp_path)}
    settings = Settings(
        secret="s" * 32,
        plain_networks=["127.0.0.0/8"],
        audit_file=tmp_path / "audit.jsonl",
        manifests=manifests,
        policies=str(policies),
    )

    async def answers(queries: tuple[str, ...], principal: Principal) -> list[Any]:
        async with open_gateway(settings, read_installation(settings), environment) as gateway:
            deadline = asyncio.get_running_loop().time() + 20
            return [
                orjson.loads((await gateway.answer(received)).body)
                for received in (
                    Received("r", query, None, {}, principal, None, (), deadline, read_only=False) for query in queries
                )
            ]

    def answer(*queries: str, nation: str = "", own: str = "", principal: Principal = ANYBODY) -> list[Any]:
        rules = policies / "rules/nation.yaml"
        rules.write_text((ROOT / "policies/rules/nation.yaml").read_text("utf-8") + nation, "utf-8")
        if own:
            (policies / "rules/shenzhen-market.yaml").write_text(own, "utf-8")
        return asyncio.run(answers(queries, principal))

    return answer


def test_nobody_learns_of_a_record_type_that_the_centre_has_not_released(ask) -> None:
    direct, introspected, told, spread = ask(
        RECALLS,
        '{ __type(name: "ShenzhenMarketRecall") { name } __schema { types { name } } }',
        "{ agencies { id records } me { access { coordinate } } _service { sdl } }",
        "{ agencies { ... on ShenzhenMarketRecall { product } } }",
        own=OWN_RULES,
    )
    assert [error["message"] for error in direct["errors"]] == [UNKNOWN]
    assert [error["message"] for error in spread["errors"]] == ["Unknown type 'ShenzhenMarketRecall'."]
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
