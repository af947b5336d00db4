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
from functools import partial
from pathlib import Path
from typing import Final

from policies.errors import PolicyInvalid
from policies.located import Findings, Located
from policies.policy import Organisation, Policy
from policies.reading import Key, Read, Reading
from policies.release import in_effect, unreleased
from policies.rule import NATION, Placed, Rule, publish
from policies.rulebook import Vocabulary, check_together, read_rules
from policies.tree import ROOT, Tree
from policies.vocabulary import Trees, check_keys, read_organisations, read_trees
from schema.catalogue import Catalogue, Tier

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
    return PolicyReader(catalogue, agencies).load(files, now or datetime.now(UTC))


def placed_rules(files: PolicyFiles, policy: Policy, catalogue: Catalogue) -> tuple[Placed, ...]:
    """All rules of a policy that was loaded from these files, those outside their validity too."""
    vocabulary = Vocabulary(catalogue, Trees(policy.roles, policy.purposes, policy.agencies), policy.organisations)
    return _read_rules(Reading(files, {}, {}), vocabulary)


@dataclass(frozen=True, slots=True)
class _Whole:
    """All that a policy's files say."""

    publication: _Publication
    vocabulary: Vocabulary
    organisation_tree: Tree
    organisations: Mapping[str, Organisation]
    placed: tuple[Placed, ...]


class PolicyReader:
    """Loads one version after another, and reads again only the files that changed since the one before."""

    def __init__(self, catalogue: Catalogue, agencies: Collection[str]) -> None:
        self._catalogue = catalogue
        self._agencies = tuple(agencies)
        self._before: Mapping[Key, Read] = {}

    def load(self, files: PolicyFiles, now: datetime) -> Policy:
        """As `load_policy`."""
        return _policy(self._read(files), now)

    def _read(self, files: PolicyFiles) -> _Whole:
        """All that the files say. Raises `PolicyInvalid` with every mistake found in them."""
        reading = Reading(files, self._before, {})
        publication = reading.read("version.yaml", _publication)
        trees = reading.read("trees.yaml", lambda document, found: read_trees(document, self._agencies, found))
        organisation_tree, organisations = reading.read(
            "organisations.yaml",
            lambda document, found: read_organisations(document, trees, found),
            beside=("trees.yaml",),
        )
        vocabulary = Vocabulary(self._catalogue, trees, organisations.keys())
        placed = _read_rules(reading, vocabulary)
        # Kept even of a version that is refused: the next one is much the same.
        self._before = reading.done
        found = reading.findings() + check_together(placed, vocabulary)
        if found or publication is None:
            raise PolicyInvalid(found)
        return _Whole(publication, vocabulary, organisation_tree, organisations, placed)


def _read_rules(reading: Reading, vocabulary: Vocabulary) -> tuple[Placed, ...]:
    organisations = {*vocabulary.organisations, ROOT}
    names = {name for name in reading.files if name.startswith("rules/")}
    placed: list[Placed] = []
    for name in sorted(names | {f"rules/{NATION}.yaml"}):
        placed += reading.read(
            name,
            partial(_rules_of, Path(name).stem, vocabulary),
            beside=("trees.yaml",),
            holds=lambda made: all(organisations.issuperset(one.rule.organisations) for one in made),
        )
    return tuple(placed)


def _rules_of(agency: str, vocabulary: Vocabulary, document: Located, findings: Findings) -> tuple[Placed, ...]:
    return read_rules(document, agency, vocabulary, findings)


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


def _policy(whole: _Whole, now: datetime) -> Policy:
    publication, organisations = whole.publication, whole.organisations
    trees, catalogue = whole.vocabulary.trees, whole.vocabulary.catalogue
    rules = [one.rule for one in whole.placed]
    active = [one for one in whole.placed if one.rule.active(now)]
    sealed = unreleased(active, catalogue, trees.agencies)
    rows = publish(rule for one in active if (rule := in_effect(one.rule, sealed)))
    tiers = {
        coordinate: Tier.SEALED if coordinate.partition(".")[0] in sealed else tier
        for coordinate, tier in catalogue.tiers()
    }
    masks = {
        f"{record.name}.{field.name}": field.mask
        for record in catalogue.records.values()
        for field in record.fields.values()
        if field.mask
    }
    content = (
        [row.values() for row in rows],
        [dict(tree.parents) for tree in (trees.roles, trees.purposes, trees.agencies)],
        sorted(_canonical(organisation) for organisation in organisations.values()),
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
        organisation_tree=whole.organisation_tree,
        organisations=organisations,
        tiers=tiers,
        unreleased=sealed,
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
