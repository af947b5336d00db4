"""Recorded requests sent again by somebody else: what comes is what that caller may see by itself, to the byte, and
nothing of what was kept for, found for, or shown to the one who sent them first.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

from connectors.contract import KeyKind
from gateway.audit.keys import SigningKeys
from gateway.edge.app import create_app
from gateway.identity.identity import load_authenticator
from gateway.receipt import Receipts, verify_receipt
from gateway.settings import DocumentSettings, IssuerSettings, Settings
from gateway.stages.trusted import TrustedDocuments
from policies.consent import ConsentIssuer, ConsentVerifier, issue_consent
from policies.revocation import RevocationList
from policies.tree import Tree
from schema.values import Code, Money
from tests.gateway.stages.conftest import DATASETS, HANGZHOU, NINGBO, SHENZHEN, KeptAudit, build_world, dataset
from tests.gateway.stages.random_worlds import NUMBERS
from tests.security.routes import VIEWS, CachingSupply

ISSUER, NOTARY = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
SIGNING = OKPKey.generate_key("Ed25519", auto_kid=True)
PUBLIC = KeySet([OKPKey.import_key(SIGNING.as_dict(private=False))])
NOW = dt.datetime.now(dt.UTC)
PURPOSE = "credit.underwriting"

BY_NUMBER, SEARCH = "registry/CompanyByRegistrationNumber", "registry/CompanySearch"
SUPPLIED = {
    **DATASETS,
    BY_NUMBER: dataset(BY_NUMBER, key=KeyKind.REGISTRATION_NUMBER, fields=frozenset({"creditCode"})),
    SEARCH: dataset(SEARCH, key=KeyKind.NAME, fields=frozenset({"creditCode", "name", "division"})),
}
SUM, PHONE = "123456.78", "0571-8765432"
MARKERS = (SUM, PHONE)
"""What a company's consent opens to the first bank, or the company itself sees, and nobody else."""

