"""Record types that an agency declared as its own: SEALED, rows and all, until the centre has a rule that shows them.

An agency says what it has and how closely each field should be kept; that it says so opens nothing. The centre looks at
it, and releases it by a rule of its own that allows the records by name. From then on the declared tiers hold, and
rules on tiers reach the type as they reach any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.policy import Act, RuleEffect
from policies.rule import NATION, Placed, Rule
from policies.tree import ROOT, Tree
from schema.catalogue import Catalogue

_CENTRE = f"rules/{NATION}.yaml"


def unreleased(placed: Iterable[Placed], catalogue: Catalogue, agencies: Tree) -> frozenset[str]:
    """The agencies' own record types that none of these rules releases: one of the centre's that allows their records
    to be read, by the type's name, of the agency whose type it is.
    """
    own = {record.name: record.owner for record in catalogue.records.values() if record.owner is not None}
    if not own:
        return frozenset()
    central = [one.rule for one in placed if one.file == _CENTRE and one.rule.effect is RuleEffect.ALLOW]
    return frozenset(
        name for name, owner in own.items() if not any(_releases(rule, name, owner, agencies) for rule in central)
    )


def _releases(rule: Rule, record: str, owner: str, agencies: Tree) -> bool:
    named = record in rule.objects and Act.READ in rule.acts
    return named and any(agency == ROOT or agencies.covers(agency, owner) for agency in rule.agencies)


def in_effect(rule: Rule, sealed: frozenset[str]) -> Rule | None:
    """The rule without what it allows of these record types, None where nothing is left of it. Denies stand."""
    if rule.effect is RuleEffect.DENY or not sealed:
        return rule
    objects = tuple(name for name in rule.objects if name.partition(".")[0] not in sealed)
    return replace(rule, objects=objects) if objects else None
