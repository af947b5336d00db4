from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_part
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import orjson
import pytest
from msgspec.structs import replace

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
from gateway.agencies.profile import AgencyProfile
from gateway.editions.coordinates import coordinates_by_agency
from gateway.editions.editions import Edition
from gateway.editions.provision import Provision
from gateway.editions.tables import Tables
from gateway.editions.views import Views
from gateway.editions.workshop import Offered
from gateway.limits import Limits
from gateway.messages import Principal, Received
from gateway.pipeline import Gateway, Secrets
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.quotas import Quotas
from gateway.receipt import Salt
from gateway.settings import CostSettings, DocumentSettings, QuotaSettings
from gateway.stages.cost import tariff
from gateway.stages.document import Documents
from gateway.stages.prepare import Preparer
from gateway.stages.trusted import TrustedDocuments
from policies.compile import compile_tables, openable
from policies.consent import ConsentVerifier
from policies.decision import CallerClass, DecisionTable
from policies.likeness import representatives
from policies.load import load_policy, read_directory
from policies.policy import Policy
from policies.publicity import load_publicity
from schema.contract import national
from schema.records import catalogue

ROOT = Path(__file__).parents[3]
CATALOGUE = catalogue()
AS_OF = dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC)

HANGZHOU = "91330100TEXT00025M"
NINGBO = "91330200TEXT00041G"
SHENZHEN = "91440300TEXT000170"
GUANGZHOU = "91440100TEXT0005XX"
BEIJING = "91110000TEXT00033M"
"""Invented companies in the provinces 33, 33, 44, 44 and 11."""


def dataset(
    id_: str,
    *,
    batch: int = 200,
    coverage: Coverage | None = None,
    fields: frozenset[str] | None = None,
    key: KeyKind = KeyKind.CREDIT_CODE,
) -> Dataset:
    agency, record = id_.split("/")
    return Dataset(
        id=id_,
        agency=agency,
        record=record,
        fields=fields if fields is not None else frozenset(CATALOGUE.records[record].fields),
        coverage=coverage or Coverage(),
        batch=batch,
        projection=True,
        filters=frozenset(),
        time_to_live=0,
        shared=False,
        key=key,
    )


@dataclass
class MemorySupply:
    """Datasets in memory: `rows` by dataset and company, `failing` datasets with their code. Keeps its `requests`."""

    datasets: Mapping[str, Dataset]
    rows: Mapping[tuple[str, str], tuple[Row, ...]] = field(default_factory=dict)
    failing: Mapping[str, FailureCode] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str], Outcome] = field(default_factory=dict)
    requests: list[FetchRequest] = field(default_factory=list)

    async def fetch(self, request: FetchRequest) -> Mapping[CompanyKey, CompanyRows]:
        self.requests.append(request)
        await asyncio.sleep(0)
        return {code: self._answer(request, code) for code in request.codes}

    def _answer(self, request: FetchRequest, code: CompanyKey) -> CompanyRows:
        whole = self.said(request.dataset, code)
        rows = tuple({name: value for name, value in row.items() if name in request.columns} for row in whole.rows)
        return replace(whole, rows=rows)

    def said(self, dataset_id: str, code: str) -> CompanyRows:
        """What a dataset says of a company when all its columns are asked for."""
        if dataset_id in self.failing:
            return CompanyRows(Outcome.FAILED, failure=self.failing[dataset_id], retryable=True)
        outcome = self.outcomes.get((dataset_id, code), Outcome.ANSWERED)
        return CompanyRows(outcome, self.rows.get((dataset_id, code), ()), as_of=AS_OF, not_older_than=AS_OF)

    def columns(self, dataset_id: str) -> frozenset[str]:
        """Every column that the dataset was ever asked for."""
        return frozenset().union(*(request.columns for request in self.requests if request.dataset == dataset_id))


@dataclass
class CompiledHere:
    """Tables that are compiled in this process, and kept between tests."""

    policy: Policy
    cells: Mapping[str, frozenset[str]]
    kept: ClassVar[dict[Any, Any]] = {}

    async def table(self, caller: CallerClass, *, public: bool) -> DecisionTable:
        assert not public
        return self._once(compile_tables, self.cells, caller)

    async def openable(self, roles: frozenset[str], organisation: str, *, public: bool) -> frozenset[str]:
        assert not public
        return self._once(openable, {**self.cells, "any": frozenset(self.policy.tiers)}, roles, organisation)

    def _once(self, make: Callable[..., Any], cells: Mapping[str, frozenset[str]], *args: Any) -> Any:
        key = (make, self.policy.version, frozenset(cells.items()), args)
        if key not in self.kept:
            self.kept[key] = make(self.policy, cells, *args)
        return self.kept[key]


