"""Whatever is asked, by whomever, under whichever policy: no answer holds a value that casbin, asked directly on the
whole policy for that coordinate, caller and company, would not show as it is; and no agency is asked for it.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet

from gateway.limits import Limits
from gateway.messages import Principal
from policies.consent import ConsentIssuer, issue_consent
from policies.decision import Basis, CallerClass, Effect
from policies.errors import PolicyInvalid
from policies.policy import Act
from tests.gateway.stages.conftest import (
    ADMIN,
    ANYBODY,
    BANK,
    DATASETS,
    GUANGZHOU,
    HANGZHOU,
    INSPECTOR,
    REGULATOR,
    SHENZHEN,
    World,
)
from tests.policies.naive import Naive, Shown
from tests.security.marked_rows import HOLDERS, MARKERS, ROWS
from tests.security.routes import ask, guarded_world
from tests.security.strategies import operations, rules

LIMITS = Limits(tokens=20_000, fields=10_000, aliases=1_000)
CONTROL = {"recordId", "objection", "publishedFrom", "publishedUntil", "repairedOn", "removedOn", "severity"}
"""What agencies are asked for to tell records apart and to judge their publicity, whatever the caller may see."""
COUNTED_FROM = {("Penalty", "decidedOn")}

DIVISIONS = {"zhejiang-regulator": "33", "tax-bureau-zhejiang": "33"}
"""The organisations with a territory, as organisations.yaml has them."""


@dataclass(frozen=True)
class Consented:
    """A consent that the tests' issuer signed for a bank."""

    company: str
    organisation: str
    purpose: str
    scope: frozenset[str]
    token: str


KEY = ECKey.generate_key("P-256", auto_kid=True)


def consented(company: str, organisation: str, purpose: str, *scope: str) -> Consented:
    now = datetime.now(UTC)
    token = issue_consent(
        KEY,
        id=f"{company}/{organisation}",
        issuer="registry",
        audience="xinqiao",
        company=company,
        organisation=organisation,
        purposes=[purpose],
        scope=scope,
        issued=now - timedelta(hours=1),
        expires=now + timedelta(hours=1),
    )
    return Consented(company, organisation, purpose, frozenset(scope), token)


CONSENTS = (
    consented(HANGZHOU, "first-bank", "credit", "AUTHORISED"),
    consented(HANGZHOU, "second-bank", "credit", "AUTHORISED", "RESTRICTED"),
    consented(SHENZHEN, "first-bank", "credit.underwriting", "TaxArrears.balance", "Penalty.*"),
    consented(SHENZHEN, "first-bank", "credit.monitoring", "RESTRICTED"),
    consented(GUANGZHOU, "first-bank", "credit", "Registration"),
)
PURPOSES = {
    "first-bank": ["credit", "credit.underwriting", "credit.monitoring"],
    "second-bank": ["credit", "credit.underwriting"],
    "zhejiang-regulator": ["supervision.inspection"],
    "tax-bureau-zhejiang": ["supervision.tax", "supervision.inspection"],
    "policy-office": ["policy.administration"],
    "company": ["self.review"],
}
PRINCIPALS = (
    ANYBODY,
    BANK,
    Principal("other", "second-bank", frozenset({"bank.officer"})),
    Principal("climber", "first-bank", frozenset({"bank.officer", "regulator", "company"}), company=HANGZHOU),
    INSPECTOR,
    REGULATOR,
    ADMIN,
    Principal("secretary", "company", frozenset({"company"}), company=HANGZHOU),
    Principal("holder", "company", frozenset({"company"}), company=GUANGZHOU),
)


@dataclass(frozen=True)
class Asker:
    """Who asks, for what, and with which consents."""

    principal: Principal
    purpose: str | None
    consents: tuple[Consented, ...]

    def class_for(self, company: str) -> CallerClass:
        """The class of caller for a company, by the design's words."""
        who = self.principal
        held = [
            one
            for one in self.consents
            if (one.company, one.organisation) == (company, who.organisation)
            and self.purpose is not None
            and f"{self.purpose}.".startswith(f"{one.purpose}.")
        ]
        bases = {Basis.CONSENT} if held else set()
        if who.company == company:
            bases.add(Basis.SELF)
        if company[2:8].startswith(DIVISIONS.get(who.organisation, "none")):
            bases.add(Basis.JURISDICTION)
        scope = frozenset().union(*(one.scope for one in held))
        return CallerClass(who.roles, who.organisation, self.purpose, frozenset(bases), scope)


