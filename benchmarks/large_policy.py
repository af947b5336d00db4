"""A made-up policy of a nation's size: 10,000 rules on 100 agencies' data, for 5,000 organisations; always the same."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from policies.load import PolicyFiles
from schema.catalogue import Catalogue, Tier

AGENCIES: Final = tuple(f"agency-{number}" for number in range(100))
RULES: Final = 10_000
ORGANISATIONS: Final = 5_000
GROUPS: Final = 50
"""The organisations at the top, below which the others are."""

DENIES: Final = 0.1
AT_ONE_ORGANISATION: Final = 0.05
MASKED: Final = 0.1
ROLES: Final = ("bank", "bureau", "insurer", "auditor", "court")
PURPOSES: Final = ("credit", "supervision", "procurement", "research")
BASES: Final = ("consent", "jurisdiction", "none", "any")


def large_policy(catalogue: Catalogue, seed: int = 7) -> PolicyFiles:
    """The files of the policy."""
    chance = random.Random(seed)  # noqa: S311 - a benchmark, no secret
    texts = {
        "version.yaml": "number: 1\npublished_at: 2026-11-01T09:00:00+08:00\nby: benchmark\nwhy: to measure\n",
        "trees.yaml": _trees(),
        "organisations.yaml": _organisations(),
        "rules/nation.yaml": "rules:\n" + _opening(catalogue) + _rules("nation", RULES // 5, catalogue, chance),
    }
    for agency in AGENCIES:
        texts[f"rules/{agency}.yaml"] = "rules:\n" + _rules(agency, RULES * 4 // 5 // len(AGENCIES), catalogue, chance)
    return {name: text.encode() for name, text in texts.items()}


def supplied(catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """The coordinates of each agency: every one supplies everything, which is the most that there can be."""
    return {agency: frozenset(dict(catalogue.tiers())) for agency in AGENCIES}


def _trees() -> str:
    def branches(tops: tuple[str, ...], leaves: int) -> str:
        return "".join(
            f"  {top}: any\n" + "".join(f"  {top}.{leaf}: {top}\n" for leaf in "abcdefghij"[:leaves]) for top in tops
        )

    agencies = "  ministry: any\n" + "".join(f"  {agency}: ministry\n" for agency in AGENCIES)
    return f"roles:\n{branches(ROLES, 7)}purposes:\n{branches(PURPOSES, 6)}agencies:\n{agencies}"


def _organisations() -> str:
    lines = ["organisations:"]
    for number in range(ORGANISATIONS):
        kind = number % len(ROLES)
        roles = ", ".join((f"{ROLES[kind]}.a", f"{ROLES[kind]}.b"))
        purpose = PURPOSES[kind % len(PURPOSES)]
        parent = f"org-{number % GROUPS}" if number >= GROUPS else "any"
        lines.append(
            f"  org-{number}:\n    name: Organisation {number}\n    name_zh: 机构{number}\n    parent: {parent}\n"
            f"    roles: [{roles}]\n    purposes: [{purpose}]"
        )
    return "\n".join(lines) + "\n"


def _opening(catalogue: Catalogue) -> str:
    """Rules that show public data to everybody, and the rows of every type to everybody with a basis."""
    names = ", ".join(catalogue.records)
    return (
        "  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: Public data.}\n"
        f"  - {{id: rows, allow: [{names}], of: any, to: any, for: any, given: [consent, jurisdiction], note: Rows.}}\n"
    )


def _rules(agency: str, count: int, catalogue: Catalogue, chance: random.Random) -> str:
    fields = [
        f"{record.name}.{field.name}"
        for record in catalogue.records.values()
        for field in record.fields.values()
        if field.name != "objection" and field.tier is not Tier.SEALED
    ]
    roles = [*ROLES, *(f"{role}.{leaf}" for role in ROLES for leaf in "abcdefg")]
    purposes = [*PURPOSES, *(f"{purpose}.{leaf}" for purpose in PURPOSES for leaf in "abcdef")]
    text = []
    for number in range(count):
        objects = ", ".join(sorted(chance.sample(fields, chance.randint(1, 3))))
        effect = "deny" if chance.random() < DENIES else "allow"
        at = f"    at: org-{chance.randrange(ORGANISATIONS)}\n" if chance.random() < AT_ONE_ORGANISATION else ""
        masked = "    masked: redact\n" if effect == "allow" and chance.random() < MASKED else ""
        text.append(
            f"  - id: {agency}-{number}\n    {effect}: [{objects}]\n    of: {'any' if agency == 'nation' else agency}\n"
            f"    to: {chance.choice(roles)}\n{at}{masked}    for: {chance.choice(purposes)}\n"
            f"    given: {chance.choice(BASES)}\n    note: Made up, number {number}.\n"
        )
    return "".join(text)
