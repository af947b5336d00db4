"""A rule cut down to what it was used for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policies.analysis.replay import Cell
from policies.compile import bases_on
from policies.decision import Basis, CallerClass, Decision
from policies.policy import NO_BASIS, Policy, is_wide
from policies.rule import Rule
from policies.rulebook import OBJECTION
from policies.tree import ROOT, Tree
from schema.catalogue import Tier

FEW: Final = 3
"""How many organisations a rule for all of them is narrowed to at most."""

_BASES: Final = Tree(dict.fromkeys((NO_BASIS, *Basis), ROOT))


@dataclass(frozen=True, slots=True)
class Served:
    """A decision that a rule made for a class of caller."""

    caller: CallerClass
    cell: Cell
    decision: Decision


def narrowed(rule: Rule, served: Collection[Served], policy: Policy) -> Rule:
    """The rule with every column but its things cut to what it served; the rule itself where all of it was used.

    Several names that are all those below another are written as that one.
    """
    roles = {role for one in served for role in _roles(rule, one.caller, policy)}
    purposes = {one.caller.purpose for one in served}
    bases = {basis for one in served for basis in _bases(one, policy)}
    return replace(
        rule,
        agencies=_cut(rule.agencies, {one.cell[0] for one in served}, policy.agencies),
        roles=_cut(rule.roles, roles, policy.roles),
        organisations=_organisations(rule, {one.caller.organisation for one in served}, policy),
        # A rule cannot ask that there be no purpose.
        purposes=rule.purposes if None in purposes else _cut(rule.purposes, purposes, policy.purposes),
        bases=_cut(rule.bases, bases, _BASES),
    )


def named(
    rule: Rule, served: Iterable[Served], policy: Policy, supplied: frozenset[str], taken: Collection[str]
) -> tuple[Rule, ...]:
    """The rule with the fields that it served in the place of tiers and `Type.*`. `supplied` are the coordinates that
    some agency supplies.

    A rule that names a field shows it beyond its default mask, so the mask stands in the rule. Where there are several,
    there is a rule for each, its id followed by the mask; where such an id is `taken`, the rule stays as it is.
    """
    things = _things(rule, served, policy, supplied)
    first = rule.mask if rule.mask in things else min(things, key=str, default=None)
    rules = tuple(
        replace(rule, id=rule.id if mask == first else f"{rule.id}-{mask}", objects=objects, mask=mask)
        for mask, objects in sorted(things.items(), key=lambda item: (item[0] != first, str(item[0])))
    )
    if not rules or any(one.id in taken for one in rules[1:]):
        return (rule,)
    return rules


def _things(
    rule: Rule, served: Iterable[Served], policy: Policy, supplied: frozenset[str]
) -> Mapping[str | None, tuple[str, ...]]:
    """By mask what the rule served. A thing that was used whole stays as wide as it is."""
    masks = {one.cell[2]: one.decision.mask for one in served}
    groups: dict[str | None, dict[str, None]] = {}
    for name in rule.objects:
        covered = {coordinate for coordinate in supplied if _covers(name, coordinate, rule, policy)}
        used = covered & masks.keys()
        if used and (used == covered or not is_wide(name)):
            groups.setdefault(rule.mask, {})[name] = None
            continue
        for coordinate in sorted(used):
            groups.setdefault(masks[coordinate], {})[coordinate] = None
    return {mask: tuple(names) for mask, names in groups.items()}


def _covers(name: str, coordinate: str, rule: Rule, policy: Policy) -> bool:
    """Whether a thing of the rule can open the coordinate."""
    record, dot, field = coordinate.partition(".")
    if name == coordinate:
        return True
    tier = policy.tiers.get(coordinate, Tier.SEALED)
    # Rows are never masked, and the dispute mark is as clear as they are.
    if tier is Tier.SEALED or field == OBJECTION or (rule.mask and not dot):
        return False
    return name in {ROOT, str(tier)} or (bool(dot) and name == f"{record}.*")


def _roles(rule: Rule, caller: CallerClass, policy: Policy) -> frozenset[str]:
    """The caller's roles that the rule is for."""
    held = caller.roles & policy.organisations[caller.organisation].roles
    return frozenset(role for role in held if set(rule.roles) & set(policy.roles.lineage(role)))


def _bases(one: Served, policy: Policy) -> tuple[str, ...]:
    coordinate = one.cell[2]
    return bases_on(coordinate, policy.tiers[coordinate], one.caller.bases, one.caller.consent_scope)


def _organisations(rule: Rule, used: Collection[str], policy: Policy) -> tuple[str, ...]:
    """The rule's organisations; of a rule for all of them, only where few of those concerned used it."""
    if ROOT in rule.organisations:
        concerned = {
            organisation.id
            for organisation in policy.organisations.values()
            if any(set(rule.roles) & set(policy.roles.lineage(role)) for role in organisation.roles)
        }
        if len(used) > FEW or concerned <= set(used):
            return rule.organisations
    return _cut(rule.organisations, used, policy.organisation_tree)


def _cut(names: Iterable[str], used: Collection[str | None], tree: Tree) -> tuple[str, ...]:
    """Few names below `names` that cover what was used."""
    return tuple(dict.fromkeys(found for name in names for found in _cover(name, used, tree)))


def _cover(name: str, used: Collection[str | None], tree: Tree) -> tuple[str, ...]:
    if name in used:
        return (name,)
    children = [child for child, parent in tree.parents.items() if parent == name]
    parts = [_cover(child, used, tree) for child in children]
    several = len(children) > 1 or name == ROOT
    if several and all(part == (child,) for child, part in zip(children, parts, strict=True)):
        return (name,)
    return tuple(found for part in parts for found in part)
