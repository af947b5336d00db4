"""Rule files: each rule is a sentence (allow these fields, of this agency, to this role, for this purpose, given this
basis), checked against everything that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from policies.decision import Basis
from policies.errors import Finding
from policies.located import Findings, Located
from policies.masks import MASKS
from policies.policy import NO_BASIS, Act, RuleEffect, is_wide
from policies.release import unreleased
from policies.rule import NATION, Placed, Rule
from policies.tree import ROOT, Tree
from policies.vocabulary import Trees, check_keys, check_name, known, near
from schema.catalogue import Catalogue, Tier

KEYS: Final = ("id", "allow", "deny", "of", "to", "at", "for", "given", "masked", "act", "from", "until", "note")
"""What a rule may say."""

_COLUMNS: Final = ("of", "to", "for", "given")
_REQUIRED: Final = ("id", *_COLUMNS, "note")
_BASES: Final = (ROOT, NO_BASIS, *Basis)
_ACTS: Final = (ROOT, *Act)
MAX_ROWS: Final = 10_000
"""The most rows of casbin's policy that one rule may make: each combination of the names in its columns is one."""

OBJECTION: Final = "objection"
"""The dispute mark, which always travels with its record."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that a rule may name."""

    catalogue: Catalogue
    trees: Trees
    organisations: Collection[str]


def read_rules(document: Located, agency: str, vocabulary: Vocabulary, findings: Findings) -> tuple[Placed, ...]:
    """The sound rules of one file on the data of `agency` (`nation`: of any)."""
    if agency != NATION and agency not in vocabulary.trees.agencies:
        hint = near(agency, vocabulary.trees.agencies)
        findings.add(1, "UNKNOWN_AGENCY", f"the file is named after no agency: `{agency}`", hint)
    entries = findings.entries(document, findings.file)
    check_keys(entries, ("rules",), findings)
    items = findings.items(entries["rules"], "rules") if "rules" in entries else ()
    made = []
    for item in items:
        before = len(findings.found)
        rule = _rule(findings.entries(item, "rules"), item.line, agency, vocabulary, findings)
        if rule and len(findings.found) == before:
            made.append(Placed(rule, findings.file, item.line))
    return tuple(made)


def _rule(
    entries: Mapping[str, Located], line: int, agency: str, vocabulary: Vocabulary, findings: Findings
) -> Rule | None:
    check_keys(entries, KEYS, findings)
    missing = [key for key in _REQUIRED if key not in entries]
    for key in missing:
        hint = f"write `{key}: {ROOT}` for all" if key in _COLUMNS else None
        findings.add(line, "MISSING_KEY", f"the rule lacks `{key}`", hint)
    effects = [effect for effect in RuleEffect if effect in entries]
    if len(effects) != 1:
        findings.add(line, "UNKNOWN_EFFECT", "a rule says either `allow` or `deny`, spelt so, once")
    if missing or len(effects) != 1:
        return None
    effect = effects[0]
    names = {key: _names(key, entries, findings) for key in (effect, *_COLUMNS)}
    trees = vocabulary.trees
    rule = Rule(
        id=_id(entries["id"], findings),
        effect=effect,
        objects=_objects(names[effect], effect, vocabulary.catalogue, findings),
        agencies=_agencies(names["of"], agency, trees, findings),
        roles=known(names["to"], trees.roles, "role", findings, root=True),
        organisations=_organisations(entries, vocabulary.organisations, findings),
        purposes=known(names["for"], trees.purposes, "purpose", findings, root=True),
        bases=known(names["given"], _BASES, "basis", findings),
        acts=_acts(entries, findings),
        mask=_mask(entries, effect, names[effect], vocabulary.catalogue, findings),
        starts=_day(entries, "from", findings),
        ends=_day(entries, "until", findings),
        note=findings.text(entries["note"], "note") or "",
    )
    if rule.starts and rule.ends and rule.ends < rule.starts:
        findings.add(entries["until"].line, "NEVER_VALID", f"the rule `{rule.id}` ends before it begins")
    if rule.size() > MAX_ROWS:
        message = f"the rule `{rule.id}` combines its names to more than {MAX_ROWS} rows"
        findings.add(line, "TOO_WIDE", message, f"write `{ROOT}`, or a name that stands above several")
    return rule


