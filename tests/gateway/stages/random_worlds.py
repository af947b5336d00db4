"""Random worlds: record types, agencies that supply them, what these say of some companies, and who may see what.

The schema is made of the record types in the way in which the project's own is made.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count, product
from random import Random
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace
from stdnum.iso7064 import mod_11_10
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryOptional

from connectors.contract import (
    CompanyKey,
    CompanyRows,
    Coverage,
    Dataset,
    FailureCode,
    FetchRequest,
    KeyKind,
    Outcome,
    Row,
)
from connectors.lookups import LEGACY_IDENTIFIERS
from gateway.agencies.profile import AgencyProfile
from gateway.editions.editions import Edition
from gateway.editions.provision import Provision
from gateway.editions.tables import Tables
from gateway.editions.views import Views
from gateway.editions.workshop import Offered
from gateway.limits import Limits
from gateway.messages import Principal
from gateway.pipeline import Gateway, Secrets
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.quotas import Quotas
from gateway.receipt import Salt
from gateway.settings import CostSettings, DocumentSettings, QuotaSettings
from gateway.stages.cost import tariff
from gateway.stages.document import Documents, SchemaView
from gateway.stages.prepare import Preparer
from gateway.stages.trusted import TrustedDocuments
from policies.consent import ConsentVerifier
from policies.decision import CallerClass, Decision, DecisionTable, Effect, Reason
from policies.masks import MASKS
from policies.policy import Organisation, Outline
from policies.publicity import CHINA, Period, Publicity, Regime
from policies.tree import Tree
from schema import output_values
from schema.catalogue import Catalogue, RecordType, Tier
from schema.contract import Contract
from schema.derive import derive
from schema.query import enterprise_type, query_type
from schema.records.base import SourcedRecord
from schema.sdl import printed
from schema.tiers import CLASSIFICATION, Declaration, Record, classified, linked, record
from schema.values import Code, Count, DateSpan, Kind, Money
from tests.gateway.stages.conftest import (
    BEIJING,
    GUANGZHOU,
    HANGZHOU,
    NINGBO,
    SHENZHEN,
    FixedConsents,
    FixedEdition,
    KeptAudit,
)
from tests.gateway.stages.reference import Reference

COMPANIES = (HANGZHOU, NINGBO, SHENZHEN, GUANGZHOU, BEIJING)
PURPOSE = "credit.loan"
GENEROUS = Limits(tokens=1_000_000, fields=1_000_000, depth=1_000, aliases=1_000_000, repeats=1_000_000)
"""Limits that no random operation reaches."""

AGENCIES = ("court", "registry", "tax")
SECRETS = Secrets(b"m" * 32, b"c" * 32, Salt(b"s" * 32))

TYPE_NAMES = ("Alpha", "Beta", "Gamma")
ANSWER_FIELDS = ("alphas", "status", "records", "source", "record", "holders")
"""Names of fields of `Enterprise`: some of them mean something else in an answer or in a record."""

FIELD_NAMES = ("status", "record", "records", "access", "name", "value", "code", "amount", "identity", "owner", "key")
"""Names of fields of records, likewise."""

TYPES: Mapping[Kind, Any] = MappingProxyType(
    {
        Kind.TEXT: str,
        Kind.INTEGER: int,
        Kind.DECIMAL: Decimal,
        Kind.BOOLEAN: bool,
        Kind.DATE: dt.date,
        Kind.DATE_SPAN: output_values.DateSpan,
        Kind.MONEY: output_values.Money,
        Kind.COUNT: output_values.Count,
        Kind.CODE: output_values.Code,
    }
)

NOW = dt.datetime(2026, 11, 26, 16, tzinfo=dt.UTC)
"""When everything is asked: a day begins in China, and elsewhere is not over."""

DAYS = (-1_000, -400, -100, -41, -40, -1, 0, 1, 9)
"""Days from today, of which records tell."""

SPANS = (DateSpan(dt.date(2011, 5, 6)), DateSpan(None, dt.date(987, 1, 1), dt.date(987, 12, 31)))
VALUES: Mapping[Kind, tuple[Any, ...]] = MappingProxyType(
    {
        Kind.TEXT: (
            "",
            "甲乙",
            "999999199902301234",
            "“Quoted”, \\ and\n\u2028",
            "丙丁、John Doe",
            "浙江省杭州市西湖区",
        ),
        Kind.INTEGER: (0, -1, 2**31 - 1, 2025),
        Kind.DECIMAL: (Decimal("12.50"), Decimal("-0"), Decimal("1E+5"), Decimal("0.0000001")),
        Kind.BOOLEAN: (True, False),
        Kind.DATE_SPAN: SPANS,
        Kind.MONEY: (Money(Decimal("0.1")), Money(Decimal(-70000), "USD"), Money(Decimal("1E+8"))),
        Kind.COUNT: (Count(0), Count(42), Count(-7)),
        Kind.CODE: (Code("minor"), Code("serious", "严重"), Code("other", "Other")),
        Kind.CREDIT_CODE: COMPANIES,
    }
)
MOMENTS = (
    None,
    dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 31, 23, 59, 59, 250_000, tzinfo=CHINA),
)


@st.composite
def record_classes(draw, name: str, answer_field: str) -> type[Record]:
    """A record type as `schema/records` declares them."""
    declared: dict[str, Any] = {}
    annotations: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(FIELD_NAMES), min_size=1, max_size=5, unique=True)):
        kind, tier = draw(st.sampled_from([*TYPES, Kind.CREDIT_CODE, Kind.CREDIT_CODE])), draw(st.sampled_from(Tier))
        if kind is Kind.CREDIT_CODE:
            declared[field], annotations[field] = linked(tier, "A link.", "链接。"), str | None
        else:
            declared[field], annotations[field] = classified(tier, "A field.", "字段。"), TYPES[kind] | None
    dates = [name for name, made in annotations.items() if made == dt.date | None]
    # What sorts, filters and ends publicity is often there.
    declared["decided_on"] = classified(draw(st.sampled_from(Tier)), "A day.", "日期。")
    declared["grade"] = classified(Tier.PUBLIC, "A grade.", "等级。")
    annotations |= {"decided_on": dt.date | None, "grade": output_values.Code | None}
    dates = [
        "decidedOn",
        "publishedFrom",
        *(f for f, made in annotations.items() if made == dt.date | None and f != "decided_on"),
    ]
    single = draw(st.booleans())
    filters = {
        f"by{number}": (draw(st.sampled_from(dates)), draw(st.sampled_from([">=", "<="])))
        for number in range(0 if single else draw(st.integers(0, 3)))
    }
    declaration = Declaration(
        field=answer_field,
        tier=draw(st.sampled_from(Tier)),
        chinese="记录。",
        single=single,
        ordered_by=draw(st.sampled_from([None, *dates])),
        filters=filters,
    )
    namespace = {"__doc__": "A record.", "__module__": __name__, "__annotations__": annotations, **declared}
    return record(declaration)(type(name, (SourcedRecord,), namespace))


@st.composite
def schemas(draw) -> Contract:
    """One to three record types, and all that is made of them."""
    fields = draw(st.permutations(ANSWER_FIELDS))
    names = TYPE_NAMES[: draw(st.integers(1, len(TYPE_NAMES)))]
    classes = [draw(record_classes(name, field)) for name, field in zip(names, fields, strict=False)]
    catalogue = derive(classes)
    enterprise = enterprise_type(classes, catalogue.records)
    for cls in classes:
        for field in get_object_definition(cls, strict=True).fields:
            classification = field.metadata.get(CLASSIFICATION)
            if classification and classification.link:
                # They are declared to lead to the project's own enterprises.
                field.type = StrawberryOptional(enterprise)
    return Contract(catalogue, printed(query_type(enterprise)))


@dataclass(frozen=True)
class DrawnTables:
    """Decisions that no rule explains: `based` where a legal basis holds."""

    unbased: DecisionTable
    based: DecisionTable
    opened: frozenset[str]

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        assert not public
        return self.based if caller.bases else self.unbased

    async def openable(self, _roles: frozenset[str], _organisation: str, *, public: bool) -> frozenset[str]:
        assert not public
        return self.opened


def _decision(chance: Random, coordinate: str) -> Decision:
    """Most coordinates are clear; rows are never masked."""
    effect = chance.choices(list(Effect), weights=[65, 20, 15] if "." in coordinate else [90, 0, 10])[0]
    if effect is Effect.CLEAR:
        return Decision(effect)
    mask = chance.choice(sorted(MASKS)) if effect is Effect.MASKED else None
    return Decision(effect, mask=mask, reason=chance.choice(list(Reason)))


def _cells(chance: Random, datasets: tuple[Dataset, ...]) -> Mapping[str, Mapping[str, Decision]]:
    made: dict[str, dict[str, Decision]] = {}
    for one in datasets:
        for coordinate in (one.record, *(f"{one.record}.{name}" for name in sorted(one.fields))):
            made.setdefault(one.agency, {})[coordinate] = _decision(chance, coordinate)
    return made


@st.composite
def tables(draw, chance: Random, datasets: tuple[Dataset, ...], catalogue: Catalogue) -> DrawnTables:
    unbased, based = (
        DecisionTable(version, _cells(chance, datasets), _cells(chance, datasets) if draw(st.booleans()) else {})
        for version in ("1-unbased", "1-based")
    )
    opened = {
        coordinate
        for table, act in product((unbased, based), ("cells", "expired"))
        for decided in getattr(table, act).values()
        for coordinate, decision in decided.items()
        if decision.effect is not Effect.WITHHELD
    }
    every = [coordinate for coordinate, _ in catalogue.tiers()]
    also = draw(st.one_of(st.just(every), st.lists(st.sampled_from(every), max_size=5)))
    return DrawnTables(unbased, based, frozenset(opened.union(also)))


@st.composite
def dataset_sets(draw, catalogue: Catalogue) -> tuple[Dataset, ...]:
    """One supplier or several of each record type."""
    made = []
    for entry in catalogue.records.values():
        for agency in draw(st.lists(st.sampled_from(AGENCIES), min_size=1, max_size=3, unique=True)):
            lacking = draw(st.lists(st.sampled_from(sorted(entry.fields)), max_size=2))
            fields = frozenset(entry.fields).difference(lacking) | {"recordId"}
            able = [argument for argument, (field, _) in entry.filters.items() if field in fields]
            made.append(
                Dataset(
                    id=f"{agency}/{entry.name}",
                    agency=agency,
                    record=entry.name,
                    fields=fields,
                    coverage=draw(st.sampled_from(COVERAGES)),
                    batch=draw(st.sampled_from([1, 200])),
                    projection=True,
                    filters=frozenset(able if draw(st.booleans()) else ()),
                    time_to_live=0,
                    shared=False,
                    key=draw(st.sampled_from([KeyKind.CREDIT_CODE, KeyKind.CREDIT_CODE, KeyKind.REGISTRATION_NUMBER])),
                    precedence=draw(st.sampled_from([10, 100, 100])) if entry.single else 100,
                )
            )
    return tuple(made)


NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        code: body + mod_11_10.calc_check_digit(body)
        for body, code in zip(map(str, count(10**13)), COMPANIES, strict=False)
    }
)
"""The companies' registration numbers, by which some agencies know them."""

