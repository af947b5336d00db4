"""Which coordinates wide rules reach, and which of them nobody has reviewed: those that `fields.yaml` does not list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from policies.errors import Finding, Severity
from policies.load import PolicyFiles
from policies.located import Findings, read
from policies.policy import RuleEffect, is_wide
from policies.rule import Placed
from policies.rulebook import OBJECTION
from policies.tree import ROOT
from policies.vocabulary import known
from schema.catalogue import Catalogue, Tier

FILE: Final = "fields.yaml"
"""Lists, by record type, the fields that were there when the rules were last reviewed."""

_MOST_TOLD: Final = 3


def reached(name: str, tiers: Mapping[str, Tier]) -> Iterator[str]:
    """The coordinates that a rule with this wide object can show. The dispute mark follows its record."""
    for coordinate, tier in tiers.items():
        record, dot, field = coordinate.partition(".")
        wide = name in {ROOT, tier} or (dot and name == f"{record}.*")
        if wide and tier is not Tier.SEALED and field != OBJECTION:
            yield coordinate


def several(names: Iterable[str]) -> str:
    """The first few names, and how many there are beside."""
    every = sorted(names)
    told = ", ".join(f"`{name}`" for name in every[:_MOST_TOLD])
    return told if len(every) <= _MOST_TOLD else f"{told} and {len(every) - _MOST_TOLD} more"


def check_fields(
    files: PolicyFiles, placed: Iterable[Placed], catalogue: Catalogue, tiers: Mapping[str, Tier]
) -> tuple[Finding, ...]:
    """Warnings: wide rules that allow what `fields.yaml` does not list, and names in it that there are not. None where
    there is no such file. `tiers` are the policy's.
    """
    if FILE not in files:
        return ()
    findings = Findings(FILE)
    reviewed = _reviewed(files[FILE], catalogue, findings)
    if reviewed is not None:
        for one in placed:
            if one.rule.effect is RuleEffect.ALLOW:
                wide = [name for name in one.rule.objects if is_wide(name)]
                new = {coordinate for name in wide for coordinate in reached(name, tiers)} - reviewed
                findings.found.extend(_unreviewed(one, new))
    return tuple(replace(finding, severity=Severity.WARNING) for finding in findings.found)


def _reviewed(content: bytes, catalogue: Catalogue, findings: Findings) -> set[str] | None:
    """The coordinates that the file lists, None where it cannot be read."""
    document = read(content, findings)
    if document is None:
        return None
    reviewed: set[str] = set()
    for name, item in findings.entries(document, FILE).items():
        if known((replace(item, value=name),), catalogue.records, "type", findings):
            fields = findings.texts(item, name)
            reviewed.add(name)
            reviewed.update(
                f"{name}.{field}" for field in known(fields, catalogue.records[name].fields, "field", findings)
            )
    return reviewed


def _unreviewed(one: Placed, new: set[str]) -> Iterator[Finding]:
    if new:
        message = f"the rule `{one.rule.id}` reaches {several(new)}, not there when the rules were last reviewed"
        yield Finding(
            one.file, one.line, "WILDCARD_REACHES_NEW_FIELD", message, f"review the rule, then add it to {FILE}"
        )
