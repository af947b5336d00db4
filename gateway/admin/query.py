"""What administrators can ask: what there is, and what it means."""

from __future__ import annotations

from typing import Final

import strawberry
from strawberry.tools import create_type

from gateway.admin.desk import Reference
from gateway.admin.types import AdminInfo, Draft, PolicyReference, Version, root
from gateway.admin.workbook import workbook_of
from schema.wording import bilingual


@strawberry.type(description=bilingual("Who is asking.", "当前管理员。"))
class Administrator:
    """The administrator."""

    subject: str = strawberry.field(description="The user.")
    organisation: str = strawberry.field(description="Its organisation.")
    agency: str | None = strawberry.field(description="The agency whose rules it keeps; null: all.")


def me(info: AdminInfo) -> Administrator:
    """The administrator."""
    actor = info.context.actor
    return Administrator(subject=actor.subject, organisation=actor.organisation, agency=actor.agency)


def in_force(info: AdminInfo) -> str:
    """Its number, and the first digits of a digest of all that decides."""
    return info.context.desk.live().in_force().version


async def versions(info: AdminInfo, first: int = 20, before: int | None = None) -> list[Version]:
    """At most `first` versions, from the one before the number `before` on."""
    store = info.context.desk.live().store
    newest = min(await store.latest_number(), (before or 2**31) - 1)
    return [Version.of(await store.version(number)) for number in range(newest, max(newest - first, 0), -1)]


async def version(info: AdminInfo, number: int | None = None) -> Version:
    """The version."""
    store = info.context.desk.live().store
    return Version.of(await (store.latest() if number is None else store.version(number)))


async def drafts(info: AdminInfo) -> list[Draft]:
    """All of them."""
    return [Draft.of(draft) for draft in await info.context.desk.live().store.drafts()]


async def draft(info: AdminInfo, id: strawberry.ID) -> Draft:  # noqa: A002 - the contract's word
    """The draft."""
    return Draft.of(await info.context.desk.live().store.draft(id))


async def workbook(info: AdminInfo, policy: PolicyReference | None = None) -> str:
    """The workbook."""
    return await workbook_of(info.context.desk, policy.reference() if policy else Reference())


Query: Final = create_type(
    "Query",
    [
        root(me, "Who is asking.", "当前管理员。"),
        root(in_force, "The version that this instance decides by.", "本实例当前生效的版本。"),
        root(versions, "The versions, newest first.", "各版本，最新在前。"),
        root(version, "One version; without a number, the latest.", "某一版本；缺省为最新。"),
        root(drafts, "The drafts, the oldest first.", "各草案，最早在前。"),
        root(draft, "One draft.", "某一草案。"),
        root(workbook, "A policy as a workbook (xlsx, in Base64).", "策略工作簿（xlsx，Base64）。"),
    ],
    description=bilingual("What administrators can ask.", "管理员可查询的内容。"),
)