CROSSWALK = Dataset(
    id="registry/LegacyIdentifiers",
    agency="registry",
    record=LEGACY_IDENTIFIERS,
    fields=frozenset({"registrationNumber"}),
    coverage=Coverage(),
    batch=200,
    projection=True,
    filters=frozenset(),
    time_to_live=0,
    shared=False,
)

COVERAGES = (
    Coverage(),
    Coverage(),
    Coverage(registered=True, divisions=frozenset({"33", "4401"})),
    Coverage(registered=True, authorities=frozenset({"1"})),
    Coverage(registered=True, categories=frozenset({"51", "93"})),
    Coverage(registered=False, divisions=frozenset({"33"})),
)


@st.composite
def publicities(draw, catalogue: Catalogue, today: dt.date) -> Publicity:
    """The rules in force, and sometimes others that are not yet."""
    dates = sorted(
        {
            field.name
            for entry in catalogue.records.values()
            for field in entry.fields.values()
            # A date in every record type that has a field of this name.
            if all(other.fields.get(field.name, field).kind is Kind.DATE for other in catalogue.records.values())
        }
    )
    regimes = []
    for days in draw(st.sampled_from([(-300,), (-300, -1), (-300, 1)])):
        periods = {
            entry.name: Period("decidedOn", "grade", {"minor": (0, 3), "serious": (12, 36)})
            for entry in catalogue.records.values()
            if draw(st.booleans())
        }
        ended_by = tuple(draw(st.lists(st.sampled_from(dates), max_size=1)))
        regimes.append(Regime(today + dt.timedelta(days=days), "invented", ended_by, periods))
    return Publicity(tuple(regimes))


