"""The semantics of decisions, as plainly as they can be written: casbin asked over the whole policy, one coordinate
at a time, and its answers combined.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import casbin  # type: ignore[import-untyped]

import policies
from policies.decision import Basis, CallerClass, Effect, Reason
from policies.enforce import field_match
from policies.policy import Act, Policy, Row
from schema.catalogue import Tier

MODEL = (Path(policies.__file__).parent / "model.conf").read_text("utf-8")

Shown = tuple[Effect, str | None]
"""An effect, and the mask where it is MASKED."""


def wide(name: str) -> bool:
    return name == "any" or name.isupper() or name.endswith(".*")


def enforcer(policy: Policy, rows: list[Row]) -> casbin.Enforcer:
    made = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL))
    made.add_function("fieldMatch", field_match)
    made.add_policies([row.values() for row in reversed(rows)])
    trees = {"g": policy.roles, "g3": policy.organisation_tree, "g4": policy.purposes, "g5": policy.agencies}
    for name, tree in trees.items():
        made.add_named_grouping_policies(name, [list(link) for link in tree.parents.items()])
    made.add_named_grouping_policies("g2", [[name, str(tier)] for name, tier in policy.tiers.items()])
    made.add_named_grouping_policies("g2", [[str(tier), "any"] for tier in Tier])
    made.get_model().sort_policies_by_priority()
    return made


class Naive:
    """Two enforcers over all rows of a policy: of the rules that name a coordinate, and of the wider ones."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        named = [row for row in policy.rows if not wide(row.object)]
        broad = [row for row in policy.rows if wide(row.object)]
        enforcers = [enforcer(policy, rows) if rows else None for rows in (named, broad)]

        @cache
        def ask(is_wide: bool, *request: str) -> list[str]:  # noqa: FBT001  # which of the two
            chosen = enforcers[is_wide]
            return chosen.enforce_ex(*request)[1] if chosen else []

        self.ask = ask

    def alone(self, caller: CallerClass, agency: str, name: str, act: Act) -> Shown:  # noqa: C901  # in one piece, to be read beside the design
        tiers, default_masks = self.policy.tiers, self.policy.default_masks
        bases = {str(basis) for basis in caller.bases}
        record = name.partition(".")[0]
        scope = caller.consent_scope
        in_scope = name in scope or tiers[name] in scope or f"{record}.*" in scope
        if name == record:
            in_scope = in_scope or any(other.startswith(f"{record}.") for other in scope)
        if not in_scope:
            bases.discard("consent")
        masks: list[str | None] = []
        for role in caller.roles & self.policy.organisations[caller.organisation].roles:
            for basis in bases or {"none"}:
                request = (role, caller.organisation, agency, name, str(act), caller.purpose or "", basis)
                for is_wide in (False, True):
                    row = self.ask(is_wide, *request)
                    if not row:
                        continue
                    if row[9] == "deny":
                        return Effect.WITHHELD, None
                    mask = row[10] or None
                    if is_wide and tiers[name] is Tier.SEALED:
                        continue
                    if is_wide and name in default_masks:
                        default = default_masks[name]
                        mask = default if mask in {None, default} else "redact"
                    masks.append(mask)
        if name == record:
            masks = [mask for mask in masks if mask is None]
        if not masks:
            return Effect.WITHHELD, None
        if None in masks:
            return Effect.CLEAR, None
        telling = {mask for mask in masks if mask != "redact"}
        return Effect.MASKED, telling.pop() if len(telling) == 1 else "redact"

    def decision(self, caller: CallerClass, agency: str, name: str, act: Act = Act.READ) -> Shown:
        record = name.partition(".")[0]
        rows = self.alone(caller, agency, record, act)
        if name == record or name.endswith(".objection") or rows[0] is not Effect.CLEAR:
            return rows
        return self.alone(caller, agency, name, act)

    def reason(self, caller: CallerClass, agency: str, name: str, act: Act = Act.READ) -> Reason | None:
        def width(one: CallerClass) -> int:
            effect, mask = self.decision(one, agency, name, act)
            return {Effect.WITHHELD: 0, Effect.MASKED: 1 if mask == "redact" else 2, Effect.CLEAR: 3}[effect]

        def with_(one: CallerClass, basis: Basis) -> CallerClass:
            scope = frozenset(map(str, Tier)) if basis is Basis.CONSENT else one.consent_scope
            return replace(one, bases=one.bases | {basis}, consent_scope=scope)

        now = width(caller)
        if now == 3:
            return None
        if self.policy.tiers[name] is Tier.SEALED:
            return Reason.NOT_AVAILABLE
        if width(with_(caller, Basis.CONSENT)) > now:
            return Reason.NEEDS_CONSENT
        if width(with_(caller, Basis.JURISDICTION)) > now:
            return Reason.NEEDS_JURISDICTION
        for purpose in self.policy.purposes_of(caller.organisation) - {caller.purpose}:
            other = replace(caller, purpose=purpose)
            if width(other) > now or width(with_(other, Basis.CONSENT)) > now:
                return Reason.NEEDS_PURPOSE
        return Reason.NOT_AVAILABLE
