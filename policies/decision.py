"""Decisions, the classes of caller that share them, and the table of all decisions of one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effect(StrEnum):
    """What a caller gets to see of a coordinate."""

    CLEAR = "CLEAR"
    MASKED = "MASKED"
    WITHHELD = "WITHHELD"


class Reason(StrEnum):
    """What a caller lacks, in the contract's few words; never which rule."""

    NEEDS_PURPOSE = "NEEDS_PURPOSE"
    NEEDS_CONSENT = "NEEDS_CONSENT"
    NEEDS_JURISDICTION = "NEEDS_JURISDICTION"
    NOT_AVAILABLE = "NOT_AVAILABLE"


class Basis(StrEnum):
    """A legal basis that holds for one company."""

    CONSENT = "consent"
    JURISDICTION = "jurisdiction"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one coordinate: `mask` where it is MASKED, `rule` the deciding rule's id (for logs only),
    `reason` where it is not CLEAR.
    """

    effect: Effect
    mask: str | None = None
    rule: str | None = None
    reason: Reason | None = None


WITHHELD = Decision(Effect.WITHHELD, reason=Reason.NOT_AVAILABLE)
"""What every coordinate without a decision gets."""


@dataclass(frozen=True, slots=True)
class CallerClass:
    """All that decisions depend on. Callers of one class share a table, and no decision depends on the company.

    `purpose` is None where the caller gave none. `bases` are those that hold for the company in question.
    `consent_scope` holds the tiers and coordinates that the consent names (empty without a consent).
    """

    roles: frozenset[str]
    organisation: str
    purpose: str | None
    bases: frozenset[Basis] = frozenset()
    consent_scope: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Every decision of one class under one policy version, by agency and coordinate (`Penalty`, `Penalty.amount`).

    `expired` holds those on records past their publicity period (`read_expired`).
    """

    version: str
    cells: Mapping[str, Mapping[str, Decision]]
    expired: Mapping[str, Mapping[str, Decision]] = field(default_factory=dict)

    def at(self, agency: str, coordinate: str) -> Decision:
        """The decision; a coordinate that the table does not hold is WITHHELD."""
        return self.cells.get(agency, {}).get(coordinate, WITHHELD)

    def at_expired(self, agency: str, coordinate: str) -> Decision:
        """The decision for records past their publicity period."""
        return self.expired.get(agency, {}).get(coordinate, WITHHELD)
