"""The records as Strawberry types, for the two peers in Python: explicit, as a newcomer writes them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

Row = dict[str, Any]
Load = Callable[[str, list[str]], Awaitable[list[list[Row]]]]


class Context:
    """What lasts as long as one request: who asks, and a loader an agency."""

    def __init__(self, user: str, load: Load) -> None:
        """`load` gives the rows of an agency, company by company, in the order of the codes."""
        self.user = user
        self.registry = DataLoader(partial(load, "registry"))
        self.penalties = DataLoader(partial(load, "zhejiang-penalties"))
        self.court = DataLoader(partial(load, "court"))
        self.tax = DataLoader(partial(load, "tax"))
        self.customs = DataLoader(partial(load, "customs"))
        self.environment = DataLoader(partial(load, "environment"))


Info = strawberry.Info[Context, None]


def by_company(rows: Iterable[Row], codes: Sequence[str]) -> list[list[Row]]:
    """The rows of each company, in the order of the codes."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["dm"]].append(row)
    return [found[code] for code in codes]


@strawberry.type
class Registration:
    """A company's entry in the register."""

    name: str
    legal_representative: str
    status: str
    established_on: dt.date
    registered_capital: Decimal
    address: str
    business_scope: str
    authority: str
    valid_until: dt.date
    registration_number: str

    @classmethod
    def from_row(cls, row: Row) -> Registration:
        """From what the agency answers."""
        return cls(
            name=row["mc"],
            legal_representative=row["fr"],
            status=row["zt"],
            established_on=dt.date.fromisoformat(row["clrq"]),
            registered_capital=Decimal(row["zczb"]),
            address=row["zs"],
            business_scope=row["jyfw"],
            authority=row["djjg"],
            valid_until=dt.date.fromisoformat(row["jzrq"]),
            registration_number=row["zch"],
        )


@strawberry.type
class Penalty:
    """An administrative penalty."""

    document_number: str
    decided_on: dt.date
    authority: str
    kind: str
    severity: str
    facts: str
    legal_basis: str
    amount: Decimal

    @classmethod
    def from_row(cls, row: Row) -> Penalty:
        """From what the agency answers."""
        return cls(
            document_number=row["wh"],
            decided_on=dt.date.fromisoformat(row["rq"]),
            authority=row["jg"],
            kind=row["cflb"],
            severity=row["cd"],
            facts=row["ss"],
            legal_basis=row["yj"],
            amount=Decimal(row["je"]),
        )


@strawberry.type
class JudgmentDefault:
    """A judgment that was not honoured."""

    case_number: str
    court: str
    filed_on: dt.date
    basis_document: str
    amount_due: Decimal
    obligations: str
    performance: str
    conduct: str

    @classmethod
    def from_row(cls, row: Row) -> JudgmentDefault:
        """From what the agency answers."""
        return cls(
            case_number=row["ah"],
            court=row["fy"],
            filed_on=dt.date.fromisoformat(row["rq"]),
            basis_document=row["yjwh"],
            amount_due=Decimal(row["je"]),
            obligations=row["yw"],
            performance=row["lx"],
            conduct=row["xw"],
        )


@strawberry.type
class TaxCredit:
    """A year's tax rating."""

    year: int
    grade: str
    authority: str
    rated_on: dt.date

    @classmethod
    def from_row(cls, row: Row) -> TaxCredit:
        """From what the agency answers."""
        return cls(year=int(row["nd"]), grade=row["jb"], authority=row["jg"], rated_on=dt.date.fromisoformat(row["rq"]))


@strawberry.type
class CustomsStanding:
    """A company's standing with the customs."""

    registration_number: str
    grade: str
    trade_kind: str
    registered_on: dt.date
    valid_until: dt.date
    customs_office: str

    @classmethod
    def from_row(cls, row: Row) -> CustomsStanding:
        """From what the agency answers."""
        return cls(
            registration_number=row["bm"],
            grade=row["dj"],
            trade_kind=row["lb"],
            registered_on=dt.date.fromisoformat(row["rq"]),
            valid_until=dt.date.fromisoformat(row["yxq"]),
            customs_office=row["hg"],
        )


@strawberry.type
class EnvironmentCredit:
    """A year's environmental rating."""

    year: int
    grade: str
    rated_on: dt.date
    authority: str
    score: float

    @classmethod
    def from_row(cls, row: Row) -> EnvironmentCredit:
        """From what the agency answers."""
        return cls(
            year=int(row["nd"]),
            grade=row["dj"],
            rated_on=dt.date.fromisoformat(row["rq"]),
            authority=row["jg"],
            score=float(row["fs"]),
        )


@strawberry.type
class Enterprise:
    """A company, and what each agency keeps about it."""

    credit_code: str

    @strawberry.field
    async def registration(self, info: Info) -> Registration | None:
        """Of the register."""
        rows = await info.context.registry.load(self.credit_code)
        return Registration.from_row(rows[0]) if rows else None

    @strawberry.field
    async def penalties(self, info: Info) -> list[Penalty]:
        """Of the authority for penalties."""
        return [Penalty.from_row(row) for row in await info.context.penalties.load(self.credit_code)]

    @strawberry.field
    async def judgment_defaults(self, info: Info) -> list[JudgmentDefault]:
        """Of the courts."""
        return [JudgmentDefault.from_row(row) for row in await info.context.court.load(self.credit_code)]

    @strawberry.field
    async def tax_credits(self, info: Info) -> list[TaxCredit]:
        """Of the tax administration."""
        return [TaxCredit.from_row(row) for row in await info.context.tax.load(self.credit_code)]

    @strawberry.field
    async def customs_standing(self, info: Info) -> CustomsStanding | None:
        """Of the customs."""
        rows = await info.context.customs.load(self.credit_code)
        return CustomsStanding.from_row(rows[0]) if rows else None

    @strawberry.field
    async def environment_credits(self, info: Info) -> list[EnvironmentCredit]:
        """Of the environment's administration."""
        return [EnvironmentCredit.from_row(row) for row in await info.context.environment.load(self.credit_code)]


@strawberry.type
class Query:
    """Companies by their codes."""

    @strawberry.field
    def enterprises(self, codes: list[str]) -> list[Enterprise]:
        """The companies, in the order asked for."""
        return [Enterprise(credit_code=code) for code in codes]
