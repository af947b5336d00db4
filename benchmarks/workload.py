"""Six agencies, their records and the question about them: the same work for every gateway that is measured."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from benchmarks.upstream import Answer, rendered


class Kind(Enum):
    """What the text in an agency's column stands for."""

    TEXT = "text"
    DATE = "date"
    YEAR = "year"
    NUMBER = "number"
    CODE = "code"
    MONEY = "money"


@dataclass(frozen=True)
class Field:
    """A field of a record, the agency's column, and the column's template (`{salt}`: its own in each row)."""

    name: str
    column: str
    template: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True)
class Agency:
    """An agency with one type of record, asked for by a field of `Enterprise`.

    `rows`: how many records a company has. `salt`: what the agency's values are derived with; another's are different.
    """

    id: str
    record: str
    root: str
    rows: int
    single: bool
    salt: int
    fields: tuple[Field, ...]

    def salted(self) -> Sequence[Mapping[str, str]]:
        """The templates of a company's rows, by field."""
        return [
            {
                field.name: field.template.format(salt=self.salt + 100 * row + number)
                for number, field in enumerate(self.fields)
            }
            for row in range(self.rows)
        ]

    def company(self, code: str) -> Sequence[Mapping[str, str]]:
        """What the agency keeps about a company, by field, as its columns have it."""
        return [{name: rendered(template, code) for name, template in row.items()} for row in self.salted()]


_TODAY: Final = dt.datetime.now(dt.UTC).date()
_RECENT: Final = "<pick {salt} " + "|".join(str(_TODAY - dt.timedelta(days=20 + day)) for day in range(40)) + ">"
"""A day in the last two months: nothing's publicity has ended."""

_DATE: Final = "20<number {salt} 15 10 2>-0<number {salt} 9 1 1>-<number {salt} 28 1 2>"
_LATER: Final = "20<number {salt} 20 40 2>-0<number {salt} 9 1 1>-<number {salt} 28 1 2>"
_SUM: Final = "<number {salt} 99000000 1000 1>.<number {salt} 90 10 2>"
_OFFICE: Final = "虚构<number {salt} 900 100 1>"

AGENCIES: Final = (
    Agency(
        "registry",
        "Registration",
        "registration",
        1,
        single=True,
        salt=1_000,
        fields=(
            Field("name", "mc", "虚构若木<number {salt} 100000000 0 8>贸易有限公司"),
            Field("legalRepresentative", "fr", "虚<number {salt} 90000 10000 5>"),
            Field("status", "zt", "<pick {salt} active|revoked|deregistered>", Kind.CODE),
            Field("establishedOn", "clrq", _DATE, Kind.DATE),
            Field("registeredCapital", "zczb", _SUM, Kind.MONEY),
            Field("address", "zs", "浙江省杭州市虚构路<number {salt} 9000 1 1>号"),
            Field(
                "businessScope", "jyfw", "货物进出口；技术进出口；技术服务、技术开发、技术咨询<number {salt} 9000 1 1>"
            ),
            Field("authority", "djjg", _OFFICE + "市场监督管理局"),
            Field("validUntil", "jzrq", _LATER, Kind.DATE),
            Field("registrationNumber", "zch", "330100<number {salt} 1000000000 0 9>"),
        ),
    ),
    Agency(
        "zhejiang-penalties",
        "Penalty",
        "penalties",
        2,
        single=False,
        salt=2_000,
        fields=(
            Field("documentNumber", "wh", "虚罚〔2026〕<number {salt} 100000000 0 8>号"),
            Field("decidedOn", "rq", _RECENT, Kind.DATE),
            Field("authority", "jg", _OFFICE + "局"),
            Field("kind", "cflb", "<pick {salt} fine|warning|confiscation>", Kind.CODE),
            Field("severity", "cd", "<pick {salt} general|serious>", Kind.CODE),
            Field("facts", "ss", "虚构事实<number {salt} 100000 0 5>：未按规定公示年度报告"),
            Field("legalBasis", "yj", "虚构条例第<number {salt} 90 1 1>条"),
            Field("amount", "je", _SUM, Kind.MONEY),
        ),
    ),
    Agency(
        "court",
        "JudgmentDefault",
        "judgmentDefaults",
        2,
        single=False,
        salt=3_000,
        fields=(
            Field("caseNumber", "ah", "（2026）虚<number {salt} 10000 0 4>执<number {salt} 10000 0 4>号"),
            Field("court", "fy", _OFFICE + "人民法院"),
            Field("filedOn", "rq", _RECENT, Kind.DATE),
            Field("basisDocument", "yjwh", "（2025）虚民初<number {salt} 10000 0 4>号"),
            Field("amountDue", "je", _SUM, Kind.MONEY),
            Field("obligations", "yw", "付款<number {salt} 100000 0 5>元"),
            Field("performance", "lx", "<pick {salt} none|partial>", Kind.CODE),
            Field("conduct", "xw", "有履行能力而拒不履行<number {salt} 100 0 2>"),
        ),
    ),
    Agency(
        "tax",
        "TaxCredit",
        "taxCredits",
        2,
        single=False,
        salt=4_000,
        fields=(
            Field("year", "nd", "20<number {salt} 10 15 2>", Kind.YEAR),
            Field("grade", "jb", "<pick {salt} A|B|M|C|D>", Kind.CODE),
            Field("authority", "jg", _OFFICE + "税务局"),
            Field("ratedOn", "rq", _DATE, Kind.DATE),
        ),
    ),
    Agency(
        "customs",
        "CustomsStanding",
        "customsStanding",
        1,
        single=True,
        salt=5_000,
        fields=(
            Field("registrationNumber", "bm", "3301<number {salt} 1000000 0 6>"),
            Field("grade", "dj", "<pick {salt} advanced|registered|dishonest>", Kind.CODE),
            Field("tradeKind", "lb", "<pick {salt} consignee|declarant>", Kind.CODE),
            Field("registeredOn", "rq", _DATE, Kind.DATE),
            Field("validUntil", "yxq", _LATER, Kind.DATE),
            Field("customsOffice", "hg", _OFFICE + "海关"),
        ),
    ),
    Agency(
        "environment",
        "EnvironmentCredit",
        "environmentCredits",
        2,
        single=False,
        salt=6_000,
        fields=(
            Field("year", "nd", "20<number {salt} 10 15 2>", Kind.YEAR),
            Field("grade", "dj", "<pick {salt} green|blue|yellow|red|black>", Kind.CODE),
            Field("ratedOn", "rq", _DATE, Kind.DATE),
            Field("authority", "jg", _OFFICE + "生态环境局"),
            Field("score", "fs", "<number {salt} 60 40 1>", Kind.NUMBER),
        ),
    ),
)

CODE_COLUMN: Final = "dm"


def rest_answers(agencies: Sequence[Agency] = AGENCIES) -> Iterator[Answer]:
    """What the agencies answer over REST: `POST /ID` with `{"dm": [codes]}` gives `{"lb": [rows]}`."""
    for agency in agencies:
        columns = {field.name: field.column for field in agency.fields}
        rows = [
            {CODE_COLUMN: "<code>", **{columns[name]: template for name, template in row.items()}}
            for row in agency.salted()
        ]
        each = ",".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        yield Answer(f"/{agency.id}", '{"lb":[', each, "]}")
