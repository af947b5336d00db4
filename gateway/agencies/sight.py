"""What a caller sees of an agency itself, whatever company is asked about: how it fares, and who uses its data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.agencies.profile import AgencyProfile
from gateway.stages.selection import Selection
from policies.decision import CallerClass, Decision, Effect, Reason
from schema.agency import ABOUT_AGENCIES

AgencyDecision = tuple[str, str, Decision]
"""An agency, a coordinate of what is told of it, and what was decided."""


@dataclass(frozen=True, slots=True)
class AgencySight:
    """One agency as the caller sees it: the decisions on what was selected of it, in order, by coordinate."""

    profile: AgencyProfile
    caller_class: CallerClass
    decisions: Mapping[str, Decision]

    def shows(self, coordinate: str) -> bool:
        """Whether the caller sees this. A mask does not make a lesser answer of any of it, so masked is not shown."""
        decision = self.decisions.get(coordinate)
        return decision is not None and decision.effect is Effect.CLEAR

    def access(self, selections: tuple[Selection, ...]) -> Iterator[AgencyDecision]:
        """What of these selections is not clear; where the caller may not know that there is anything, that alone."""
        for name, fields in selected_of_agency(selections).items():
            if not self.shows(name):
                yield self.profile.id, name, self.decisions[name]
                continue
            for coordinate in (f"{name}.{field}" for field in fields):
                if not self.shows(coordinate):
                    yield self.profile.id, coordinate, self.decisions[coordinate]


def selected_of_agency(selections: Iterable[Selection]) -> Mapping[str, Sequence[str]]:
    """What is selected of an agency that has coordinates of its own: by the name of these, the fields."""
    selected: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for part in selections:
        for name, about in ABOUT_AGENCIES.items():
            if part.name == about.field:
                selected[name].update({field.name: None for field in part.selections if field.name in about.fields})
    return {name: tuple(fields) for name, fields in selected.items()}


def coordinates_of(roots: Iterable[Selection]) -> Sequence[str]:
    """The coordinates of all that the roots select."""
    selected = selected_of_agency(part for root in roots for part in root.selections)
    return [
        coordinate
        for name, fields in selected.items()
        for coordinate in (name, *(f"{name}.{field}" for field in fields))
    ]


def of_agency(decision: Decision) -> Decision:
    """A decision on an agency itself, where there is no company that could consent, or lie in a division."""
    if decision.reason in {Reason.NEEDS_CONSENT, Reason.NEEDS_JURISDICTION}:
        return replace(decision, reason=Reason.NOT_AVAILABLE)
    return decision