def _names(key: str, entries: Mapping[str, Located], findings: Findings) -> tuple[Located, ...]:
    if entries[key].value == ():
        findings.add(entries[key].line, "EMPTY", f"`{key}` names nothing, so the rule would do nothing")
    names = findings.texts(entries[key], key)
    seen: set[object] = set()
    for name in names:
        if name.value in seen:
            findings.add(
                name.line, "DUPLICATE_NAME", f"`{name.value}` stands twice in `{key}`", "remove one of the two"
            )
        seen.add(name.value)
    return names


def _id(item: Located, findings: Findings) -> str:
    (name,) = findings.texts(item, "id")[:1] or (None,)
    return str(name.value) if name and check_name(name, "id", findings) else ""


def _objects(names: Iterable[Located], effect: RuleEffect, catalogue: Catalogue, findings: Findings) -> tuple[str, ...]:
    found = []
    for name in names:
        text = str(name.value)
        if not exists(text, catalogue):
            note_unknown(name, catalogue, findings)
        elif text.endswith(f".{OBJECTION}"):
            message = f"`{text}` follows its record: it is shown whenever the record is"
            findings.add(name.line, "OBJECTION", message, "write the rule on the record type")
        elif text == Tier.SEALED and effect is RuleEffect.ALLOW:
            message = "sealed fields are never opened by their tier"
            findings.add(name.line, "SEALED_BY_TIER", message, "name the field")
        else:
            found.append(text)
    return tuple(found)


def exists(name: str, catalogue: Catalogue) -> bool:
    """Whether an object of a rule is one: `any`, a tier, a record type, `Type.field` or `Type.*`."""
    if name == ROOT or name in Tier.__members__:
        return True
    record, dot, field = name.partition(".")
    return record in catalogue.records and (not dot or field == "*" or catalogue.field(name) is not None)


def note_unknown(name: Located, catalogue: Catalogue, findings: Findings) -> None:
    """Notes an object that is none, with the likeliest one."""
    text = str(name.value)
    record, dot, field = text.partition(".")
    if dot and record in catalogue.records:
        hint = near(field, catalogue.records[record].fields)
        findings.add(name.line, "UNKNOWN_FIELD", f"`{record}` has no field `{field}`", hint)
    elif not dot and text.isupper():
        findings.add(name.line, "UNKNOWN_TIER", f"unknown tier `{text}`", near(text, Tier))
    else:
        hint = near(record, (*catalogue.records, *Tier, ROOT))
        findings.add(name.line, "UNKNOWN_TYPE", f"unknown record type `{record}`", hint)


def _agencies(names: Collection[Located], agency: str, trees: Trees, findings: Findings) -> tuple[str, ...]:
    found = known(names, trees.agencies, "agency", findings, root=True)
    if agency == NATION:
        return found
    for name in names:
        if name.value in found and not trees.agencies.covers(agency, str(name.value)):
            message = f"this file holds rules on the data of `{agency}` only, not of `{name.value}`"
            findings.add(name.line, "FOREIGN_AGENCY", message, f"write it in {NATION}.yaml")
    return found


def _organisations(entries: Mapping[str, Located], options: Collection[str], findings: Findings) -> tuple[str, ...]:
    if "at" not in entries:
        return (ROOT,)
    return known(_names("at", entries, findings), options, "organisation", findings, root=True)


def _acts(entries: Mapping[str, Located], findings: Findings) -> tuple[Act, ...]:
    if "act" not in entries:
        return (Act.READ,)
    names = known(_names("act", entries, findings), _ACTS, "act", findings)
    return tuple(Act) if ROOT in names else tuple(Act(name) for name in names)


def _mask(
    entries: Mapping[str, Located],
    effect: RuleEffect,
    objects: Iterable[Located],
    catalogue: Catalogue,
    findings: Findings,
) -> str | None:
    if "masked" not in entries:
        return None
    line = entries["masked"].line
    if effect is RuleEffect.DENY:
        findings.add(line, "MASK_ON_DENY", "what is denied cannot be masked as well")
        return None
    written = findings.text(entries["masked"], "masked")
    (mask,) = known((Located(written, line),) if written else (), MASKS, "mask", findings) or (None,)
    for name in objects if mask else ():
        text = str(name.value)
        if text in catalogue.records:
            message = f"`{text}` is whether records exist: it is shown or withheld, never masked"
            findings.add(line, "MASK_ON_ROWS", message, f"name its fields, or `{text}.*`")
        elif misfit := _misfit(text, str(mask), catalogue):
            findings.add(line, "MASK_UNFIT", f"the mask `{mask}` cannot hold `{misfit}`, which `{text}` covers")
    return mask


