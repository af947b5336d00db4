"""A rule as its author wrote it, and its publication as casbin's rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product
from math import prod
from typing import Final

from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, Act, Row, RuleEffect
from policies.publicity import CHINA
from policies.tree import ROOT

NATION: Final = "nation"
"""The rule file whose rules may be on any agency's data."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; every column holds one or more names, `any` among them. `starts` and `ends` are its first and its last
    day.
    """

    id: str
    effect: RuleEffect
    objects: tuple[str, ...]
    agencies: tuple[str, ...]
    roles: tuple[str, ...]
    organisations: tuple[str, ...]
    purposes: tuple[str, ...]
    bases: tuple[str, ...]
    acts: tuple[Act, ...]
    mask: str | None
    starts: date | None
    ends: date | None
    note: str

    def active(self, now: datetime) -> bool:
        """Whether `now` lies in the rule's validity."""
        today = now.astimezone(CHINA).date()
        return (self.starts is None or self.starts <= today) and (self.ends is None or today <= self.ends)

    def changes(self) -> tuple[datetime, ...]:
        """The moments at which the rule's validity begins and ends."""
        # The last day of the calendar has none after it: until then is for ever.
        begins = (self.starts, self.ends + timedelta(days=1) if self.ends and self.ends < date.max else None)
        return tuple(datetime.combine(day, time(), CHINA) for day in begins if day)

    def size(self) -> int:
        """How many rows it makes."""
        columns = (self.agencies, self.roles, self.organisations, self.objects, self.acts, self.purposes, self.bases)
        return prod(map(len, columns))

    def meaning(self) -> tuple[object, ...]:
        """All that the rule says, whatever its id, its note and the order of its lists."""
        columns = (self.objects, self.agencies, self.roles, self.organisations, self.purposes, self.bases, self.acts)
        return (self.effect, *(frozenset(column) for column in columns), self.mask, self.starts, self.ends)


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule with the file and the line where it begins."""

    rule: Rule
    file: str
    line: int


def publish(rules: Iterable[Rule]) -> tuple[Row, ...]:
    """The rows of these rules: denies first, then clear grants, then masked ones, by id within each, with the unique
    priorities 1, 2, 3 ... (casbin breaks ties by position, and an allow with the lower number beats a later deny).
    """
    ordered = sorted(rules, key=lambda rule: (band(rule), rule.id))
    expanded = ((rule, columns) for rule in ordered for columns in _columns(rule))
    return tuple(
        Row(
            priority,
            rule.id,
            agency,
            role,
            ANY_ORGANISATION if organisation == ROOT else organisation,
            name,
            act,
            ANY_PURPOSE if purpose == ROOT else purpose,
            ANY_BASIS if basis == ROOT else basis,
            rule.effect,
            rule.mask or "",
        )
        for priority, (rule, (agency, role, organisation, name, act, purpose, basis)) in enumerate(expanded, 1)
    )


def band(rule: Rule) -> int:
    """Where the rule comes: denies first (0), then clear grants (1), then masked ones (2)."""
    if rule.effect is RuleEffect.DENY:
        return 0
    return 2 if rule.mask else 1


def _columns(rule: Rule) -> Iterable[tuple[str, str, str, str, Act, str, str]]:
    return product(rule.agencies, rule.roles, rule.organisations, rule.objects, rule.acts, rule.purposes, rule.bases)