def everything_said(
    chance: Random, datasets: tuple[Dataset, ...], catalogue: Catalogue, today: dt.date
) -> Mapping[tuple[str, str], CompanyRows]:
    """What each dataset says of each company; of some companies some say nothing."""
    said = {}
    for one in datasets:
        failure = chance.choice(list(FailureCode))
        for code in COMPANIES:
            outcome = chance.choices([*Outcome, None], weights=[80, 5, 5, 5, 5, 5])[0]
            if outcome is Outcome.FAILED or (outcome is None and failure is not FailureCode.AGENCY_BAD_RESPONSE):
                # Of one dataset all fail alike: which failure an error names of several as frequent is not fixed.
                rows = CompanyRows(Outcome.FAILED, failure=failure, retryable=chance.random() < 0.5)
                said[one.id, code] = rows
            elif outcome is not None:
                said[one.id, code] = _rows(chance, outcome, one, catalogue.records[one.record], today)
    return said


def _rows(chance: Random, outcome: Outcome, of: Dataset, entry: RecordType, today: dt.date) -> CompanyRows:
    number = 0 if outcome is Outcome.UNKNOWN_COMPANY else chance.choice([0, 1, 2, 2, 3, 4])
    ids = chance.sample(["a", "b", "Record 3", "号四"], number)
    rows = tuple(_row(chance, id_, of, entry, today) for id_ in ids)
    unreadable = {
        index: frozenset(name for name, value in row.items() if value is None)
        for index, row in enumerate(rows)
        if chance.random() < 0.2
    }
    as_of, not_older_than = chance.choice(MOMENTS), chance.choice(MOMENTS)
    return CompanyRows(outcome, rows, as_of, not_older_than, unreadable=unreadable)


