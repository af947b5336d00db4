"""The types of the administration's schema that tell why a decision is as it is."""

from __future__ import annotations

from typing import Self

import strawberry

from gateway.admin.findings import worded
from policies.analysis import why
from schema.wording import bilingual


@strawberry.type(description=bilingual("A rule that matches, and does not decide.", "匹配但未起决定作用的规则。"))
class RunnerUp:
    """A runner-up."""

    rule: str = strawberry.field(description="Its id.")
    thing: str = strawberry.field(description="What it names: a field, a type, Type.*, a tier, any.")
    gives: str = strawberry.field(description="What it alone would give.")
    standing: str = strawberry.field(
        description="OUTRANKED: another was asked before it; BEATEN: a deny, or what others grant, won."
    )


@strawberry.type(description=bilingual("What would let this caller see more.", "可使该调用者看到更多的条件。"))
class Remedy:
    """A remedy."""

    purpose: str | None = strawberry.field(description="Another purpose that it may ask for.")
    basis: str | None = strawberry.field(description="A basis that would have to hold.")
    gives: str = strawberry.field(description="What it would see then.")


@strawberry.type(description=bilingual("What would be seen if nothing denied it.", "若无禁止时可见的内容。"))
class Denial:
    """A denial."""

    rules: list[str] = strawberry.field(description="The rules that all deny.")
    gives: str = strawberry.field(description="What would be seen without them.")


@strawberry.type(description=bilingual("A rule that nearly matches.", "差一项即可匹配的规则。"))
class NearMiss:
    """A near miss."""

    rule: str = strawberry.field(description="Its id.")
    thing: str = strawberry.field(description="What it names.")
    dimension: str = strawberry.field(
        description="What would have to be different: agency, role, organisation, purpose or basis."
    )
    wanted: str = strawberry.field(description="What the rule has there.")
    gives: str = strawberry.field(description="What it alone would give.")


@strawberry.type(description=bilingual("Why one agency's coordinate is decided so.", "某机构某一坐标的决定理由。"))
class Explanation:
    """An explanation."""

    agency: str = strawberry.field(description="Whose data.")
    coordinate: str = strawberry.field(description="The field, or the record type for its rows.")
    act: str = strawberry.field(description="read, or read_expired.")
    decision: str = strawberry.field(description="What is decided: clear, masked bucket, withheld.")
    rule: str | None = strawberry.field(description="The rule that decides; null: none matches.")
    by_rows: bool = strawberry.field(description="Whether the decision on the records as such is what decides.")
    runners_up: list[RunnerUp] = strawberry.field(description="Other rules that match, in the order of asking.")
    remedies: list[Remedy] = strawberry.field(description="What would let this caller see more.")
    denial: Denial | None = strawberry.field(description="What is denied; null: nothing.")
    near_misses: list[NearMiss] = strawberry.field(description="Rules that nearly match, the nearest first.")

    @classmethod
    def of(cls, one: why.Explanation) -> Self:
        """The explanation as it is told."""
        return cls(
            agency=one.agency,
            coordinate=one.coordinate,
            act=one.act,
            decision=worded(one.decision),
            rule=one.decision.rule,
            by_rows=one.by_rows,
            runners_up=[
                RunnerUp(rule=up.rule, thing=up.thing, gives=worded(up.gives), standing=up.standing)
                for up in one.runners_up
            ],
            remedies=[
                Remedy(purpose=remedy.purpose, basis=remedy.basis, gives=worded(remedy.gives))
                for remedy in one.remedies
            ],
            denial=Denial(rules=list(one.denial.rules), gives=worded(one.denial.gives)) if one.denial else None,
            near_misses=[
                NearMiss(
                    rule=miss.rule,
                    thing=miss.thing,
                    dimension=miss.dimension,
                    wanted=miss.wanted,
                    gives=worded(miss.gives),
                )
                for miss in one.near_misses
            ],
        )
