"""The types of the administration's schema that tell what a change does, and what could be narrowed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Self

import strawberry

from gateway.admin import analyses
from gateway.admin.findings import worded
from policies.analysis import blocks, organisations, simulate, suggest
from schema.wording import bilingual


@strawberry.type(
    description=bilingual(
        "Decisions that all change alike: for each of the roles, at each of the organisations, and so on.",
        "变化相同的一组决定：对所列每个角色、每个单位等均如此。",
    )
)
class Change:
    """A block of changed decisions."""

    direction: str = strawberry.field(description="WIDER: more is shown; OTHER: something else; NARROWER: less.")
    before: str = strawberry.field(description="What was decided: clear, masked bucket, withheld.")
    after: str = strawberry.field(description="What is decided now.")
    act: str = strawberry.field(description="read, or read_expired.")
    agencies: list[str] = strawberry.field(description="Whose data.")
    coordinates: list[str] = strawberry.field(description="The fields, or record types for their rows.")
    roles: list[str] = strawberry.field(description="The roles; `a + b` is whoever has both.")
    organisations: list[str] = strawberry.field(description="The organisations; `any`: those that no rule names.")
    purposes: list[str] = strawberry.field(description="The purposes; `none`: none given.")
    bases: list[str] = strawberry.field(description="The bases; `a + b`: where both hold.")
    cells: int = strawberry.field(description="How many decisions these are.")
    begins: dt.datetime | None = strawberry.field(
        description="From when on: some rule's validity begins or ends then; null: at once."
    )

    @classmethod
    def of(cls, change: blocks.Change, begins: dt.datetime | None) -> Self:
        """The block as it is told."""
        return cls(
            direction=change.direction,
            before=worded(change.before),
            after=worded(change.after),
            act=change.act,
            agencies=sorted(change.agencies),
            coordinates=sorted(change.coordinates),
            roles=_together(change.roles),
            organisations=sorted(name or "any" for name in change.organisations),
            purposes=sorted(name or "none" for name in change.purposes),
            bases=_together(change.bases),
            cells=change.size,
            begins=begins,
        )


def _together(entries: Iterable[Iterable[str]]) -> list[str]:
    return sorted(" + ".join(names) for names in entries)


@strawberry.type(description=bilingual("An organisation that is registered otherwise.", "登记信息有变化的单位。"))
class OrganisationChange:
    """A changed organisation."""

    organisation: str = strawberry.field(description="The organisation.")
    aspect: str = strawberry.field(description="organisation, roles, purposes, division, parent or administers.")
    gained: list[str] = strawberry.field(description="What it gains.")
    lost: list[str] = strawberry.field(description="What it loses.")

    @classmethod
    def of(cls, change: organisations.OrganisationChange) -> Self:
        """The change as it is told."""
        return cls(
            organisation=change.organisation,
            aspect=change.aspect,
            gained=sorted(change.gained),
            lost=sorted(change.lost),
        )


@strawberry.type(description=bilingual("What changes from one policy to another.", "两个策略之间的差异。"))
class Difference:
    """The difference."""

    widens: list[str] = strawberry.field(
        description="The agencies whose data is opened wider to somebody; they must approve."
    )
    changes: list[Change] = strawberry.field(description="At once, then later ones, each what opens data first.")
    publicity: list[str] = strawberry.field(
        description="The files of publicity periods that differ: how long records are shown is no decision of a rule."
    )
    organisations: list[OrganisationChange] = strawberry.field(description="Who is registered otherwise.")

    @classmethod
    def of(cls, compared: analyses.Compared) -> Self:
        """The difference as it is told."""
        return cls(
            widens=sorted(compared.widened),
            changes=[
                Change.of(change, stage.begins) for stage in compared.stages for change in stage.difference.changes
            ],
            publicity=list(compared.publicity),
            organisations=[OrganisationChange.of(change) for change in compared.stages[0].difference.organisations],
        )


@strawberry.type(
    description=bilingual("A decision that would have been another for real requests.", "对真实请求将改变的决定。")
)
class ReplayedChange:
    """A change, with the requests that meet it."""

    direction: str = strawberry.field(description="WIDER: they would see more; OTHER: something else; NARROWER: less.")
    roles: list[str] = strawberry.field(description="Who asked: the roles.")
    organisation: str = strawberry.field(description="The organisation.")
    purpose: str | None = strawberry.field(description="The purpose; null: none.")
    bases: list[str] = strawberry.field(description="The bases that held for the companies.")
    agency: str = strawberry.field(description="Whose data.")
    coordinate: str = strawberry.field(description="The field, or the record type for its rows.")
    act: str = strawberry.field(description="read, or read_expired.")
    before: str = strawberry.field(description="What is decided today.")
    after: str = strawberry.field(description="What would be decided.")
    requests: int = strawberry.field(description="In how many requests.")
    companies: int = strawberry.field(description="For how many companies, each request counted by itself.")

    @classmethod
    def of(cls, change: simulate.Change) -> Self:
        """The change as it is told."""
        agency, act, coordinate = change.cell
        return cls(
            direction=change.direction,
            roles=sorted(change.caller.roles),
            organisation=change.caller.organisation,
            purpose=change.caller.purpose,
            bases=sorted(change.caller.bases),
            agency=agency,
            coordinate=coordinate,
            act=act,
            before=worded(change.before),
            after=worded(change.after),
            requests=change.requests,
            companies=change.companies,
        )


@strawberry.type(description=bilingual("Requests that cannot be decided again.", "无法重放的请求。"))
class Unreplayed:
    """Requests of one kind of caller."""

    direction: str = strawberry.field(
        description="NARROWER: they would now be refused; WIDER: they were until now; SAME: either way; OTHER: unsure."
    )
    roles: list[str] = strawberry.field(description="Who asked: the roles.")
    organisation: str = strawberry.field(description="The organisation.")
    purpose: str | None = strawberry.field(description="The purpose; null: none.")
    reason: str = strawberry.field(description="Why they cannot be replayed.")
    requests: int = strawberry.field(description="How many requests.")

    @classmethod
    def of(cls, unreplayed: simulate.Unreplayed) -> Self:
        """The requests as they are told of."""
        return cls(
            direction=unreplayed.direction,
            roles=sorted(unreplayed.roles),
            organisation=unreplayed.organisation,
            purpose=unreplayed.purpose,
            reason=unreplayed.hindrance,
            requests=unreplayed.requests,
        )


@strawberry.type(
    description=bilingual("What a change would have done to real requests.", "更改对真实请求本会产生的影响。")
)
class Simulation:
    """A simulation."""

    begins: dt.datetime | None = strawberry.field(description="When the first of the requests was made.")
    ends: dt.datetime | None = strawberry.field(description="When the last of them was.")
    requests: int = strawberry.field(description="How many were decided again.")
    changed: int = strawberry.field(description="How many of them would get something else.")
    unread: int = strawberry.field(description="Lines of the audit log that could not be read.")
    changes: list[ReplayedChange] = strawberry.field(description="What opens data first.")
    unreplayed: list[Unreplayed] = strawberry.field(description="Requests that cannot be decided again.")

    @classmethod
    def of(cls, replayed: analyses.Replayed) -> Self:
        """The simulation as it is told."""
        simulation = replayed.simulation
        return cls(
            begins=replayed.begins,
            ends=replayed.ends,
            requests=simulation.requests,
            changed=simulation.changed,
            unread=replayed.unread,
            changes=[ReplayedChange.of(change) for change in simulation.changes],
            unreplayed=[Unreplayed.of(one) for one in simulation.unreplayed],
        )


@strawberry.type(description=bilingual("How a grant could be narrowed to its use.", "可按实际使用收窄的授权。"))
class Suggestion:
    """A suggestion."""

    finding: str = strawberry.field(description="UNUSED; NOT_SEEN: in fewer days than were asked for; WIDER_THAN_USE.")
    rule: str = strawberry.field(description="The grant's id.")
    file: str = strawberry.field(description="Its file.")
    line: int = strawberry.field(description="Its line.")
    days: int = strawberry.field(description="The days that the audit log covers, of those asked for.")
    requests: int = strawberry.field(description="The requests in which it decided something.")
    last: dt.datetime | None = strawberry.field(description="When it last did; null: not seen.")
    instead: str = strawberry.field(description="What could stand in its place; empty: nothing.")

    @classmethod
    def of(cls, suggestion: suggest.Suggestion) -> Self:
        """The suggestion as it is told."""
        return cls(
            finding=suggestion.finding,
            rule=suggestion.placed.rule.id,
            file=suggestion.placed.file,
            line=suggestion.placed.line,
            days=suggestion.days,
            requests=suggestion.requests,
            last=suggestion.last,
            instead=suggestion.text,
        )