@st.composite
def askers(draw: st.DrawFn) -> Asker:
    principal = draw(st.just(BANK) | st.sampled_from(PRINCIPALS))
    purpose = draw(st.sampled_from([None, *PURPOSES.get(principal.organisation, [])]))
    consents = draw(st.lists(st.sampled_from(CONSENTS), min_size=principal is BANK, max_size=3, unique=True))
    return Asker(principal, purpose, tuple(consents))


def world_under(more_rules: str) -> World:
    """A gateway over the marked rows, which believes the tests' issuer of consents."""
    try:
        world = guarded_world(ROWS, more_rules, LIMITS)
    except PolicyInvalid:
        assume(False)  # noqa: FBT003  # two rules that say the same
    issuers = {"registry": ConsentIssuer("registry", KeySet([KEY]), frozenset({"any"}))}
    consents = world.gateway.consents
    believing = replace(consents, current=replace(consents.current, issuers=issuers))
    return replace(world, gateway=replace(world.gateway, consents=believing))


@cache
def naive_of(more_rules: str) -> Naive:
    return Naive(guarded_world({}, more_rules, LIMITS).gateway.editions.current.policy)


@dataclass(frozen=True)
class Truth:
    """What casbin says to one asker."""

    naive: Naive
    asker: Asker

    def decision(self, dataset: str, company: str, coordinate: str, act: Act) -> Shown:
        return self.naive.decision(self.asker.class_for(company), DATASETS[dataset].agency, coordinate, act)

    def shows(self, dataset: str, company: str, coordinate: str, act: Act) -> bool:
        """Whether it shows the value itself, which also needs the record to be shown."""
        return self.decision(dataset, company, coordinate, act)[0] is Effect.CLEAR

    def may_be_asked(self, dataset: str, company: str, field: str) -> bool:
        """Whether the agency may be asked for this column: to show it, masked or not, or as a control column."""
        record = DATASETS[dataset].record
        if self.decision(dataset, company, record, Act.READ)[0] is Effect.WITHHELD:
            return False
        if field in CONTROL or (record, field) in COUNTED_FROM:
            return True
        coordinate = f"{record}.{field}"
        return any(self.decision(dataset, company, coordinate, act)[0] is not Effect.WITHHELD for act in Act)


def readable(body: bytes) -> bytes:
    """The answer with what its cursors carry."""
    cursors = re.findall(rb'"((?:[A-Za-z0-9_-]{4}){5,}[A-Za-z0-9_-]{0,3}={0,2})"', body)
    return b"\n".join([body, *(base64.urlsafe_b64decode(cursor) for cursor in cursors if cursor.startswith(b"Wy"))])


def check_answer(body: bytes, truth: Truth) -> int:
    """Whether the answer holds nothing that casbin would not show; gives how many values it shows."""
    seen = readable(body)
    shown = [marker for marker in MARKERS if marker.text in seen]
    for marker in shown:
        assert truth.shows(marker.dataset, marker.company, marker.coordinate, marker.act), (marker, body)
    for company, holder in HOLDERS.items():
        if any(marker.company == holder for marker in shown):
            assert truth.shows("registry/Shareholder", company, "Shareholder.holder", Act.READ), body
    return len(shown)


def check_asked(world: World, truth: Truth) -> None:
    """Whether the agencies were asked for nothing that the caller may not see in some form."""
    for request in world.supply.requests:
        for code in request.codes:
            for column in request.columns:
                assert truth.may_be_asked(request.dataset, code, column), (request, column)


def test_no_operation_gets_more_than_casbin_says() -> None:
    counted: Counter[str] = Counter()

    @given(operations(), askers(), st.just("") | rules())
    # No shrinking: it would take longer than a test may.
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    def holds(operation: str, asker: Asker, more_rules: str) -> None:
        world = world_under(more_rules)
        tokens = tuple(one.token for one in asker.consents)
        body = asyncio.run(ask(world, operation, asker.principal, asker.purpose, tokens))
        truth = Truth(naive_of(more_rules), asker)
        counted["shown"] += check_answer(body, truth)
        check_asked(world, truth)
        counted["refused"] += b'"data"' not in body

    holds()
    # Else it would have held for want of anything to see.
    assert counted["shown"] > 200
    assert counted["refused"] < 60