def _misfit(name: str, mask: str, catalogue: Catalogue) -> str | None:
    """A field covered by this object of a rule whose kind the mask cannot hold."""
    kinds = MASKS[mask].kinds
    if not is_wide(name):
        field = catalogue.field(name)
        return f"{name} ({field.kind})" if field and field.kind not in kinds else None
    for record in catalogue.records.values():
        # A wide mask that does not hold a field of an agency's own type redacts it: no agency can break others' rules.
        wide = {f"{record.name}.*", *((ROOT, *Tier) if record.owner is None else ())}
        for field in record.fields.values():
            covered = field.tier is not Tier.SEALED and name in wide & {ROOT, field.tier, f"{record.name}.*"}
            if covered and field.kind not in kinds:
                return f"{record.name}.{field.name} ({field.kind})"
    return None


def _day(entries: Mapping[str, Located], key: str, findings: Findings) -> date | None:
    if key not in entries:
        return None
    text = findings.text(entries[key], key)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        findings.add(entries[key].line, "BAD_DATE", f"`{key}: {text}` is not a day", "write it as 2026-04-01")
        return None


def check_together(placed: Collection[Placed], vocabulary: Vocabulary) -> list[Finding]:
    """What is wrong between rules: an id or a meaning twice, fields shown of records that nobody may see."""
    found: list[Finding] = []
    ids: dict[str, Placed] = {}
    meanings: dict[tuple[object, ...], Placed] = {}
    openers = _row_openers(placed, vocabulary)
    for one in placed:
        findings = Findings(one.file)
        if (first := ids.setdefault(one.rule.id, one)) is not one:
            where = f"{first.file}:{first.line}"
            findings.add(one.line, "DUPLICATE_ID", f"the id `{one.rule.id}` is taken by the rule at {where}")
        elif (same := meanings.setdefault(one.rule.meaning(), one)) is not one:
            message = f"`{one.rule.id}` says the same as `{same.rule.id}` at {same.file}:{same.line}"
            findings.add(one.line, "DUPLICATE_RULE", message, "remove one of the two")
        _check_rows_open(one, openers, vocabulary.trees.roles, findings)
        found.extend(findings.found)
    return found


@dataclass(frozen=True, slots=True)
class _Openers:
    """The roles to which some rule shows a type's rows, and with them all above these in the tree."""

    roles: set[str]
    above: set[str]

    def reach(self, role: str, roles: Tree) -> bool:
        """Whether rows are shown to this role, or to some below it."""
        return role in self.above or not self.roles.isdisjoint(roles.lineage(role))


def _row_openers(placed: Collection[Placed], vocabulary: Vocabulary) -> dict[str, _Openers]:
    records = vocabulary.catalogue.records
    openers = {name: _Openers(set(), set()) for name in records}
    sealed = unreleased(placed, vocabulary.catalogue, vocabulary.trees.agencies)
    opened_by = {name: {name} if name in sealed else {ROOT, str(record.tier), name} for name, record in records.items()}
    opening = frozenset().union(*opened_by.values())
    for one in placed:
        objects = opening.intersection(one.rule.objects)
        if objects and one.rule.effect is RuleEffect.ALLOW and not one.rule.mask:
            for name in (name for name in records if not objects.isdisjoint(opened_by[name])):
                openers[name].roles.update(one.rule.roles)
    for opener in openers.values():
        opener.above.update(*map(vocabulary.trees.roles.lineage, opener.roles))
    return openers


def _check_rows_open(one: Placed, openers: Mapping[str, _Openers], roles: Tree, findings: Findings) -> None:
    if one.rule.effect is RuleEffect.DENY:
        return
    for record in sorted({name.partition(".")[0] for name in one.rule.objects if "." in name}):
        for role in one.rule.roles:
            if not openers[record].reach(role, roles):
                message = f"`{one.rule.id}` shows fields of `{record}` to `{role}`, to whom no rule shows the records"
                findings.add(one.line, "ROWS_OF_NOTHING", message, f"allow `{record}` itself as well")
