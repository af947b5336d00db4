"""Made-up policies, always the same.

A nation's: 10,000 rules on 100 agencies' data, for 5,000 organisations. And the demonstration's, grown: with rules that
change nothing for the bank, on the same data.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policies.load import PolicyFiles, read_directory
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


@dataclass(frozen=True)
class Askers:
    """Whom made-up rules are for: a role and a purpose of these, now and then at one of these organisations."""

    roles: Sequence[str]
    purposes: Sequence[str]
    organisations: Sequence[str]


EVERYONE: Final = Askers(
    roles=(*ROLES, *(f"{role}.{leaf}" for role in ROLES for leaf in "abcdefg")),
    purposes=(*PURPOSES, *(f"{purpose}.{leaf}" for purpose in PURPOSES for leaf in "abcdef")),
    organisations=tuple(f"org-{number}" for number in range(ORGANISATIONS)),
)
OFFICERS: Final = Askers(
    roles=("bank", "bank.officer"),
    purposes=("supervision", "supervision.inspection", "supervision.tax", "self.review"),
    organisations=("first-bank", "second-bank"),
)
OTHERS: Final = Askers(
    roles=("made-up", *(f"made-up.{leaf}" for leaf in "abcdefg")),
    purposes=("credit", "credit.underwriting", "credit.monitoring", "any"),
    organisations=("second-bank", "rural-bank"),
)


def large_policy(catalogue: Catalogue, seed: int = 7) -> PolicyFiles:
    """The files of the policy."""
    chance = random.Random(seed)  # noqa: S311 - a benchmark, no secret
    texts = {
        "version.yaml": "number: 1\npublished_at: 2026-11-01T09:00:00+08:00\nby: benchmark\nwhy: to measure\n",
        "trees.yaml": _trees(),
        "organisations.yaml": _organisations(),
        "rules/nation.yaml": "rules:\n"
        + _opening(catalogue)
        + _rules("nation", RULES // 5, catalogue, chance, EVERYONE),
    }
    for agency in AGENCIES:
        count = RULES * 4 // 5 // len(AGENCIES)
        texts[f"rules/{agency}.yaml"] = "rules:\n" + _rules(agency, count, catalogue, chance, EVERYONE)
    return {name: text.encode() for name, text in texts.items()}


def demonstration_policy(catalogue: Catalogue, agencies: Sequence[str], rules: int = 0, seed: int = 7) -> PolicyFiles:
    """The demonstration's policy, for these agencies as well, grown to so many rules in all.

    Those that are added are for the bank's role but other purposes, or for its purposes but other roles, half and half:
    they stand on the same data, and none of them matches a question of the bank's.
    """
    chance = random.Random(seed)  # noqa: S311 - a benchmark, no secret
    files = dict(read_directory(Path(__file__).parents[1] / "policies"))
    trees = files["trees.yaml"].decode()
    more_agencies = "".join(f"  {agency}: nation\n" for agency in agencies if f"\n  {agency}: " not in trees)
    more_roles = "".join(f"  {role}: {role.rpartition('.')[0] or 'any'}\n" for role in OTHERS.roles)
    trees = trees.replace("roles:\n", f"roles:\n{more_roles}").replace("agencies:\n", f"agencies:\n{more_agencies}")
    missing = max(0, rules - sum(text.count(b"\n  - id: ") for text in files.values()) - 1)
    if not missing:
        return files | {"trees.yaml": trees.encode()}
    rows = ", ".join(catalogue.records)
    opening = f"  - {{id: made-up-rows, allow: [{rows}], of: any, to: made-up, for: any, given: any, note: Rows.}}\n"
    # No bank may know that there are records of the others.
    banks = Catalogue({name: one for name, one in catalogue.records.items() if one.tier is not Tier.RESTRICTED})
    made = [opening, _rules("bank", (missing + 1) // 2, banks, chance, OFFICERS)]
    made.append(_rules("others", missing // 2, catalogue, chance, OTHERS))
    nation = files["rules/nation.yaml"].decode().rstrip("\n") + "\n" + "".join(made)
    return files | {"trees.yaml": trees.encode(), "rules/nation.yaml": nation.encode()}


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


def _rules(name: str, count: int, catalogue: Catalogue, chance: random.Random, who: Askers) -> str:
    fields = [
        f"{record.name}.{field.name}"
        for record in catalogue.records.values()
        for field in record.fields.values()
        if field.name != "objection" and field.tier is not Tier.SEALED
    ]
    written: dict[str, None] = {}
    while len(written) < count:
        objects = ", ".join(sorted(chance.sample(fields, chance.randint(1, 3))))
        effect = "deny" if chance.random() < DENIES else "allow"
        at = f"    at: {chance.choice(who.organisations)}\n" if chance.random() < AT_ONE_ORGANISATION else ""
        masked = "    masked: redact\n" if effect == "allow" and chance.random() < MASKED else ""
        rule = (
            f"    {effect}: [{objects}]\n    of: {name if name in AGENCIES else 'any'}\n"
            f"    to: {chance.choice(who.roles)}\n{at}{masked}    for: {chance.choice(who.purposes)}\n"
            f"    given: {chance.choice(BASES)}\n"
        )
        written[rule] = None
    return "".join(
        f"  - id: {name}-{number}\n{rule}    note: Made up, number {number}.\n" for number, rule in enumerate(written)
    )