def _row(chance: Random, id_: str, of: Dataset, entry: RecordType, today: dt.date) -> Row:
    row: dict[str, Any] = {}
    for name in entry.fields:
        kind = entry.fields[name].kind
        missing = 0.8 if name in ("publishedFrom", "publishedUntil") else 0.1
        if name not in of.fields:
            continue
        if chance.random() < missing:
            row[name] = None
        else:
            row[name] = value_of(chance, kind, today)
    return {**row, "recordId": id_}


def value_of(chance: Random, kind: Kind, today: dt.date) -> Any:
    """A value of this kind."""
    return today + dt.timedelta(days=chance.choice(DAYS)) if kind is Kind.DATE else chance.choice(VALUES[kind])


@dataclass(frozen=True)
class SaidSupply:
    """Gives what was said, cut to what is asked for. Filters are left to the gateway, as any agency may.

    A dataset that knows companies by registration number says the same as if it knew their credit codes.
    """

    datasets: Mapping[str, Dataset]
    said: Mapping[tuple[str, str], CompanyRows]

    async def fetch(self, request: FetchRequest) -> Mapping[CompanyKey, CompanyRows]:
        asked = self.datasets[request.dataset]
        assert request.columns <= asked.fields
        assert request.filters.keys() <= asked.filters
        await asyncio.sleep(0)
        if asked is CROSSWALK:
            return {
                code: CompanyRows(Outcome.ANSWERED, ({"registrationNumber": NUMBERS[code]},)) for code in request.codes
            }
        codes = {NUMBERS[code]: code for code in COMPANIES} if asked.key is KeyKind.REGISTRATION_NUMBER else None
        found = ((key, self.said.get((request.dataset, codes[key] if codes else key))) for key in request.codes)
        return {key: _cut(rows, request.columns) for key, rows in found if rows}


