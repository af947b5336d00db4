"""What consents do to a request, and what the audit keeps of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet

from policies.consent import ConsentIssuer, ConsentVerifier, issue_consent
from policies.revocation import RevocationList
from policies.tree import Tree
from schema.values import Money

KEY = ECKey.generate_key("P-256", auto_kid=True)
NOW = dt.datetime.now(dt.UTC)
ARREARS = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
    taxArrears { records { balance { amount from to } } } } }"""


def consent(id_: str, company: str, **changes: Any) -> str:
    claims = {
        "id": id_,
        "issuer": "notary",
        "audience": "xinqiao",
        "company": company,
        "organisation": "first-bank",
        "purposes": ["credit.underwriting"],
        "scope": ["AUTHORISED", "RESTRICTED"],
        "issued": NOW - dt.timedelta(hours=1),
        "expires": NOW + dt.timedelta(hours=1),
    }
    return issue_consent(KEY, **(claims | changes))


@pytest.fixture
def world_with(make_world: Callable[..., Any], codes: Any) -> Callable[..., Any]:
    """A gateway that counts the notary's consents, by this revocation list."""

    def make(revocations: RevocationList | None) -> Any:
        arrears = {"recordId": "t1", "balance": Money(Decimal("123456.78")), "objection": False}
        issuer = ConsentIssuer("notary", KeySet([KEY]), frozenset({"any"}), revocations)
        verifier = ConsentVerifier({"notary": issuer}, "xinqiao", Tree({}))
        return make_world({("tax/TaxArrears", codes.hangzhou): (arrears,)}, consents=verifier)

    return make


def fresh(*revoked: str) -> RevocationList:
    return RevocationList(frozenset(revoked), NOW.timestamp(), NOW.timestamp() + 3_600)


async def ask(world: Any, codes: Any, *consents: str) -> dict[str, Any]:
    answer: dict[str, Any] = await world.ask(
        ARREARS, purpose="credit.underwriting", consents=consents, codes=[codes.hangzhou]
    )
    return answer


def balance(answer: dict[str, Any]) -> dict[str, Any]:
    (record,) = answer["data"]["enterprises"][0]["taxArrears"]["records"]
    found: dict[str, Any] = record["balance"]
    return found


async def test_a_consent_that_counts_opens_its_company_and_the_audit_names_it(world_with, codes) -> None:
    world = world_with(fresh("c-9"))
    assert balance(await ask(world, codes, consent("c-1", codes.hangzhou)))["amount"] == "123456.78"
    (line,) = world.audit.lines
    assert line["consents"] == [{"issuer": "notary", "id": "c-1"}]
    assert line["consentsRefused"] == []


@pytest.mark.parametrize(
    ("listed", "code"), [("c-1", "CONSENT_REVOKED"), (None, "CONSENT_REVOCATION_UNKNOWN")], ids=["revoked", "unknown"]
)
async def test_a_revoked_consent_opens_nothing_and_its_reason_is_told_and_kept(world_with, codes, listed, code) -> None:
    world = world_with(fresh(listed) if listed else None)
    answer = await ask(world, codes, consent("c-1", codes.hangzhou))
    assert balance(answer)["amount"] is None
    (notice,) = answer["extensions"]["consents"]
    assert (notice["index"], notice["code"]) == (0, code)
    (line,) = world.audit.lines
    assert line["consents"] == []
    assert line["consentsRefused"] == [{"index": 0, "code": code}]


async def test_the_audit_says_which_of_many_consents_counted_and_which_not_and_holds_no_token(
    world_with, codes
) -> None:
    world = world_with(fresh("c-2"))
    tokens = (
        consent("c-0", codes.hangzhou, organisation="second-bank"),
        consent("c-1", codes.hangzhou),
        consent("c-2", codes.hangzhou),
        "not.a.consent",
        consent("c-4", codes.ningbo),
    )
    answer = await ask(world, codes, *tokens)
    assert balance(answer)["amount"] == "123456.78"
    (line,) = world.audit.lines
    assert [one["id"] for one in line["consents"]] == ["c-1", "c-4"]
    assert line["consentsRefused"] == [
        {"index": 0, "code": "CONSENT_OF_OTHER_ORGANISATION"},
        {"index": 2, "code": "CONSENT_REVOKED"},
        {"index": 3, "code": "CONSENT_MALFORMED"},
    ]
    assert not any(token in str(line) for token in tokens)


async def test_the_policy_in_force_says_which_purposes_lie_below_a_consents(world_with, codes) -> None:
    # The verifier was made with a tree without any purpose.
    answer = await ask(world_with(fresh()), codes, consent("c-1", codes.hangzhou, purposes=["credit"]))
    assert balance(answer)["amount"] == "123456.78"
