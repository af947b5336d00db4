"""Whose data a change opens wider to anybody.

Exact for each coordinate alone, by this: weigh what each role of a caller is told. A deny wins, else the widest grant
does. So where a caller sees more than before (or something else, through a mask of which neither is narrower), one of
its roles does alone, or two of them together: the one that is now shown it, and the one that denied it before, or that
made it `redact` by another mask. Callers of one role and of two, on every set of bases, are therefore enough.

It errs on one side only, naming an agency too many: whether the records of a type are open is asked of all an
organisation's people, not of each caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.analysis.comparison import BASES, Comparison, LikeCells, Occasion, Organisations, Role, Sides
from policies.analysis.direction import opens
from policies.analysis.registration import Registration, registrations
from policies.decision import Basis
from policies.policy import Policy

_NONE: Final[frozenset[Basis]] = frozenset()
_CONSENT: Final = frozenset({Basis.CONSENT})
_JURISDICTION: Final = frozenset({Basis.JURISDICTION})
_AT_MOST_ONE: Final = tuple(bases for bases in BASES if len(bases) <= 1)


def widens(before: Policy, after: Policy, cells: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The agencies whose data the second policy opens wider to anybody. `cells` holds the coordinates that each agency
    supplies.

    None that is opened is missing. A purpose for which an organisation could not ask before is compared with asking
    for none (where no consent holds): what that showed already is not opened.
    """
    return _Widening(Comparison(before, after, cells), registrations(before, after)).agencies()


class _Widening:
    def __init__(self, comparison: Comparison, registered: Mapping[str, Registration]) -> None:
        changed = [name for name, one in registered.items() if one.changed or comparison.moves_organisation(name)]
        self._comparison = comparison
        self._registered = registered
        self._all = Organisations(comparison, registered)
        self._changed = Organisations(comparison, changed)
        self._everywhere = bool(changed)

    def agencies(self) -> frozenset[str]:
        found: set[str] = set()
        for like in self._comparison.like_cells(everywhere=self._everywhere):
            agencies = {cell.agency for cell in like.cells}
            if not agencies <= found and self._widens(like):
                found |= agencies
        return frozenset(found)

    def _widens(self, like: LikeCells) -> bool:
        organisations = self._all if like.touched else self._changed
        return any(
            _opens_to(like, sides, registration)
            for sides, names in organisations.on(like).items()
            for registration in {self._registered[name] for name in names}
        )


def _opens_to(like: LikeCells, organisation: Sides, registration: Registration) -> bool:
    """Whether the cells are opened to people of an organisation."""
    roles = _roles(like, registration)
    return any(
        opens(*like.alone(occasion, together)) and _rows_open(like, occasion, roles, together)
        for occasion in _occasions(like, organisation, registration)
        for together in _together(like, occasion, roles)
    )


def _roles(like: LikeCells, registration: Registration) -> frozenset[Role]:
    before, after = registration.roles_before, registration.roles_after
    return frozenset(like.role(name, before=name in before, after=name in after) for name in before | after)


def _together(like: LikeCells, occasion: Occasion, roles: frozenset[Role]) -> Iterator[tuple[Role, ...]]:
    """The roles to whom the policies say different things, each alone and with one other."""
    moving = [role for role in roles if like.moves(occasion, role)]
    for role in moving:
        yield (role,)
        for other in roles - {role}:
            yield role, other


@dataclass(frozen=True, slots=True)
class _Purpose:
    """What matters of a purpose, and which bases that depend on it may come or go: under a change of its place in the
    tree other consents cover it, and without a purpose (that is how one asked before one could ask for it) none does.
    """

    sides: Sides
    gains: frozenset[Basis]
    loses: frozenset[Basis]
    known: bool


def _occasions(like: LikeCells, organisation: Sides, registration: Registration) -> Iterator[Occasion]:
    for purpose in {_purpose(like, registration, name) for name in (None, *registration.purposes_after)}:
        for bases in _bases(registration, purpose):
            yield Occasion(organisation, purpose.sides, bases)


def _purpose(like: LikeCells, registration: Registration, name: str | None) -> _Purpose:
    known = name is None or name in registration.purposes_before
    then, now = like.before.above(name if known else None), like.after.above(name)
    sides = (like.before.purpose(name if known else None), like.after.purpose(name))
    return _Purpose(sides, _CONSENT if now - then else _NONE, _CONSENT if then - now else _NONE, known)


def _bases(registration: Registration, purpose: _Purpose) -> frozenset[tuple[frozenset[Basis], frozenset[Basis]]]:
    """The bases that may hold for one company, before and after."""
    gains = purpose.gains | (_JURISDICTION if registration.gains_ground else _NONE)
    loses = purpose.loses | (_JURISDICTION if registration.loses_ground else _NONE)
    certain = frozenset() if purpose.known else _CONSENT
    return frozenset(
        (bases - certain - absent, bases - gone)
        for bases in BASES
        for absent in BASES
        for gone in BASES
        if absent <= gains & bases and gone <= loses & bases and not absent & gone
    )


def _rows_open(like: LikeCells, occasion: Occasion, roles: frozenset[Role], together: tuple[Role, ...]) -> bool:
    """Whether those with these roles may come to see records of the type, whatever other roles and bases they have."""
    rows = like.after

    def denied(role: Role, bases: frozenset[Basis]) -> bool:
        standing = Occasion(occasion.organisation, occasion.purpose, (bases, bases)).after(role)
        return any(verdict.denied for verdict in rows.said_of_rows(standing))

    def granted(role: Role, bases: frozenset[Basis]) -> bool:
        standing = Occasion(occasion.organisation, occasion.purpose, (bases, bases)).after(role)
        return any(verdict.grants for verdict in rows.said_of_rows(standing))

    return any(granted(role, bases) for role in roles for bases in _AT_MOST_ONE) and any(
        not any(denied(role, bases) for role in together) for bases in _AT_MOST_ONE
    )