def _cut(whole: CompanyRows, columns: frozenset[str]) -> CompanyRows:
    rows = tuple({name: value for name, value in row.items() if name in columns} for row in whole.rows)
    return replace(whole, rows=rows, unreadable={index: names & columns for index, names in whole.unreadable.items()})


@dataclass(frozen=True)
class RandomWorld:
    """A gateway over a random world, and what it takes to work its answers out otherwise."""

    catalogue: Catalogue
    gateway: Gateway
    view: SchemaView
    drawn: DrawnTables
    supply: SaidSupply
    policy: Outline
    publicity: Publicity
    today: dt.date

    def reference(self, principal: Principal, purpose: str | None) -> Reference:
        """The caller's view, plainly. A basis holds for companies of its province, and for itself."""
        province = self.policy.organisations[principal.organisation].division
        based = {code: code[2:4] == province or code == principal.company for code in COMPANIES}
        return Reference(
            catalogue=self.catalogue,
            datasets=self.supply.datasets,
            agencies=self.gateway.editions.current.provision.agencies,
            said=self.supply.said,
            tables={code: self.drawn.based if held else self.drawn.unbased for code, held in based.items()},
            unbased=self.drawn.unbased,
            openable=self.drawn.opened,
            policy=self.policy,
            publicity=self.publicity,
            today=self.today,
            principal=principal,
            purpose=purpose,
            mask_key=SECRETS.masks,
            cursor_key=SECRETS.cursors,
        )


@st.composite
def worlds(draw) -> RandomWorld:
    today = NOW.astimezone(CHINA).date()
    schema = draw(schemas())
    catalogue = schema.catalogue
    datasets = draw(dataset_sets(catalogue))
    # What is many is left to chance: hypothesis would run out of choices.
    chance = Random(draw(st.integers(0, 2**32)))  # noqa: S311 - nothing secret
    drawn, publicity = draw(tables(chance, datasets, catalogue)), draw(publicities(catalogue, today))
    by_id = {one.id: one for one in (*datasets, CROSSWALK)}
    supply = SaidSupply(by_id, everything_said(chance, datasets, catalogue, today))
    policy = _policy(catalogue, draw(st.sampled_from([None, "33"])))
    agencies = {
        id_: AgencyProfile(id_, f"Agency {id_}", chance.choice([None, f"机构 {id_}"]), tuple(sorted(supplied)))
        for id_ in AGENCIES
        if (supplied := [one.record for one in datasets if one.agency == id_])
    }
    provision = Provision(
        offered=Offered(catalogue, {}),
        datasets=by_id,
        agencies=agencies,
        shared=frozenset(),
        tariff=tariff(CostSettings(), by_id),
        supply=supply,
        views=Views(schema),
        documents=Documents(catalogue, GENEROUS),
    )
    made, preparer = Tables(policy.organisations, {}, drawn), Preparer(by_id, agencies, publicity)
    gateway = Gateway(
        editions=FixedEdition(Edition(policy, publicity, made, preparer, provision)),
        consents=FixedConsents(ConsentVerifier({}, "xinqiao", policy.purposes)),
        audit=KeptAudit(),
        limits=GENEROUS,
        trusted=TrustedDocuments(DocumentSettings()),
        quotas=Quotas(QuotaSettings(), MemoryCounters()),
        secrets=SECRETS,
        now=lambda: NOW,
    )
    view = provision.views.view(drawn.opened, frozenset())
    return RandomWorld(catalogue, gateway, view, drawn, supply, policy, publicity, today)


def _policy(catalogue: Catalogue, division: str | None) -> Outline:
    bank = Organisation("bank", "Bank", "银行", "any", division, frozenset({"officer"}), frozenset({"credit"}))
    return Outline(
        version="1-0123456789ab",
        published_at=dt.datetime(2026, 4, 1, tzinfo=dt.UTC),
        published_by="tester",
        why="drawn",
        roles=Tree({"officer": "any"}),
        purposes=Tree({"credit": "any", PURPOSE: "credit", "supervision": "any"}),
        agencies=Tree(dict.fromkeys(AGENCIES, "any")),
        organisation_tree=Tree({"bank": "any"}),
        organisations={"bank": bank},
        tiers=dict(catalogue.tiers()),
        default_masks={},
        next_change=None,
    )
