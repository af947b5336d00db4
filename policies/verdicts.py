"""What the rules say to one role, for one purpose, on one basis: casbin's answers, asked once each.

Two askers whom the same rows can match get the same answers, so they share an enforcer that holds these rows alone.
Among wide rules (`any`, a tier, `Type.*`) the fields of one record type and tier cannot be told apart, so one of them
is asked for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.enforce import Decider, Link, Links, Request
from policies.masks import narrower
from policies.policy import ANY_BASIS, ANY_ORGANISATION, ANY_PURPOSE, Act, Policy, Row, RuleEffect, is_wide
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
    """The verdicts of one policy for one organisation and act, on the coordinates in `cells`."""

    def __init__(self, policy: Policy, cells: Mapping[str, frozenset[str]], organisation: str, act: Act) -> None:
        self._policy = policy
        self._organisation = organisation
        self._act = act
        self._agencies = frozenset(cells)
        self._coordinates = frozenset().union(*cells.values()) & policy.tiers.keys()
        organisations = {ANY_ORGANISATION, *policy.organisation_tree.lineage(organisation)}
        self._rows = tuple(row for row in policy.rows if row.act is act and row.organisation in organisations)
        self._by_asker: dict[Asker, _Bench] = {}
        self._by_rows: dict[tuple[int, ...], _Bench] = {}

    def verdict(self, asker: Asker, agency: str, coordinate: str) -> Verdict:
        """The verdict on one coordinate, which the catalogue must know."""
        bench = self._by_asker.get(asker)
        if bench is None:
            bench = self._by_asker[asker] = self._bench(asker)
        return bench.verdict(agency, coordinate)

    def _bench(self, asker: Asker) -> _Bench:
        policy = self._policy
        roles = set(policy.roles.lineage(asker.role))
        purposes = {ANY_PURPOSE, *(policy.purposes.lineage(asker.purpose) if asker.purpose else ())}
        bases = {ANY_BASIS, asker.basis}
        rows = tuple(row for row in self._rows if row.role in roles and row.purpose in purposes and row.basis in bases)
        key = tuple(row.priority for row in rows)
        if key not in self._by_rows:
            self._by_rows[key] = _Bench(policy, rows, self._request(asker), self._links(asker))
        return self._by_rows[key]

    def _request(self, asker: Asker) -> Request:
        return Request(asker.role, self._organisation, "", "", self._act, asker.purpose or "", asker.basis)

    def _links(self, asker: Asker) -> Links:
        policy = self._policy
        tiers: list[Link] = [(coordinate, policy.tiers[coordinate]) for coordinate in sorted(self._coordinates)]
        agencies = {link for agency in self._agencies for link in policy.agencies.links(agency)}
        return Links(
            roles=policy.roles.links(asker.role),
            tiers=[*tiers, *((tier, ROOT) for tier in Tier)],
            organisations=policy.organisation_tree.links(self._organisation),
            purposes=policy.purposes.links(asker.purpose) if asker.purpose else (),
            agencies=sorted(agencies),
        )


class _Bench:
    """The rows that can match some askers, and what casbin answered over them so far."""

    def __init__(self, policy: Policy, rows: Iterable[Row], request: Request, links: Links) -> None:
        self._policy = policy
        self._request = request
        self._links = links
        wide: list[Row] = []
        self._named_rows: dict[str, list[Row]] = {}
        for row in rows:
            (wide if is_wide(row.object) else self._named_rows.setdefault(_record(row.object), [])).append(row)
        self._wide = Decider(wide, links)
        self._named: dict[str, Decider] = {}
        self._wide_answers: dict[tuple[str, str, bool, Tier], Row | None] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def verdict(self, agency: str, coordinate: str) -> Verdict:
        key = (agency, coordinate)
        known = self._verdicts.get(key)
        if known is None:
            rows = (self._ask_named(agency, coordinate), self._ask_wide(agency, coordinate))
            known = self._verdicts[key] = verdict_of(self._policy, coordinate, *rows)
        return known

    def _ask_named(self, agency: str, coordinate: str) -> Row | None:
        record = _record(coordinate)
        rows = self._named_rows.get(record, ())
        if not any(row.object == coordinate for row in rows):
            return None
        if record not in self._named:
            self._named[record] = Decider(rows, self._links)
        return self._named[record].decide(self._asking(agency, coordinate))

    def _ask_wide(self, agency: str, coordinate: str) -> Row | None:
        key = (agency, _record(coordinate), "." in coordinate, self._policy.tiers[coordinate])
        if key not in self._wide_answers:
            self._wide_answers[key] = self._wide.decide(self._asking(agency, coordinate))
        return self._wide_answers[key]

    def _asking(self, agency: str, coordinate: str) -> Request:
        asked = self._request
        return Request(asked.role, asked.organisation, agency, coordinate, asked.act, asked.purpose, asked.basis)


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


def _record(coordinate: str) -> str:
    return coordinate.partition(".")[0]
