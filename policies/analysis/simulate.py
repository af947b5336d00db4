"""What a change of the policy would have done to requests that were really made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policies.analysis.direction import Direction, direction
from policies.analysis.replay import Cell, Cells, Decisions, Hindrance, asked_cells, decide, refusal
from policies.analysis.shapes import Shape
from policies.decision import Basis, CallerClass, Decision
from policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that changes for one class of caller, with the requests that it changes for and their companies (one
    asked about in two requests counts twice).
    """

    caller: CallerClass
    cell: Cell
    before: Decision
    after: Decision
    direction: Direction
    requests: int
    companies: int


@dataclass(frozen=True, slots=True)
class Unreplayed:
    """Requests of one kind of caller that cannot be replayed.

    NARROWER: they would now be refused. WIDER: they were refused before. SAME: they are refused either way (they were
    made under an older version). OTHER: the bases are unsure, since the organisation's division changes, or the place
    in the tree of a purpose for which a company consented.
    """

    roles: frozenset[str]
    organisation: str
    purpose: str | None
    hindrance: Hindrance
    direction: Direction
    requests: int
    companies: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would change, widening first. `requests` were replayed, and `changed` of them would get something else."""

    changes: tuple[Change, ...]
    unreplayed: tuple[Unreplayed, ...]
    requests: int
    changed: int

    @property
    def unreplayable(self) -> int:
        """The requests that were not replayed."""
        return sum(one.requests for one in self.unreplayed)


def simulate(before: Policy, after: Policy, cells: Cells, shapes: Iterable[Shape]) -> Simulation:
    """Decides the requests again by both policies. `cells` holds the coordinates that each agency supplies.

    Compiles two tables for each class of caller, so run it in another process.
    """
    replayable: list[Shape] = []
    unreplayed: Counter[_Hindered] = Counter()
    companies: Counter[_Hindered] = Counter()
    for shape in shapes:
        if hindered := _hindered(before, after, shape):
            unreplayed[hindered] += shape.requests
            companies[hindered] += shape.companies
        else:
            replayable.append(shape)
    changed = {
        caller: _changed(decide(before, caller, asked), decide(after, caller, asked))
        for caller, asked in asked_cells(replayable, cells).items()
    }
    return Simulation(
        changes=_changes(replayable, changed),
        unreplayed=tuple(
            sorted(
                (Unreplayed(*key, requests, companies[key]) for key, requests in unreplayed.items()),
                key=lambda one: (_ORDER[one.direction], -one.requests, one.organisation),
            )
        ),
        requests=sum(shape.requests for shape in replayable),
        changed=sum(shape.requests for shape in replayable if any(_touched(shape, changed))),
    )


_ORDER: Final = {way: place for place, way in enumerate(Direction)}
_Hindered = tuple[frozenset[str], str, str | None, Hindrance, Direction]
_Changed = Mapping[CallerClass, Mapping[Cell, tuple[Decision, Decision]]]


def _hindered(before: Policy, after: Policy, shape: Shape) -> _Hindered | None:
    """Why requests of this shape cannot be replayed, and which way that is; None where they can."""
    caller = shape.asked[0].caller  # the classes of one request differ in their bases alone
    was, is_ = refusal(before, caller), refusal(after, caller)
    hindrance, way = is_ or was, Direction.SAME
    if not (was and is_):
        way = Direction.NARROWER if is_ else Direction.WIDER
    if hindrance is None and _bases_unsure(before, after, shape):
        hindrance, way = Hindrance.BASES_UNSURE, Direction.OTHER
    return (caller.roles, caller.organisation, caller.purpose, hindrance, way) if hindrance else None


def _bases_unsure(before: Policy, after: Policy, shape: Shape) -> bool:
    """Whether other bases may hold under the second policy, for the same companies and consents."""
    caller = shape.asked[0].caller
    divisions = {policy.organisations[caller.organisation].division for policy in (before, after)}
    consented = any(Basis.CONSENT in asked.caller.bases for asked in shape.asked)
    places = {policy.purposes.lineage(caller.purpose or "") for policy in (before, after)}
    return len(divisions) > 1 or (consented and len(places) > 1)


def _changed(before: Decisions, after: Decisions) -> dict[Cell, tuple[Decision, Decision]]:
    return {
        cell: (was, after[cell]) for cell, was in before.items() if direction(was, after[cell]) is not Direction.SAME
    }


def _touched(shape: Shape, changed: _Changed) -> Iterable[tuple[CallerClass, Cell, int]]:
    """The changed decisions that requests of this shape meet, each with the companies that it is about."""
    for asked in shape.asked:
        for cell in changed[asked.caller]:
            if (cell[0], cell[2]) in asked.coordinates:
                yield asked.caller, cell, asked.companies


def _changes(shapes: Iterable[Shape], changed: _Changed) -> tuple[Change, ...]:
    requests: Counter[tuple[CallerClass, Cell]] = Counter()
    companies: Counter[tuple[CallerClass, Cell]] = Counter()
    for shape in shapes:
        for caller, cell, number in _touched(shape, changed):
            requests[caller, cell] += shape.requests
            companies[caller, cell] += number
    found = []
    for (caller, cell), number in requests.items():
        was, is_ = changed[caller][cell]
        found.append(Change(caller, cell, was, is_, direction(was, is_), number, companies[caller, cell]))
    return tuple(sorted(found, key=_place))


def _place(change: Change) -> tuple[object, ...]:
    """Where a change stands: widening first, then the one that most requests meet."""
    caller = change.caller
    asker = (
        caller.organisation,
        caller.purpose or "",
        *map(sorted, (caller.roles, caller.bases, caller.consent_scope)),
    )
    return (_ORDER[change.direction], -change.requests, change.cell, *asker)
