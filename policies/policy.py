"""A published policy: the rows that casbin decides by, the trees that they speak of, and who may ask for which purpose.

Immutable and picklable, so that tables can be compiled in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, NamedTuple

from policies.errors import PurposeRefused
from policies.tree import ROOT, Tree
from schema.catalogue import Tier

ANY_ORGANISATION: Final = "*"
ANY_PURPOSE: Final = "*"
ANY_BASIS: Final = "-"
NO_BASIS: Final = "none"
"""The basis of a request for which no legal basis holds."""


class Act(StrEnum):
    """What is done with a record: read it, or read it although its publicity period is over."""

    READ = "read"
    READ_EXPIRED = "read_expired"


class RuleEffect(StrEnum):
    """What a rule does, spelt as casbin spells it (any other spelling would be inert)."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of casbin's policy, in the order of `p` in `model.conf`. `mask` is empty where there is none."""

    priority: int
    rule: str
    agency: str
    role: str
    organisation: str
    object: str
    act: Act
    purpose: str
    basis: str
    effect: RuleEffect
    mask: str

    def values(self) -> list[str]:
        """The row as casbin takes it."""
        return [
            str(self.priority),
            self.rule,
            self.agency,
            self.role,
            self.organisation,
            self.object,
            str(self.act),
            self.purpose,
            self.basis,
            str(self.effect),
            self.mask,
        ]


def is_wide(name: str) -> bool:
    """Whether an object of a rule is wider than one coordinate: `any`, a tier or `Type.*`."""
    return name == ROOT or name in Tier.__members__ or name.endswith(".*")


class Organisation(NamedTuple):
    """An organisation whose people may ask. (A tuple, for thousands of them travel with each version from the compiling
    process, and tuples are read in a third of the time.)

    `division` is its GB/T 2260 prefix (2, 4 or 6 digits), None where it has no territory. `roles` are those that its
    people may hold, `purposes` those that it is registered for (their children included). `administers` is the agency
    whose rules its policy administrators keep, `any` where they keep all, None where it has none.
    """

    id: str
    name: str
    name_zh: str
    parent: str
    division: str | None
    roles: frozenset[str]
    purposes: frozenset[str]
    administers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One immutable version without its rows: what requests need of it beside the decisions.

    `version` is the number with the first 12 hexadecimal digits of SHA-256 over all that decides. `tiers` and
    `default_masks` are the catalogue's, by coordinate, but all of the `unreleased` record types, which are agencies'
    own, is SEALED. `next_change` is when a rule's validity next begins or ends:
    the directory must then be loaded again.
    """

    version: str
    published_at: datetime
    published_by: str
    why: str
    roles: Tree
    purposes: Tree
    agencies: Tree
    organisation_tree: Tree
    organisations: Mapping[str, Organisation]
    tiers: Mapping[str, Tier]
    default_masks: Mapping[str, str]
    next_change: datetime | None
    unreleased: frozenset[str] = frozenset()

    @property
    def number(self) -> int:
        """The version's number."""
        return int(self.version.partition("-")[0])

    def purposes_of(self, organisation: str) -> frozenset[str]:
        """Every purpose that the organisation is registered for, children included; none if it is unknown."""
        known = self.organisations.get(organisation)
        if known is None:
            return frozenset()
        return frozenset(purpose for purpose in self.purposes if known.purposes & set(self.purposes.lineage(purpose)))

    def covers_purpose(self, organisation: str, purpose: str) -> bool:
        """Whether the organisation is registered for this purpose or for one above it."""
        known = self.organisations.get(organisation)
        return known is not None and any(self.purposes.covers(held, purpose) for held in known.purposes)

    def check_purpose(self, organisation: str, purpose: str) -> None:
        """Raises `PurposeRefused` where the purpose is unknown, or not registered for the organisation."""
        if purpose not in self.purposes:
            near = get_close_matches(purpose, self.purposes, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise PurposeRefused(f"unknown purpose `{purpose[:64]}`{hint}")
        if not self.covers_purpose(organisation, purpose):
            registered = ", ".join(sorted(self.purposes_of(organisation))) or "none"
            raise PurposeRefused(
                f"the organisation `{organisation}` is not registered for the purpose `{purpose}` "
                f"(registered: {registered})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Outline):
    """One immutable version, whole."""

    rows: tuple[Row, ...]

    def outline(self) -> Outline:
        """The version without its rows."""
        return Outline(**{part.name: getattr(self, part.name) for part in fields(Outline)})
