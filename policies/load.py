"""A policy's files, read, checked and published.

- `version.yaml`: number, published_at, by, why
- `trees.yaml`: roles, purposes and agencies, each `child: parent`
- `organisations.yaml`: who may ask, in which roles, for which purposes
- `rules/nation.yaml`: rules on any agency's data
- `rules/<agency>.yaml`: rules on the data of that agency and of those below it
- `publicity/*.yaml`, `tests/*.yaml`, `fields.yaml`: read elsewhere; a mistake in the last two does not keep a
  policy from being loaded
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from policies.errors import Finding, PolicyInvalid
from policies.located import Findings, Located, read
from policies.policy import Organisation, Policy
from policies.rule import Rule, publish
from policies.rulebook import NATION, Placed, Vocabulary, check_together, read_rules
from policies.tree import Tree
from policies.vocabulary import Trees, check_keys, read_organisations, read_trees
from schema.catalogue import Catalogue

_PATTERNS: Final = (
    "version.yaml",
    "trees.yaml",
    "organisations.yaml",
    "fields.yaml",
    "rules/*.yaml",
    "publicity/*.yaml",
    "tests/*.yaml",
)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_VERSION_KEYS: Final = ("number", "published_at", "by", "why")


@dataclass(frozen=True, slots=True)
class _Publication:
    """What `version.yaml` says."""

    number: int
    published_at: datetime
    by: str
    why: str


PolicyFiles = Mapping[str, bytes]
"""A policy's files, by their names within its directory (`rules/nation.yaml`)."""


def read_directory(directory: Path) -> PolicyFiles:
    """The policy's files in a directory."""
    names = (path for pattern in _PATTERNS for path in directory.glob(pattern))
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in sorted(names)}


def load_policy(
    files: PolicyFiles, catalogue: Catalogue, agencies: Collection[str], *, now: datetime | None = None
) -> Policy:
    """The policy in these files, as it stands at `now` (with an offset; default: this moment).

    `agencies` are the ids of the manifests. Rules outside their validity are left out. Raises `PolicyInvalid` with
    every mistake found in all files.
    """
    reading = _Reading(files, [])
    publication = _publication(*reading.read("version.yaml"))
    document, findings = reading.read("trees.yaml")
    trees = read_trees(document, agencies, findings)
    document, findings = reading.read("organisations.yaml")
    organisation_tree, organisations = read_organisations(document, trees, findings)
    vocabulary = Vocabulary(catalogue, trees, frozenset(organisations))
    placed = _read_rules(reading, vocabulary)
    found = reading.findings() + check_together(placed, vocabulary)
    if found or publication is None:
        raise PolicyInvalid(found)
    rules = tuple(one.rule for one in placed)
    return _policy(publication, vocabulary, (organisation_tree, organisations), rules, now or datetime.now(UTC))


def placed_rules(files: PolicyFiles, policy: Policy, catalogue: Catalogue) -> tuple[Placed, ...]:
    """All rules of a policy that was loaded from these files, those outside their validity too."""
    vocabulary = Vocabulary(catalogue, Trees(policy.roles, policy.purposes, policy.agencies), policy.organisations)
    return _read_rules(_Reading(files, []), vocabulary)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The files that have been read, each with its findings."""

    files: PolicyFiles
    noted: list[Findings]

    def read(self, name: str) -> tuple[Located, Findings]:
        """The document (empty, where the file cannot be read) and where to note its mistakes."""
        findings = Findings(name)
        self.noted.append(findings)
        return read(self.files.get(name), findings) or Located({}, 1), findings

    def findings(self) -> list[Finding]:
        """All that was noted."""
        return [finding for findings in self.noted for finding in findings.found]


def _read_rules(reading: _Reading, vocabulary: Vocabulary) -> tuple[Placed, ...]:
    names = {name for name in reading.files if name.startswith("rules/")}
    placed: list[Placed] = []
    for name in sorted(names | {f"rules/{NATION}.yaml"}):
        document, findings = reading.read(name)
        placed.extend(read_rules(document, Path(name).stem, vocabulary, findings))
    return tuple(placed)


def _publication(document: Located, findings: Findings) -> _Publication | None:
    entries = findings.entries(document, findings.file)
    check_keys(entries, _VERSION_KEYS, findings)
    texts = {key: findings.text(entries[key], key) for key in _VERSION_KEYS if key in entries}
    for key in _VERSION_KEYS:
        if key not in entries:
            findings.add(document.line, "MISSING_KEY", f"the version lacks `{key}`")
    number, published_at = texts.get("number"), _moment(texts.get("published_at"))
    if number and not _NUMBER.fullmatch(number):
        findings.add(entries["number"].line, "BAD_NUMBER", f"`{number[:16]}` is not a version number", "count from 1")
    if texts.get("published_at") and published_at is None:
        hint = "write it with its offset, as 2026-04-01T09:00:00+08:00"
        findings.add(entries["published_at"].line, "BAD_DATE", "`published_at` is not a moment", hint)
    if findings.found or number is None or published_at is None:
        return None
    return _Publication(int(number), published_at, texts["by"] or "", texts["why"] or "")


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _policy(
    publication: _Publication,
    vocabulary: Vocabulary,
    organisations: tuple[Tree, Mapping[str, Organisation]],
    rules: Collection[Rule],
    now: datetime,
) -> Policy:
    rows = publish(rule for rule in rules if rule.active(now))
    trees, catalogue = vocabulary.trees, vocabulary.catalogue
    tiers = dict(catalogue.tiers())
    masks = {
        f"{record.name}.{field.name}": field.mask
        for record in catalogue.records.values()
        for field in record.fields.values()
        if field.mask
    }
    content = (
        [row.values() for row in rows],
        [dict(tree.parents) for tree in (trees.roles, trees.purposes, trees.agencies)],
        sorted(_canonical(organisation) for organisation in organisations[1].values()),
        tiers,
        masks,
    )
    return Policy(
        version=f"{publication.number}-{_digest(content)}",
        published_at=publication.published_at,
        published_by=publication.by,
        why=publication.why,
        rows=rows,
        roles=trees.roles,
        purposes=trees.purposes,
        agencies=trees.agencies,
        organisation_tree=organisations[0],
        organisations=organisations[1],
        tiers=tiers,
        default_masks=masks,
        next_change=_next_change(rules, now),
    )


def _canonical(organisation: Organisation) -> tuple[str, str, str, list[str], list[str]]:
    roles, purposes = sorted(organisation.roles), sorted(organisation.purposes)
    return organisation.id, organisation.parent, organisation.division or "", roles, purposes


def _digest(content: object) -> str:
    """The first 12 hexadecimal digits of SHA-256 over the content as JSON with sorted keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _next_change(rules: Iterable[Rule], now: datetime) -> datetime | None:
    return min((change for rule in rules for change in rule.changes() if change > now), default=None)
