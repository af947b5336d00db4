"""The types of the administration's schema that tell of versions and drafts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from gateway.admin.analyses import Supplied
from gateway.admin.desk import Desk, Reference
from policies.decision import Basis
from policies.delegation import Actor
from policies.load import PolicyFiles
from policies.policy import Act
from policies.store import model
from schema.wording import bilingual

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Work:
    """What every resolver is given: the desk, and who works at it. `fields` collects the root fields that were run."""

    desk: Desk
    actor: Actor
    fields: list[str]

    def supplied(self) -> Supplied:
        """What policies are about, and how far the actor may look."""
        return Supplied(self.desk.catalogue, self.desk.cells, self.desk.reach(self.actor))


AdminInfo = Info[Work, None]


for choices, english, chinese in (
    (Basis, "What entitles somebody to ask about one company.", "查询某一企业的依据。"),
    (Act, "What is done with a record: read it, or read it past its publicity period.", "读取记录，或在公示期后读取。"),
):
    strawberry.enum(choices, description=bilingual(english, chinese))


def root(resolver: Callable[..., Any], english: str, chinese: str) -> StrawberryField:
    """A field of a root, named after its resolver."""
    field: StrawberryField = strawberry.field(resolver=resolver, description=bilingual(english, chinese))
    return field


@strawberry.input(description=bilingual("One file of a policy.", "策略中的一个文件。"))
class PolicyFileInput:
    """A file as it is sent."""

    name: str = strawberry.field(description="Its name within the policy: rules/nation.yaml.")
    content: str = strawberry.field(description="Its whole text.")


@strawberry.input(
    one_of=True,
    description=bilingual(
        "A policy: a version, a draft, or files that are sent along.", "策略：版本、草案或随附文件。"
    ),
)
class PolicyReference:
    """A policy as it is named."""

    version: int | None = strawberry.field(default=strawberry.UNSET, description="The number of a version.")
    draft: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id of a draft.")
    files: list[PolicyFileInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All files of a policy."
    )

    def reference(self) -> Reference:
        """The same in the desk's terms."""
        files = _given(self.files)
        return Reference(_given(self.version), _given(self.draft), None if files is None else files_of(files))


def _given(value: Given) -> Given | None:
    """The value, None where it was left out; 0 and an empty list are given."""
    return None if value is strawberry.UNSET else value


def files_of(files: Sequence[PolicyFileInput]) -> PolicyFiles:
    """The files that people write, by name."""
    return model.authored({file.name: file.content.encode() for file in files})


@strawberry.type(description=bilingual("One file of a policy.", "策略中的一个文件。"))
class PolicyFile:
    """A file as it is kept."""

    name: str = strawberry.field(description="Its name within the policy: rules/nation.yaml.")
    content: str = strawberry.field(description="Its whole text.")


def told(files: PolicyFiles) -> list[PolicyFile]:
    """The files in the order of their names."""
    return [PolicyFile(name=name, content=content.decode(errors="replace")) for name, content in sorted(files.items())]


@strawberry.type(description=bilingual("Somebody stands for a draft, as it was then.", "某人对当时草案的批准。"))
class Approval:
    """An approval."""

    by: str = strawberry.field(description="Who approved.")
    agency: str | None = strawberry.field(description="For which agency; null: for the centre.")
    digest: str = strawberry.field(description="The digest of what was approved.")
    at: dt.datetime = strawberry.field(description="When.")

    @classmethod
    def of(cls, approval: model.Approval) -> Self:
        """The approval as it is told."""
        return cls(by=approval.by, agency=approval.agency, digest=approval.digest, at=approval.at)


@strawberry.type(description=bilingual("A published policy; it never changes.", "已发布的策略版本，永不更改。"))
class Version:
    """A version."""

    number: int = strawberry.field(description="Its number; the first is 1.")
    digest: str = strawberry.field(description="SHA-256 over its files.")
    published_at: dt.datetime = strawberry.field(description="When it was published.")
    by: str = strawberry.field(description="Who wrote it.")
    why: str = strawberry.field(description="Why.")
    restores: int | None = strawberry.field(description="The version whose files it publishes again, in a rollback.")
    emergency: bool = strawberry.field(description="Whether one person published it alone: an emergency deny.")
    approvals: list[Approval] = strawberry.field(description="Who else stands for it.")
    files: list[PolicyFile] = strawberry.field(description="Its files, version.yaml among them.")

    @classmethod
    def of(cls, version: model.Version) -> Self:
        """The version as it is told."""
        return cls(
            number=version.number,
            digest=version.digest,
            published_at=version.published_at,
            by=version.by,
            why=version.why,
            restores=version.restores,
            emergency=version.emergency,
            approvals=[Approval.of(approval) for approval in version.approvals],
            files=told(version.files),
        )


async def changed(root: strawberry.Parent[Draft], info: AdminInfo) -> list[str]:
    """The names of the files that differ from those of the draft's base."""
    base = await info.context.desk.files(Reference(version=root.base))
    ours, theirs = ({file.name: file.content for file in files} for files in (root.files, told(model.authored(base))))
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


@strawberry.type(description=bilingual("A change that waits to be approved.", "等待批准的更改草案。"))
class Draft:
    """A draft."""

    id: strawberry.ID = strawberry.field(description="Its id.")
    base: int = strawberry.field(description="The version that it was made from.")
    digest: str = strawberry.field(description="SHA-256 over its files; an approval names it.")
    author: str = strawberry.field(description="Who wrote it.")
    agency: str | None = strawberry.field(description="The author's agency; null: the centre.")
    why: str = strawberry.field(description="Why.")
    created_at: dt.datetime = strawberry.field(description="When it was begun.")
    restores: int | None = strawberry.field(description="The version whose files these are, in a rollback.")
    approvals: list[Approval] = strawberry.field(description="The approvals that hold for it as it is.")
    files: list[PolicyFile] = strawberry.field(description="All files of the policy, as they should become.")
    changed: list[str] = strawberry.field(resolver=changed, description="The files that it changes, adds or removes.")

    @classmethod
    def of(cls, draft: model.Draft) -> Self:
        """The draft as it is told."""
        return cls(
            id=strawberry.ID(draft.id),
            base=draft.base,
            digest=draft.digest,
            author=draft.author,
            agency=draft.agency,
            why=draft.why,
            created_at=draft.created_at,
            restores=draft.restores,
            approvals=[Approval.of(one) for one in draft.approvals if one.digest == draft.digest],
            files=told(draft.files),
        )