DATASETS = {
    id_: dataset(id_)
    for id_ in (
        "registry/Registration",
        "registry/Shareholder",
        "court/JudgmentDefault",
        "tax/TaxArrears",
        "tax/TaxCredit",
        "zhejiang-penalties/Penalty",
        "guangdong-penalties/Penalty",
    )
}
AGENCIES = {
    id_: AgencyProfile(
        id_, f"Agency {id_}", f"机构 {id_}", tuple(sorted(d.record for d in DATASETS.values() if d.agency == id_))
    )
    for id_ in sorted({d.agency for d in DATASETS.values()})
}


@dataclass
class KeptAudit:
    """An audit log in memory."""

    lines: list[Mapping[str, Any]] = field(default_factory=list)

    async def append(self, record: Mapping[str, Any], seconds: float | None = None) -> None:  # noqa: ARG002  # nothing is late here
        self.lines.append(orjson.loads(orjson.dumps(record)))


@dataclass(frozen=True)
class FixedEdition:
    """A policy that stays in force."""

    current: Edition


@dataclass(frozen=True)
class FixedConsents:
    """Issuers of consents that stay as they are."""

    current: ConsentVerifier


BANK = Principal("officer", "first-bank", frozenset({"bank.officer"}))
INSPECTOR = Principal("inspector", "tax-bureau-zhejiang", frozenset({"tax.inspector"}))
REGULATOR = Principal("regulator", "zhejiang-regulator", frozenset({"regulator.provincial"}))
ADMIN = Principal("admin", "policy-office", frozenset({"policy.admin"}))
COMPANY = Principal("secretary", "company", frozenset({"company"}), company=HANGZHOU)
ANYBODY = Principal("anonymous", "public", frozenset({"anonymous"}))


@dataclass
class World:
    """A gateway over datasets in memory."""

    supply: MemorySupply
    audit: KeptAudit
    gateway: Gateway

    async def ask(
        self,
        query: str,
        principal: Principal = BANK,
        *,
        purpose: str | None = None,
        consents: tuple[str, ...] = (),
        seconds: float = 20.0,
        **variables: Any,
    ) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + seconds
        answered = await self.gateway.answer(
            Received("test", query, None, variables, principal, purpose, consents, deadline, read_only=False)
        )
        return orjson.loads(answered.body)

    def provided(self, **parts: Any) -> World:
        """The world with some other parts of what is supplied."""
        edition = self.gateway.editions.current
        changed = FixedEdition(replace_part(edition, provision=replace_part(edition.provision, **parts)))
        return replace_part(self, gateway=replace_part(self.gateway, editions=changed))


def build_world(
    rows: Mapping[tuple[str, str], tuple[Row, ...]] | None = None,
    datasets: Mapping[str, Dataset] = DATASETS,
    limits: Limits | None = None,
    consents: ConsentVerifier | None = None,
    more_rules: str = "",
    **supply: Any,
) -> World:
    memory = MemorySupply(datasets, rows or {}, **supply)
    audit = KeptAudit()
    files = dict(read_directory(ROOT / "policies"))
    files["rules/nation.yaml"] += more_rules.encode()
    policy = load_policy(files, CATALOGUE, [*AGENCIES, "customs", "environment"])
    publicity = load_publicity(files, CATALOGUE)
    supplied = coordinates_by_agency(datasets.values())
    provision = Provision(
        offered=Offered(CATALOGUE, supplied),
        datasets=datasets,
        agencies=AGENCIES,
        shared=frozenset(),
        tariff=tariff(CostSettings(), datasets),
        supply=memory,
        views=Views(national()),
        documents=Documents(CATALOGUE, limits or Limits()),
    )
    tables = Tables(policy.organisations, representatives(policy), CompiledHere(policy, supplied))
    edition = Edition(policy, publicity, tables, Preparer(datasets, AGENCIES, publicity), provision)
    gateway = Gateway(
        editions=FixedEdition(edition),
        consents=FixedConsents(consents or ConsentVerifier({}, "xinqiao", policy.purposes)),
        audit=audit,
        limits=limits or Limits(),
        trusted=TrustedDocuments(DocumentSettings()),
        quotas=Quotas(QuotaSettings(), MemoryCounters()),
        secrets=Secrets(b"m" * 32, b"c" * 32, Salt(b"s" * 32)),
    )
    return World(memory, audit, gateway)


@pytest.fixture
def make_world() -> Callable[..., World]:
    return build_world


@pytest.fixture
def codes() -> SimpleNamespace:
    return SimpleNamespace(hangzhou=HANGZHOU, ningbo=NINGBO, shenzhen=SHENZHEN, guangzhou=GUANGZHOU, beijing=BEIJING)


@pytest.fixture
def principals() -> SimpleNamespace:
    return SimpleNamespace(
        bank=BANK, inspector=INSPECTOR, regulator=REGULATOR, admin=ADMIN, company=COMPANY, anybody=ANYBODY
    )


@pytest.fixture
def datasets() -> SimpleNamespace:
    return SimpleNamespace(all=DATASETS, one=dataset)