_ROWS: Mapping[tuple[str, str], tuple[Mapping[str, Any], ...]] = {
    ("registry/Registration", HANGZHOU): (
        {"recordId": "r1", "name": "若木有限公司", "telephone": PHONE, "paidInCapital": Money(Decimal(SUM))},
    ),
    ("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "name": "持股", "holder": NINGBO},),
    ("tax/TaxArrears", HANGZHOU): ({"recordId": "t1", "balance": Money(Decimal("98765.43"))},),
    ("zhejiang-penalties/Penalty", HANGZHOU): tuple(
        {"recordId": f"p{n}", "decidedOn": NOW.date() - dt.timedelta(days=n), "severity": Code("serious")}
        for n in range(10, 13)
    ),
    (BY_NUMBER, NUMBERS[HANGZHOU]): ({"creditCode": HANGZHOU},),
    (SEARCH, "若木"): ({"creditCode": HANGZHOU, "name": "若木有限公司"},),
}
ROWS = {
    key: tuple({**dict.fromkeys(SUPPLIED[key[0]].fields), "objection": False, **row} for row in rows)
    for key, rows in _ROWS.items()
}

SHOWN = """registration { status sources { status asOf notOlderThan } access { coordinate decision reason }
    record { name telephone paidInCapital { amount from to } } }"""
QUERY = f'{{ enterprise(code: "{HANGZHOU}") {{ {SHOWN} taxArrears {{ status records {{ balance {{ amount }} }} }} }} }}'
LINKS = f'{{ enterprise(code: "{HANGZHOU}") {{ shareholders {{ records {{ holder {{ creditCode {SHOWN} }} }} }} }} }}'
PAGE = f"""query ($after: String) {{ enterprise(code: "{HANGZHOU}") {{ penalties(first: 1, after: $after) {{
    hasMore endCursor records {{ recordId decidedOn }} }} }} }}"""
LOOKUPS = (
    f'{{ enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: "{NUMBERS[HANGZHOU]}") {{ creditCode {SHOWN} }} }}',
    f'{{ findEnterprises(name: "若木") {{ name enterprise {{ creditCode {SHOWN} }} }} }}',
    f'{{ verifyEnterprise(code: "{HANGZHOU}", name: "若木有限公司") {{ status creditCode name }} }}',
)
LISTED = sha256(QUERY.encode()).hexdigest()


def token(organisation: str, role: str = "bank.officer", **claims: Any) -> str:
    usual = {"iss": "https://id.example", "aud": "xinqiao", "sub": f"somebody of {organisation}", "org": organisation}
    usual |= {"roles": [role], "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "ES256", "kid": ISSUER.kid}, {**usual, **claims}, ISSUER)


FIRST = token("first-bank")
HANGZHOU_ITSELF = token("company", "company", company=HANGZHOU)


def consent() -> str:
    """The company's consent to the first bank, to ask before a loan."""
    return issue_consent(
        NOTARY,
        id="c-1",
        issuer="notary",
        audience="xinqiao",
        company=HANGZHOU,
        organisation="first-bank",
        purposes=[PURPOSE],
        scope=["AUTHORISED", "RESTRICTED"],
        issued=NOW - dt.timedelta(hours=1),
        expires=NOW + dt.timedelta(hours=1),
    )


@dataclass(frozen=True)
class Installation:
    """A gateway behind its HTTP edge. Its agencies' rows, where kept, may serve everybody: nothing but the decisions
    stands between two callers.
    """

    client: httpx.AsyncClient
    audit: KeptAudit
    supply: CachingSupply


def installation(directory: Path) -> Installation:
    none_revoked = RevocationList(frozenset(), NOW.timestamp(), NOW.timestamp() + 3_600)
    issuer = ConsentIssuer("notary", KeySet([NOTARY]), frozenset({"any"}), none_revoked)
    world = build_world(ROWS, datasets=SUPPLIED, consents=ConsentVerifier({"notary": issuer}, "xinqiao", Tree({})))
    supply = CachingSupply(SUPPLIED, ROWS)
    world = world.provided(supply=supply, shared=frozenset(SUPPLIED), views=VIEWS)
    listed = directory / "operations.json"
    listed.write_text(json.dumps({LISTED: QUERY}))
    gateway = replace(
        world.gateway,
        receipts=Receipts("xinqiao", SigningKeys(SIGNING, PUBLIC)),
        trusted=TrustedDocuments(DocumentSettings(file=listed, organisations={"first-bank": "off"})),
    )
    jwks = KeySet([ISSUER]).as_dict(private=False)
    settings = Settings(issuers=(IssuerSettings(id="https://id.example", jwks=jwks),), anonymous="public")
    policy = gateway.editions.current.policy

    async def refused(*_: object) -> None:
        """Refusals are of no interest here."""

    app = create_app(
        pipeline=gateway,
        authenticator=load_authenticator(settings, lambda: policy.organisations),
        settings=settings,
        record_refusal=refused,
        readiness={},
    )
    transport = httpx.ASGITransport(app)
    return Installation(httpx.AsyncClient(transport=transport, base_url="http://gateway"), world.audit, supply)


@dataclass(frozen=True)
class Sender:
    """Sends a chain of requests, each as the answers before it led to, and writes down what went over the wire."""

    client: httpx.AsyncClient
    authorization: str
    purpose: str
    sent: list[httpx.Request] = field(default_factory=list)
    got: list[httpx.Response] = field(default_factory=list)

    async def send(self, content: Mapping[str, Any], **headers: str) -> Any:
        return await self.keep(
            self.client.build_request("POST", "/graphql", json=content, headers={**self.headers, **headers})
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.authorization}", "X-Purpose": self.purpose, "X-Consent": consent()}

    async def keep(self, request: httpx.Request) -> Any:
        response = await self.client.send(request)
        self.sent.append(request)
        self.got.append(response)
        return response.json()


async def a_query(sender: Sender) -> None:
    await sender.send({"query": QUERY})
    await sender.send({"query": LINKS})


async def a_query_in_the_address(sender: Sender) -> None:
    await sender.keep(sender.client.build_request("GET", "/graphql", params={"query": QUERY}, headers=sender.headers))


async def a_receipt(sender: Sender) -> None:
    await sender.send({"query": QUERY}, **{"X-Receipt": "1"})
    await sender.send({"query": QUERY, "extensions": {"receipt": True, "cost": True}})


async def pages(sender: Sender) -> None:
    after = None
    for _ in range(3):
        answer = await sender.send({"query": PAGE, "variables": {"after": after}})
        after = answer["data"]["enterprise"]["penalties"]["endCursor"]


async def lookups(sender: Sender) -> None:
    for query in LOOKUPS:
        await sender.send({"query": query})


async def a_listed_operation(sender: Sender) -> None:
    await sender.send({"documentId": f"sha256:{LISTED}"})
    await sender.send({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": LISTED}}})


CHAINS = (a_query, a_query_in_the_address, a_receipt, pages, lookups, a_listed_operation)
Chain = Callable[[Sender], Awaitable[None]]
every_chain = pytest.mark.parametrize("chain", CHAINS, ids=[chain.__name__ for chain in CHAINS])


async def recorded(at: Installation, chain: Chain, authorization: str = FIRST, purpose: str = PURPOSE) -> Sender:
    sender = Sender(at.client, authorization, purpose)
    await chain(sender)
    assert {response.status_code for response in sender.got} == {200}
    assert all("data" in response.json() for response in sender.got)
    return sender


async def replayed(at: Installation, sent: list[httpx.Request], **headers: str | None) -> list[httpx.Response]:
    """The same requests with these headers in the place of theirs; None: without."""
    answers = []
    for request in sent:
        kept = {name: value for name, value in request.headers.items() if name not in {key.lower() for key in headers}}
        changed = {name: value for name, value in headers.items() if value is not None}
        answers.append(
            await at.client.request(request.method, request.url, content=request.content, headers={**kept, **changed})
        )
    return answers


def told(responses: list[httpx.Response]) -> list[tuple[int, Any]]:
    """The answers, without what is new in each: its id, the receipt's moment and nonce."""
    found = []
    for response in responses:
        body = response.json()
        body.get("extensions", {}).pop("requestId", None)
        for error in body.get("errors", ()):
            error.get("extensions", {}).pop("requestId", None)
        for part in ("at", "nonce"):
            body.get("extensions", {}).get("receipt", {}).pop(part, None)
        found.append((response.status_code, body))
    return found


def shown(responses: list[httpx.Response]) -> set[str]:
    return {marker for marker in MARKERS for response in responses if marker in response.text}


OTHERS: Mapping[str, Mapping[str, str | None]] = {
    "another bank": {"Authorization": f"Bearer {token('second-bank')}"},
    "a bank of another kind": {"Authorization": f"Bearer {token('rural-bank', 'bank.rural')}"},
    "another company": {"Authorization": f"Bearer {token('company', 'company', company=SHENZHEN)}", "X-Purpose": None},
    "the public": {"Authorization": None, "X-Purpose": None},
    "the same bank for another purpose": {"X-Purpose": "credit.monitoring"},
    "the same bank without the consent": {"X-Consent": None},
}
every_other = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


@every_chain
@every_other
async def test_a_replayed_chain_brings_what_its_sender_may_see_by_itself(
    chain: Chain, other: Mapping[str, str | None], tmp_path: Path
) -> None:
    used, fresh = installation(tmp_path), installation(tmp_path)
    first = await recorded(used, chain)
    again = await replayed(used, first.sent, **other)
    assert told(again) == told(await replayed(fresh, first.sent, **other))
    if chain not in (pages, lookups):
        assert shown(first.got) == {SUM}
    assert shown(again) == set()


@every_chain
async def test_a_chain_replayed_while_it_is_sent_shares_nothing_of_its_answers(chain: Chain, tmp_path: Path) -> None:
    used, fresh, other = installation(tmp_path), installation(tmp_path), OTHERS["another bank"]
    sent = (await recorded(installation(tmp_path), chain)).sent
    mine, theirs = await asyncio.gather(replayed(used, sent), replayed(used, sent, **other))
    assert told(theirs) == told(await replayed(fresh, sent, **other))
    assert shown(theirs) == set()
    assert told(mine) == told(await replayed(installation(tmp_path), sent))


@every_chain
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 600},
        {"aud": "another gateway"},
        {"iss": "https://other.example"},
        {"nbf": int(time.time()) + 600},
    ],
    ids=["expired", "for another gateway", "of another issuer", "not yet good"],
)
async def test_a_chain_replayed_with_a_token_that_is_not_good_is_401_and_asks_nobody(
    chain: Chain, claims: dict[str, Any], tmp_path: Path
) -> None:
    used = installation(tmp_path)
    sent = (await recorded(used, chain)).sent
    used.supply.requests.clear()
    again = await replayed(used, sent, Authorization=f"Bearer {token('first-bank', **claims)}")
    assert {response.status_code for response in again} == {401}
    assert all("data" not in response.json() for response in again)
    assert used.supply.requests == []


@every_chain
async def test_what_a_company_asked_about_itself_shows_another_nothing(chain: Chain, tmp_path: Path) -> None:
    used, fresh = installation(tmp_path), installation(tmp_path)
    first = await recorded(used, chain, HANGZHOU_ITSELF, "self.review")
    again = await replayed(used, first.sent, Authorization=f"Bearer {token('company', 'company', company=SHENZHEN)}")
    assert told(again) == told(
        await replayed(fresh, first.sent, Authorization=f"Bearer {token('company', 'company', company=SHENZHEN)}")
    )
    if chain not in (pages, lookups):
        assert shown(first.got) == set(MARKERS)
    assert shown(again) == set()


async def test_a_replay_is_recorded_as_its_senders_own_with_the_consent_refused(tmp_path: Path) -> None:
    used = installation(tmp_path)
    first = await recorded(used, a_query)
    await replayed(used, first.sent, **OTHERS["another bank"])
    lines = used.audit.lines
    assert [line["organisation"] for line in lines] == ["first-bank"] * 2 + ["second-bank"] * 2
    assert [bool(line["consents"]) for line in lines] == [True] * 2 + [False] * 2
    assert [bool(line["consentsRefused"]) for line in lines] == [False] * 2 + [True] * 2
    assert len({line["requestId"] for line in lines}) == 4


async def test_a_receipt_of_a_replay_is_the_senders_own_and_the_first_does_not_pass_for_its_answer(
    tmp_path: Path,
) -> None:
    used = installation(tmp_path)
    first = await recorded(used, a_receipt)
    again = await replayed(used, first.sent, **OTHERS["another bank"])
    for mine, theirs in zip(first.got, again, strict=True):
        stated = verify_receipt(theirs.headers["Xinqiao-Receipt"], theirs.content, PUBLIC)
        assert (stated["organisation"], stated["subject"]) == ("second-bank", "somebody of second-bank")
        with pytest.raises(Exception, match="none of the keys"):
            verify_receipt(mine.headers["Xinqiao-Receipt"], theirs.content, PUBLIC)


async def test_the_cursors_of_two_callers_tell_nothing_of_each_others(tmp_path: Path) -> None:
    """They lead on in each other's lists, for a cursor is a place in an order; but nothing in them can be compared."""
    used = installation(tmp_path)
    cursors = []
    for authorization, purpose in ((FIRST, PURPOSE), (token("second-bank"), PURPOSE), (FIRST, "credit.monitoring")):
        sender = await recorded(used, pages, authorization, purpose)
        cursors += [response.json()["data"]["enterprise"]["penalties"]["endCursor"] for response in sender.got]
    assert len(set(cursors)) == len(cursors) == 9


async def test_nothing_that_answers_may_be_kept_on_its_way(tmp_path: Path) -> None:
    """So that no proxy gives one caller's answer to another, with a condition or without."""
    used = installation(tmp_path)
    first = await recorded(used, a_query_in_the_address)
    conditions = {"If-None-Match": "*", "If-Modified-Since": "Fri, 27 Nov 2026 00:00:00 GMT"}
    again = await replayed(used, first.sent, **conditions)
    for response in (*first.got, *again):
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert not {"ETag", "Last-Modified", "Expires"} & {*response.headers}
