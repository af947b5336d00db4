"""The ways to change a policy: propose, rebase, approve, publish, roll back, withdraw, and deny in an emergency.

Every way but the last ends in a draft, which one writes and another approves (four eyes). What is published is, byte
for byte, what was approved: an approval holds for one digest, on one base. A draft that opens data to more callers
needs the approval of the agencies whose data it is, or of one above each of them in the tree, as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Final, Protocol

from policies.delegation import Actor, agency_tree, check_administrator, check_reach, reaches
from policies.emergency import add_rule, deny_entries
from policies.errors import (
    ApprovalMissing,
    AuthorCannotApprove,
    DraftConflict,
    DraftOutdated,
    NotADeny,
    NotConcerned,
    NothingChanged,
    NotTheAuthor,
    OwnerApprovalMissing,
    ReasonMissing,
    ReviewedOther,
    StoreError,
    VersionConflict,
)
from policies.load import PolicyFiles
from policies.store.contract import Store
from policies.store.model import (
    Approval,
    Draft,
    Version,
    authored,
    changed,
    check_names,
    new_version,
    one_line,
)
from policies.tree import Tree


class Judge(Protocol):
    """`policies.judgement.Judgement`, asked beside the event loop."""

    async def widened(self, base: PolicyFiles, draft: PolicyFiles, now: datetime) -> frozenset[str]:
        """The agencies whose data the draft opens wider."""

    async def only_denies(self, base: PolicyFiles, files: PolicyFiles, now: datetime) -> bool:
        """Whether these files hold one more rule than the base, which denies now."""


Record = Callable[[Mapping[str, object]], Awaitable[None]]
"""Keeps an act in the audit, durably, before it takes effect."""

_EMERGENCY_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Administration:
    """The verbs by which administrators change the policy in a store.

    `clock` gives this moment, with its offset. Each verb gives what it made. Refusals are `AdministrationRefused`; a
    policy that does not load is `PolicyInvalid`; the store's own are `StoreError`. Where `record` fails, nothing is
    done, and its error is raised.
    """

    store: Store
    judge: Judge
    record: Record
    clock: Callable[[], datetime]

    async def propose(
        self, actor: Actor, files: PolicyFiles, why: str, *, base: int | None = None, draft_id: str | None = None
    ) -> Draft:
        """Saves all of the policy's files, as they should become, as a new draft; or as the new content of the draft
        `draft_id`, whose approvals then lapse. `base` is the version that they were made from (default: the latest).

        A draft need not load yet.
        """
        latest, tree = await self._begin(actor)
        origin = latest if base is None else await self.store.version(base)
        kept = await self._own(actor, draft_id) if draft_id else self._new(actor)
        draft = replace(kept, base=origin.number, files=authored(files), agency=actor.agency, why=_reason(why))
        return await self._save(actor, "propose", draft, (origin, tree))

    async def rebase(self, actor: Actor, draft_id: str) -> Draft:
        """Makes an outdated draft's changes on the latest version. Its approvals lapse, for nobody has seen the result.

        Raises `DraftConflict` with the files that were changed on both sides.
        """
        latest, tree = await self._begin(actor)
        draft = await self._own(actor, draft_id)
        base = await self.store.version(draft.base)
        if collisions := _collisions(base, draft, latest):
            raise DraftConflict(draft.id, collisions)
        ours = changed(base.files, draft.files)
        files = {name: content for name, content in authored(latest.files).items() if name not in ours}
        files |= {name: draft.files[name] for name in ours if name in draft.files}
        rebased = replace(draft, base=latest.number, files=files)
        return await self._save(actor, "rebase", rebased, (latest, tree))

    async def roll_back(self, actor: Actor, number: int, why: str) -> Draft:
        """A draft that publishes the files of an old version again."""
        latest, tree = await self._begin(actor)
        old = await self.store.version(number)
        draft = replace(self._new(actor), base=latest.number, files=authored(old.files), why=_reason(why))
        return await self._save(actor, "roll_back", draft, (latest, tree), restores=number)

    async def approve(self, actor: Actor, draft_id: str, digest: str) -> Draft:
        """Stands for a draft that another wrote, as it has this digest. The approver is a central administrator, or
        that of an agency whose files the draft changes or whose data it opens.
        """
        _, tree = await self._begin(actor)
        draft = await self.store.draft(draft_id)
        if actor.subject == draft.author:
            raise AuthorCannotApprove(
                f"{draft.author} wrote the draft {draft.id}; another administrator must approve it"
            )
        if digest != draft.digest:
            raise ReviewedOther(
                f"the draft {draft.id} has been changed since you read it; read and approve it as it is"
            )
        base = await self.store.version(draft.base)
        files = changed(base.files, draft.files)
        widened = await self.judge.widened(base.files, draft.files, self.clock())
        if not any(reaches(actor.agency, name, tree) for name in files) and not _owned(actor.agency, widened, tree):
            raise NotConcerned(
                f"the draft {draft.id} changes no rules of `{actor.agency}` and opens none of its data; an "
                f"administrator of what it changes ({', '.join(files)}) must approve it"
            )
        approval = Approval(actor.subject, actor.agency, digest, self.clock())
        others = (one for one in draft.approvals if one.by != actor.subject)
        await self._record(actor, "approve", draft.why, draft=draft.id, base=draft.base, digest=digest, files=files)
        return await self.store.save_draft(replace(draft, approvals=(*others, approval)))

    async def publish(self, actor: Actor, draft_id: str) -> Version:
        """Makes an approved draft, based on the latest version, the next version."""
        latest, tree = await self._begin(actor)
        draft = await self.store.draft(draft_id)
        await self._check_current(draft, latest)
        files = _changes(latest, draft.files)
        check_reach(draft.agency, files, tree)
        check_reach(actor.agency, files, tree)
        await self._check_approved(draft, latest, tree)
        version = new_version(
            latest.number + 1,
            draft.files,
            published_at=self.clock(),
            by=draft.author,
            why=draft.why,
            approvals=_standing(draft),
            restores=draft.restores,
        )
        await self._record(
            actor,
            "publish",
            draft.why,
            draft=draft.id,
            author=draft.author,
            approvals=[approval.by for approval in version.approvals],
            version=version.number,
            digest=version.digest,
            files=files,
        )
        await self.store.publish(version, expected=latest.number)
        # It is published. A draft that is left behind can do nothing more: its base is outdated.
        with suppress(StoreError):
            await self.store.discard(draft.id)
        return version

    async def withdraw(self, actor: Actor, draft_id: str) -> Draft:
        """Removes a draft: one's own, or, for a central administrator, anybody's."""
        await self._begin(actor)
        draft = await self.store.draft(draft_id)
        if actor.agency is not None and (actor.subject, actor.agency) != (draft.author, draft.agency):
            raise NotTheAuthor(
                f"the draft {draft.id} is {draft.author}'s; its author or a central administrator withdraws it"
            )
        await self._record(actor, "withdraw", draft.why, draft=draft.id, base=draft.base, digest=draft.digest)
        await self.store.discard(draft.id)
        return draft

    async def emergency_deny(self, actor: Actor, agency: str, rule: str, why: str) -> Version:
        """Adds one rule that denies to `rules/<agency>.yaml`, at once and alone, as a version flagged `emergency`.

        `rule` is written as in a rule file. A version that somebody publishes meanwhile is built upon. Raises
        `NotADeny` for a rule that does anything but deny, from this moment.
        """
        entries = deny_entries(rule)
        conflict: VersionConflict | None = None
        for _ in range(_EMERGENCY_TRIES):
            latest, tree = await self._begin(actor)
            name = f"rules/{agency}.yaml"
            check_reach(actor.agency, (name,), tree)
            # The file may hold thousands of rules: others' requests must not wait while it is read.
            content = await asyncio.to_thread(add_rule, latest.files.get(name), entries)
            files = {**authored(latest.files), name: content}
            version = await self._emergency(actor, latest, files, _reason(why))
            try:
                await self.store.publish(version, expected=latest.number)
            except VersionConflict as error:
                conflict = error
            else:
                return version
        raise conflict or VersionConflict("no try was made")

    async def _emergency(self, actor: Actor, latest: Version, files: PolicyFiles, why: str) -> Version:
        check_names(files)
        if not await self.judge.only_denies(latest.files, files, self.clock()):
            raise NotADeny(
                "the rule denies nothing from this moment on; propose a draft for a change that begins later"
            )
        version = new_version(
            latest.number + 1, files, published_at=self.clock(), by=actor.subject, why=why, emergency=True
        )
        await self._record(
            actor,
            "emergency_deny",
            why,
            version=version.number,
            digest=version.digest,
            files=changed(latest.files, files),
            emergency=True,
        )
        return version

    async def _begin(self, actor: Actor) -> tuple[Version, Tree]:
        """The latest version and its tree of agencies, for an administrator."""
        latest = await self.store.latest()
        # Never the draft's own tree: who may change what is decided by what is in force.
        tree = agency_tree(latest.files)
        check_administrator(actor, tree)
        return latest, tree

    def _new(self, actor: Actor) -> Draft:
        return Draft(token_hex(6), 0, {}, actor.subject, actor.agency, "", self.clock())

    async def _own(self, actor: Actor, draft_id: str) -> Draft:
        draft = await self.store.draft(draft_id)
        # Issuers may give one subject to two people: the agency must be the author's as well.
        if (actor.subject, actor.agency) != (draft.author, draft.agency):
            raise NotTheAuthor(
                f"the draft {draft.id} is {draft.author}'s, of {draft.agency or 'the centre'}; propose one of your own"
            )
        return draft

    async def _save(
        self, actor: Actor, act: str, draft: Draft, against: tuple[Version, Tree], *, restores: int | None = None
    ) -> Draft:
        check_names(draft.files)
        base, tree = against
        files = _changes(base, draft.files)
        check_reach(actor.agency, files, tree)
        fresh = replace(draft, approvals=(), restores=restores)
        await self._record(
            actor, act, fresh.why, draft=fresh.id, base=fresh.base, digest=fresh.digest, files=files, restores=restores
        )
        return await self.store.save_draft(fresh)

    async def _check_current(self, draft: Draft, latest: Version) -> None:
        if draft.base == latest.number:
            return
        if collisions := _collisions(await self.store.version(draft.base), draft, latest):
            raise DraftConflict(draft.id, collisions)
        raise DraftOutdated(
            f"the draft {draft.id} was made from version {draft.base}, and the latest is {latest.number}; its author "
            "must rebase it (the changes do not collide), and it must be approved again"
        )

    async def _check_approved(self, draft: Draft, latest: Version, tree: Tree) -> None:
        widened = await self.judge.widened(latest.files, draft.files, self.clock())
        standing = _standing(draft)
        if not standing:
            raise ApprovalMissing(
                f"the draft {draft.id} needs the approval of an administrator other than {draft.author}, "
                f"for the digest {draft.digest[:12]} that it has now"
            )
        missing = widened.difference(*(_owned(approval.agency, widened, tree) for approval in standing))
        if missing:
            raise OwnerApprovalMissing(
                f"the draft {draft.id} opens data of {', '.join(sorted(missing))}; an administrator of each, or of an "
                f"agency above it, other than {draft.author}, must approve it"
            )

    async def _record(self, actor: Actor, act: str, why: str, **told: object) -> None:
        who = {"subject": actor.subject, "organisation": actor.organisation, "agency": actor.agency}
        await self.record({"at": self.clock(), "act": act, **who, "why": why, **told})


def _reason(why: str) -> str:
    if not why.strip():
        raise ReasonMissing("say why the policy is changed")
    return one_line(why)


def _changes(base: Version, files: PolicyFiles) -> tuple[str, ...]:
    names = changed(base.files, files)
    if not names:
        raise NothingChanged(f"these are the files of version {base.number}; change one of them")
    return names


def _collisions(base: Version, draft: Draft, latest: Version) -> tuple[str, ...]:
    """The files that the draft and a version since its base both changed, unless alike."""
    ours, theirs = changed(base.files, draft.files), changed(base.files, latest.files)
    return tuple(sorted({*ours} & {*theirs} & {*changed(draft.files, latest.files)}))


def _standing(draft: Draft) -> tuple[Approval, ...]:
    """The approvals that hold: by others, for the draft as it is."""
    return tuple(one for one in draft.approvals if one.by != draft.author and one.digest == draft.digest)


def _owned(agency: str | None, widened: Iterable[str], tree: Tree) -> frozenset[str]:
    """Those agencies for whose data an administrator of `agency` stands."""
    return frozenset(owner for owner in widened if agency is not None and tree.covers(agency, owner))
