"""What administrators can do. Every act is recorded before it takes effect, and every way but one ends in a draft."""

from __future__ import annotations

from typing import Final

import strawberry
from strawberry.tools import create_type

from gateway.admin.desk import Reference
from gateway.admin.types import AdminInfo, Draft, PolicyFileInput, Version, files_of, root
from gateway.admin.workbook import workbook_files
from schema.wording import bilingual


async def propose(
    info: AdminInfo,
    files: list[PolicyFileInput],
    why: str,
    base: int | None = None,
    draft: strawberry.ID | None = None,
) -> Draft:
    """A draft of these files; `base` is the version that they were made from (default: the latest)."""
    work = info.context
    return Draft.of(
        await work.desk.administration().propose(work.actor, files_of(files), why, base=base, draft_id=draft)
    )


async def propose_workbook(
    info: AdminInfo,
    content: str,
    why: str,
    base: int | None = None,
    draft: strawberry.ID | None = None,
) -> Draft:
    """A draft of the workbook's rules; `base` is the version that was exported (default: the latest)."""
    work = info.context
    files = await workbook_files(work.desk, content, Reference(version=base))
    return Draft.of(await work.desk.administration().propose(work.actor, files, why, base=base, draft_id=draft))


async def rebase(info: AdminInfo, draft: strawberry.ID) -> Draft:
    """The draft, on the latest version."""
    work = info.context
    return Draft.of(await work.desk.administration().rebase(work.actor, draft))


async def roll_back(info: AdminInfo, version: int, why: str) -> Draft:
    """The draft."""
    work = info.context
    return Draft.of(await work.desk.administration().roll_back(work.actor, version, why))


async def approve(info: AdminInfo, draft: strawberry.ID, digest: str) -> Draft:
    """The draft, approved."""
    work = info.context
    return Draft.of(await work.desk.administration().approve(work.actor, draft, digest))


async def publish(info: AdminInfo, draft: strawberry.ID) -> Version:
    """The version, which this instance decides by from now on."""
    work = info.context
    version = await work.desk.administration().publish(work.actor, draft)
    await work.desk.adopted(version.number)
    return Version.of(version)


async def withdraw(info: AdminInfo, draft: strawberry.ID) -> Draft:
    """The draft, as it was."""
    work = info.context
    return Draft.of(await work.desk.administration().withdraw(work.actor, draft))


async def emergency_deny(info: AdminInfo, agency: str, rule: str, why: str) -> Version:
    """The version, which this instance decides by from now on. `rule` is written as in a rule file; `agency` is the
    file's (`nation`: any agency's data).
    """
    work = info.context
    version = await work.desk.administration().emergency_deny(work.actor, agency, rule, why)
    await work.desk.adopted(version.number)
    return Version.of(version)


Mutation: Final = create_type(
    "Mutation",
    [
        root(
            propose,
            "Saves all of the policy's files, as they should become, as a new draft, or as the new content of a draft"
            " of one's own, whose approvals then lapse.",
            "将策略全部文件（修改后）存为新草案，或更新自己的草案（原有批准随之失效）。",
        ),
        root(
            propose_workbook,
            "Saves an edited workbook (xlsx, in Base64) as a draft on the version that it was exported from.",
            "将编辑后的工作簿（xlsx，Base64）存为草案，以其导出版本为基础。",
        ),
        root(rebase, "Makes a draft's changes on the latest version.", "将草案的更改移到最新版本之上。"),
        root(roll_back, "A draft that publishes an old version's files again.", "重新发布旧版本文件的草案。"),
        root(
            approve, "Stands for a draft that another wrote, as it has this digest.", "批准他人所写、具有该摘要的草案。"
        ),
        root(publish, "Makes an approved draft the next version.", "将已批准的草案发布为下一版本。"),
        root(withdraw, "Removes a draft.", "撤回草案。"),
        root(
            emergency_deny,
            "Adds one rule that denies, at once and alone, as a version flagged as an emergency.",
            "立即单独增加一条禁止规则，作为标记为紧急的版本。",
        ),
    ],
    description=bilingual("What administrators can do.", "管理员可执行的操作。"),
)
