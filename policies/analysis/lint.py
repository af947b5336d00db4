"""What is wrong with a policy, and what is likely not meant.

Errors are what the loader refuses. Warnings are for a person to judge; each is true, but may be wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from policies.analysis.lint_fields import check_fields, reached, several
from policies.analysis.lint_idle import Idle, idle_rules
from policies.errors import Finding, PolicyInvalid, PublicityInvalid, Severity
from policies.load import PolicyFiles, load_policy, placed_rules
from policies.policy import NO_BASIS, Policy, RuleEffect
from policies.publicity import CHINA, load_publicity
from policies.release import in_effect
from policies.rule import NATION, Placed, Rule
from policies.store.model import loadable
from policies.tree import ROOT
from schema.catalogue import Catalogue, Tier

_CLOSE: Final = (Tier.RESTRICTED, Tier.SEALED)


def lint(
    files: PolicyFiles,
    catalogue: Catalogue,
    agencies: Collection[str],
    cells: Mapping[str, Collection[str]],
    *,
    now: datetime | None = None,
) -> tuple[Finding, ...]:
    """The findings on a policy's files, or a draft's (`version.yaml` may be missing), by file and line. `agencies` are
    the ids of the manifests, `cells` holds the coordinates that each supplies; `now` has an offset (default: this
    moment). There are warnings only where there are no errors. Blocks.
    """
    moment = now or datetime.now(UTC)
    try:
        policy = load_policy(loadable(files, moment), catalogue, agencies, now=moment)
    except PolicyInvalid as error:
        return _in_order([*error.findings, *_publicity(files, catalogue)])
    if errors := _publicity(files, catalogue):
        return _in_order(errors)
    written, today = placed_rules(files, policy, catalogue), moment.astimezone(CHINA).date()
    early = (found for one in written for found in _unreleased(one, policy))
    placed = [replace(one, rule=rule) for one in written if (rule := in_effect(one.rule, policy.unreleased))]
    idle = (_idle(one) for one in idle_rules(policy, placed, cells, today))
    alone = (found for one in placed for found in (*_expired(one, today), *_clear_without_basis(one, policy)))
    return _in_order([*early, *idle, *alone, *check_fields(files, placed, catalogue, policy.tiers)])


def _publicity(files: PolicyFiles, catalogue: Catalogue) -> tuple[Finding, ...]:
    try:
        load_publicity(files, catalogue)
    except PublicityInvalid as error:
        return error.findings
    return ()


def _in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: (one.file, one.line, one.code)))


def _warning(one: Placed, code: str, message: str, hint: str) -> Finding:
    return Finding(one.file, one.line, code, f"the rule `{one.rule.id}` {message}", hint, Severity.WARNING)


def _idle(idle: Idle) -> Finding:
    if idle.because:
        return _warning(idle.placed, "NEVER_DECIDES", f"never decides: {idle.because}", "correct it, or remove it")
    names = ", ".join(f"`{one.rule.id}` ({one.file}:{one.line})" for one in idle.others)
    denied = all(one.rule.effect is RuleEffect.DENY for one in idle.others)
    if denied and idle.placed.rule.effect is RuleEffect.ALLOW:
        hint = "a deny beats every allow: narrow the deny, or remove the rule"
        return _warning(idle.placed, "NEVER_DECIDES", f"never decides: always denied by {names}", hint)
    hint = "denies come first, then clear grants, then masked ones: remove the rule, or narrow those"
    return _warning(idle.placed, "SHADOWED", f"never decides, for others always do before it: {names}", hint)


def _unreleased(one: Placed, policy: Policy) -> Iterator[Finding]:
    """Where a rule would show what is SEALED until the centre's rules show it."""
    if one.rule.effect is RuleEffect.ALLOW:
        for record in sorted({name.partition(".")[0] for name in one.rule.objects} & policy.unreleased):
            message = f"allows `{record}`, an agency's own record type, to no effect: the centre has not released it"
            hint = f"that takes a rule in {NATION}.yaml that allows `{record}`, of the agency whose it is"
            yield _warning(one, "UNRELEASED", message, hint)


def _expired(one: Placed, today: date) -> Iterator[Finding]:
    if one.rule.ends and one.rule.ends < today:
        yield _warning(one, "EXPIRED", f"held until {one.rule.ends}, which is past", "remove it, or move the day")


def _clear_without_basis(one: Placed, policy: Policy) -> Iterator[Finding]:
    """Where what is closely kept is shown clear to somebody who needs no basis."""
    rule = one.rule
    if rule.effect is RuleEffect.DENY or rule.mask or {ROOT, NO_BASIS}.isdisjoint(rule.bases):
        return
    shown = {name for name in _shown_clear(rule, policy) if policy.tiers[name] in _CLOSE}
    if shown:
        message = f"shows {several(shown)} clear without a basis"
        yield _warning(one, "CLEAR_RESTRICTED_WITHOUT_BASIS", message, "give a basis (`given: consent`), or mask it")


def _shown_clear(rule: Rule, policy: Policy) -> Iterator[str]:
    for name in rule.objects:
        if name in policy.tiers:
            yield name
        else:
            yield from (one for one in reached(name, policy.tiers) if one not in policy.default_masks)
