"""Everything that can be asked under a policy, as sets of bits, and the part of it that a rule matches.

Who asks (an organisation, in a role, for a purpose), for which cell (a coordinate at an agency), on which basis, in
which act: a rule matches some of each, so it is a box. That one box lies within others is a matter of a few operations
on integers, where asking casbin for each cell would take hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from policies.decision import Basis
from policies.policy import NO_BASIS, Act, Policy, RuleEffect, is_wide
from policies.rule import Rule
from policies.rulebook import OBJECTION
from policies.tree import ROOT
from schema.catalogue import Tier

_BASES: Final = {basis: 1 << place for place, basis in enumerate((NO_BASIS, *Basis))}
_ACTS: Final = {act: 1 << place for place, act in enumerate(Act)}
EVERY_BASIS: Final = (1 << len(_BASES)) - 1


class Box(NamedTuple):
    """All that can be asked by these askers, for these cells, on these bases, in these acts: a set of bits each."""

    askers: int
    cells: int
    bases: int
    acts: int

    def within(self, other: Box) -> bool:
        """Whether the other box holds all of this one."""
        return not any(mine & ~theirs for mine, theirs in zip(self, other, strict=True))

    def without(self, other: Box) -> Iterator[Box]:
        """What the other box leaves of this one, as boxes that do not overlap."""
        rest = list(self)
        if any(not mine & theirs for mine, theirs in zip(self, other, strict=True)):
            yield self
            return
        for place, theirs in enumerate(other):
            if left := rest[place] & ~theirs:
                yield Box._make([*rest[:place], left, *rest[place + 1 :]])
            rest[place] &= theirs


class Space:
    """What can be asked under a policy. `cells` holds the coordinates that each agency supplies; the dispute mark is
    none of them, for it follows its record. `named` are the organisations that rules name: of the others, those with
    the same roles and purposes are one.
    """

    def __init__(self, policy: Policy, cells: Mapping[str, Collection[str]], named: Collection[str]) -> None:
        self._policy = policy
        self._roles: defaultdict[str, int] = defaultdict(int)
        self._organisations: defaultdict[str, int] = defaultdict(int)
        self._purposes: defaultdict[str, int] = defaultdict(int)
        self._agencies: defaultdict[str, int] = defaultdict(int)
        self._objects: defaultdict[str, int] = defaultdict(int)
        self._colleagues: defaultdict[object, int] = defaultdict(int)
        self._widened: dict[int, int] = {}
        self.rows = 0
        """The cells that are whether records exist."""
        self.floored = 0
        """The cells that a wide rule shows through a default mask."""
        self.fields_of: dict[int, int] = {}
        """By the cell of the rows, the cells of their fields."""
        self._place_askers(frozenset(named))
        self._place_cells(cells)

    def _place_askers(self, named: frozenset[str]) -> None:
        policy = self._policy
        kinds = {
            (
                named.intersection(policy.organisation_tree.lineage(organisation.id)),
                organisation.roles,
                policy.purposes_of(organisation.id),
            )
            for organisation in policy.organisations.values()
        }
        bit = 1
        for kind in sorted(kinds, key=lambda kind: [sorted(names) for names in kind]):
            organisations, roles, purposes = kind
            for role in sorted(roles):
                for purpose in (None, *sorted(purposes)):
                    _put(self._organisations, {*organisations, ROOT}, bit)
                    _put(self._roles, policy.roles.lineage(role), bit)
                    _put(self._purposes, policy.purposes.lineage(purpose) if purpose else (ROOT,), bit)
                    self._colleagues[kind, purpose] |= bit
                    bit <<= 1

    def _place_cells(self, cells: Mapping[str, Collection[str]]) -> None:
        tiers = self._policy.tiers
        bit = 1
        for agency, coordinates in sorted(cells.items()):
            rows: dict[str, int] = {}
            # A record type sorts before its fields.
            for coordinate in sorted(tiers.keys() & coordinates):
                record, dot, field = coordinate.partition(".")
                if field == OBJECTION:
                    continue
                _put(self._agencies, self._policy.agencies.lineage(agency), bit)
                _put(self._objects, (coordinate, tiers[coordinate], ROOT, *([f"{record}.*"] if dot else [])), bit)
                self.floored |= bit if coordinate in self._policy.default_masks else 0
                if not dot:
                    rows[record] = bit
                    self.rows |= bit
                    self.fields_of[bit] = 0
                elif record in rows:
                    self.fields_of[rows[record]] |= bit
                bit <<= 1

    def box(self, rule: Rule, *, wide: bool) -> Box:
        """What the rule matches by its wide objects, or by those that name one coordinate, as far as it can have an
        effect: no wide rule opens a sealed field, and no masked one shows rows.
        """
        cells = _any(self._objects, (name for name in rule.objects if is_wide(name) is wide))
        if rule.effect is RuleEffect.ALLOW:
            cells &= ~self._objects[Tier.SEALED] if wide else cells
            cells &= ~self.rows if rule.mask else cells
        return Box(
            self.askers(rule),
            cells & _any(self._agencies, rule.agencies),
            EVERY_BASIS if ROOT in rule.bases else sum(_BASES[basis] for basis in set(rule.bases)),
            sum(_ACTS[act] for act in set(rule.acts)),
        )

    def askers(self, rule: Rule) -> int:
        """The askers for whom the rule is."""
        roles, organisations = _any(self._roles, rule.roles), _any(self._organisations, rule.organisations)
        return roles & organisations & _any(self._purposes, rule.purposes)

    def colleagues(self, askers: int) -> int:
        """These askers, in whatever roles they may hold beside: who holds several sees what any of them sees."""
        if askers not in self._widened:
            self._widened[askers] = _union(group for group in self._colleagues.values() if group & askers)
        return self._widened[askers]

    def lacking(self, rule: Rule) -> str:
        """Why nobody is among the askers of the rule."""
        for names, places, why in (
            (rule.roles, self._roles, "no organisation's people may hold"),
            (rule.organisations, self._organisations, "nobody asks from"),
            (rule.purposes, self._purposes, "no organisation is registered for"),
        ):
            if not _any(places, names):
                return f"{why} {', '.join(f'`{name}`' for name in names)}"
        return "no organisation has both the role and the purpose"


def bits(mask: int) -> Iterator[int]:
    """Each bit of the set, alone."""
    while mask:
        low = mask & -mask
        yield low
        mask ^= low


def _put(places: defaultdict[str, int], names: Iterable[str], bit: int) -> None:
    for name in names:
        places[name] |= bit


def _any(places: Mapping[str, int], names: Iterable[str]) -> int:
    return _union(places.get(name, 0) for name in names)


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union
