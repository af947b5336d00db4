"""What the rules say to one role, for one purpose, on one basis: casbin's answers, asked once each.

A question is put to casbin over those rows alone that can match it, found by their columns; the cost of asking grows
with the rows. Questions that the same rows can match have the same answer, so casbin is asked once for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from policies.enforce import Decider, Link, Links, Request
from policies.masks import narrower
from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, Act, Policy, Row, RuleEffect
from policies.tree import ROOT
from schema.catalogue import Tier


@dataclass(frozen=True, slots=True)
class Asker:
    """One role with one basis (`none` where none holds), for one purpose (None where none was given)."""

    role: str
    purpose: str | None
    basis: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule shows: clear, or through `mask`."""

    rule: str
    mask: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say: `denied` is the id of the rule that denies, `grants` is what rules show."""

    denied: str | None
    grants: tuple[Grant, ...]


class Verdicts:
    """The verdicts of one policy for one organisation in certain roles, and one act, on the coordinates in `cells`."""

    def __init__(
        self, policy: Policy, cells: Mapping[str, frozenset[str]], organisation: str, roles: Collection[str], act: Act
    ) -> None:
        self._policy = policy
        self._asked = Request("", organisation, "", "", act, "", "")
        self._lineages = {agency: policy.agencies.lineage(agency) for agency in cells}
        above = {name for role in roles for name in policy.roles.lineage(role)}
        organisations = {ANY_ORGANISATION, *policy.organisation_tree.lineage(organisation)}
        self._rows = tuple(
            row for row in policy.rows if row.act is act and row.role in above and row.organisation in organisations
        )
        self._named: dict[str, frozenset[str]] = {}
        self._benches: dict[Asker, _Bench] = {}
        self._decider = Decider(_links(policy, cells, organisation, roles))
        self._answers: dict[tuple[int, ...], Row | None] = {}

    def alike(self, agency: str, coordinate: str) -> tuple[str, ...]:
        """The agencies, this one and those above it, that rules on the coordinate or on its rows name. Where these are
        the same for two agencies, so is every verdict on the coordinate and on its rows.
        """
        named = self._named.get(coordinate)
        if named is None:
            objects = {*self._objects(coordinate), *self._objects(_record(coordinate))}
            named = self._named[coordinate] = frozenset(row.agency for row in self._rows if row.object in objects)
        return tuple(name for name in self._lineages[agency] if name in named)

    def verdict(self, asker: Asker, agency: str, coordinate: str) -> Verdict:
        """The verdict on one coordinate, which the catalogue must know."""
        bench = self._benches.get(asker)
        if bench is None:
            bench = self._benches[asker] = _Bench(self._rows_for(asker))
        key = (agency, coordinate)
        verdict = bench.verdicts.get(key)
        if verdict is None:
            verdict = bench.verdicts[key] = self._weighed(bench, asker, agency, coordinate)
        return verdict

    def _weighed(self, bench: _Bench, asker: Asker, agency: str, coordinate: str) -> Verdict:
        lineage = self._lineages[agency]
        asked = replace(
            self._asked,
            role=asker.role,
            agency=agency,
            coordinate=coordinate,
            purpose=asker.purpose or "",
            basis=asker.basis,
        )
        name, *wide = self._objects(coordinate)
        rows = (self._decide(bench.rows(lineage, objects), asked) for objects in ((name,), wide))
        return verdict_of(self._policy, coordinate, *rows)

    def _objects(self, coordinate: str) -> tuple[str, ...]:
        """The objects of a rule that take in the coordinate: itself first, then the wider ones."""
        record, dot, _ = coordinate.partition(".")
        wide = (str(self._policy.tiers[coordinate]), ROOT)
        return (coordinate, f"{record}.*", *wide) if dot else (coordinate, *wide)

    def _rows_for(self, asker: Asker) -> Iterator[Row]:
        """The rows that can match this asker, at some agency and on some coordinate."""
        policy = self._policy
        roles = set(policy.roles.lineage(asker.role))
        purposes = {ANY_PURPOSE, *(policy.purposes.lineage(asker.purpose) if asker.purpose else ())}
        bases = {ANY_BASIS, asker.basis}
        return (row for row in self._rows if row.role in roles and row.purpose in purposes and row.basis in bases)

    def _decide(self, rows: Collection[Row], asked: Request) -> Row | None:
        key = tuple(row.priority for row in rows)
        if key not in self._answers:
            self._answers[key] = self._decider.decide(rows, asked)
        return self._answers[key]


class _Bench:
    """The rows that can match one asker, by object and agency, and the verdicts on it so far."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            self._rows[row.object, row.agency].append(row)
        self.verdicts: dict[tuple[str, str], Verdict] = {}

    def rows(self, agencies: Iterable[str], objects: Iterable[str]) -> list[Row]:
        """Those on one of the objects at one of the agencies, in the order in which they decide."""
        keys = product(objects, agencies)
        found = [row for key in keys if key in self._rows for row in self._rows[key]]
        return sorted(found, key=lambda row: row.priority)


def verdict_of(policy: Policy, coordinate: str, named: Row | None, wide: Row | None) -> Verdict:
    """What the first row that names the coordinate and the first of the wider ones say together."""
    for row in (named, wide):
        if row and row.effect is RuleEffect.DENY:
            return Verdict(row.rule, ())
    grants = []
    if named:
        grants.append(Grant(named.rule, named.mask or None))
    if wide and policy.tiers[coordinate] is not Tier.SEALED:
        grants.append(Grant(wide.rule, _floor(policy, coordinate, wide.mask or None)))
    # Whether records exist cannot be half told: a masked grant does not show rows.
    return Verdict(None, tuple(grant for grant in grants if "." in coordinate or grant.mask is None))


def _floor(policy: Policy, coordinate: str, mask: str | None) -> str | None:
    """What a wide rule gives at most: the field's default mask."""
    default = policy.default_masks.get(coordinate)
    return narrower(mask, default) if mask and default else mask or default


def _links(policy: Policy, cells: Mapping[str, frozenset[str]], organisation: str, roles: Iterable[str]) -> Links:
    """The parts of the five trees that questions about these cells take in."""
    coordinates = frozenset().union(*cells.values()) & policy.tiers.keys()
    tiers: list[Link] = [(coordinate, policy.tiers[coordinate]) for coordinate in sorted(coordinates)]
    return Links(
        roles=sorted({link for role in roles for link in policy.roles.links(role)}),
        tiers=[*tiers, *((tier, ROOT) for tier in Tier)],
        organisations=policy.organisation_tree.links(organisation),
        purposes=list(policy.purposes.parents.items()),
        agencies=sorted({link for agency in cells for link in policy.agencies.links(agency)}),
    )


def _record(coordinate: str) -> str:
    return coordinate.partition(".")[0]
