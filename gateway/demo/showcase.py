"""The companies worth looking at: one for each thing that goes wrong in real agencies' data, there for certain.

Every module of `records` gives these companies exactly what their description says, and no more of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Role:
    """A company worth looking at: `key`, its first division's prefix, the authority and category of its credit code."""

    key: str
    division: str
    description: str
    pair: str = "91"


ROLES: Final = (
    Role(
        "everything",
        "33",
        "Data in all seven agencies; arrears of tax; fined in both provinces; held by companies with data too.",
    ),
    Role("holder", "44", "Holds most of `everything`; data in all seven agencies too."),
    Role("clean", "33", "Known to all who register companies, and nothing against it anywhere."),
    Role("over_age", "33", "Its only penalty is past its publicity period, and the agency still gives it out."),
    Role("repaired", "44", "Its only penalty is within its publicity period, but repaired."),
    Role("fined_elsewhere", "44", "Registered in Guangdong, fined only by Zhejiang."),
    Role("disputed", "33", "Has filed an objection to its only penalty."),
    Role("many_penalties", "44", "230 penalties in Guangdong: more than one of that agency's pages, and of a query's."),
    Role("duplicate", "33", "The same row twice: a penalty in Zhejiang, a line in the customs file, a shareholder."),
    Role("lower_case", "33", "Its code in lower case in the registry, the court, the customs file and Guangdong."),
    Role("full_width", "44", "Its code, a date and numbers in full-width characters, where agencies keep text."),
    Role("organisation_code", "33", "Court and customs keep its organisation code in the column for credit codes."),
    Role("no_dates", "33", "1900-1-1, 9999-9-9 and 暂无 wherever an agency has no date, number or text."),
    Role("unreadable", "44", "One of its two penalties in Guangdong has a decision date that is no date."),
    Role("unknown_to_tax", "33", "The tax bureau says that there is no such taxpayer."),
    Role("tax_in_migration", "33", "The tax bureau answers 200 with an error: its file is being moved."),
    Role("foreign_capital", "44", "Registered capital in United States dollars."),
    Role("cross_held_a", "33", "Held by `cross_held_b`, and holds it."),
    Role("cross_held_b", "44", "Held by `cross_held_a`, and holds it."),
    Role("half_known_holder", "33", "The registry knows one of its shareholders only by an organisation code."),
    Role("rural_collective", "33", "An N2 code: a lawful company, but not in the business registry.", pair="N2"),
    Role("nobody", "51", "A lawful code that no agency has heard of."),
)
