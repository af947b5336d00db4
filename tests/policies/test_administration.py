"""The rules of changing a policy, each tried to break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policies.administration import Administration
from policies.delegation import Actor
from policies.errors import (
    ApprovalMissing,
    AuthorCannotApprove,
    BeyondDelegation,
    DraftConflict,
    DraftOutdated,
    DraftUnknown,
    FileNameInvalid,
    NotADeny,
    NotAnAdministrator,
    NotConcerned,
    NothingChanged,
    NotTheAuthor,
    OwnerApprovalMissing,
    PolicyInvalid,
    PublicityInvalid,
    ReasonMissing,
    ReviewedOther,
    VersionConflict,
)
from policies.judgement import Judgement
from policies.load import PolicyFiles, load_policy
from policies.policy import Policy, RuleEffect
from policies.store.contract import Store
from policies.store.initial import initialise
from policies.store.model import Draft, Version, authored
from policies.store.open import open_store
from schema.catalogue import Catalogue, FieldSpec, Tier
from schema.values import Kind

AGENCIES = ("tax", "registry", "zhejiang")
CELLS = {"tax": {"TaxPayment"}, "registry": {"TaxPayment"}, "zhejiang": {"Penalty"}}
ADMINISTRATOR = frozenset({"policy.admin"})
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)

AL = Actor("al", "policy-office", None, ADMINISTRATOR)
BO = Actor("bo", "policy-office", None, ADMINISTRATOR)
TESS = Actor("tess", "bureau", "tax", ADMINISTRATOR)
TOM = Actor("tom", "bureau", "tax", ADMINISTRATOR)
MIA = Actor("mia", "market-office", "market", ADMINISTRATOR)
ZOE = Actor("zoe", "zhejiang-office", "zhejiang", ADMINISTRATOR)
NAT = Actor("nat", "nation-office", "nation", ADMINISTRATOR)

TREES = b"""\
roles: {bank: any, clerk: any, policy.admin: any}
purposes: {credit: any}
agencies: {nation: any, tax: nation, registry: nation, market: nation, zhejiang: market}  # kept
"""
NATION = b"""\
# The nation's rules.
rules:
  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}
"""
PUBLICITY = b"{from: 2026-04-01, source: x, ended_by: [repairedOn], periods: [%b]}\n"
PERIOD = b"{record: Penalty, counted_from: decidedOn, by: severity, months: {minor: [0, %d]}}"
EMPTY = b"# nothing yet\nrules: []\n"
FILES: PolicyFiles = {
    "trees.yaml": TREES,
    "organisations.yaml": b"organisations: {}\n",
    "publicity/2026-04-01.yaml": PUBLICITY % (PERIOD % 3),
    "rules/nation.yaml": NATION,
    "rules/tax.yaml": EMPTY,
    "rules/market.yaml": EMPTY,
    "rules/zhejiang.yaml": EMPTY,
}


def rule(name: str, effect: str, of: str, more: str = "") -> bytes:
    """A rule file with one rule on personId."""
    what = f"{{id: {name}, {effect}: Penalty.personId, of: {of}, to: bank, for: any, given: any{more}, note: x}}"
    return f"rules:\n  - {what}\n".encode()


def widens(before: Policy, after: Policy, _cells: object) -> frozenset[str]:
    """The agencies that new allows speak of, or those whose denies are gone."""

    def named(policy: Policy, effect: RuleEffect) -> set[tuple[str, str]]:
        return {(row.rule, row.agency) for row in policy.rows if row.effect is effect}

    wider = named(after, RuleEffect.ALLOW) - named(before, RuleEffect.ALLOW)
    wider |= named(before, RuleEffect.DENY) - named(after, RuleEffect.DENY)
    return frozenset(agency for _, agency in wider)


@dataclass
class Here:
    """Judges in this process."""

    judgement: Judgement

    async def widened(self, *asked: Any) -> frozenset[str]:
        return self.judgement.widened(*asked)

    async def only_denies(self, *asked: Any) -> bool:
        return self.judgement.only_denies(*asked)


@dataclass
class Office:
    """An administration, its store and what it recorded."""

    store: Store
    administration: Administration
    acts: list[Mapping[str, object]] = field(default_factory=list)

    async def propose(self, actor: Actor, changes: Mapping[str, bytes | None], **options: object) -> Draft:
        files = {**authored((await self.store.latest()).files), **changes}
        kept = {name: content for name, content in files.items() if content is not None}
        return await self.administration.propose(actor, kept, "a reason", **options)  # type: ignore[arg-type]

    async def approved(self, actor: Actor, changes: Mapping[str, bytes | None], *approvers: Actor) -> Draft:
        draft = await self.propose(actor, changes)
        for approver in approvers:
            draft = await self.administration.approve(approver, draft.id, draft.digest)
        return draft

    async def published(self, actor: Actor, changes: Mapping[str, bytes | None], *approvers: Actor) -> Version:
        draft = await self.approved(actor, changes, *approvers)
        return await self.administration.publish(actor, draft.id)


@pytest.fixture
def catalogue(catalogue: Catalogue) -> Catalogue:
    """With what publicity periods are counted by."""
    penalty = catalogue.records["Penalty"]
    kinds = {"decidedOn": Kind.DATE, "repairedOn": Kind.DATE, "severity": Kind.CODE}
    more = {name: FieldSpec(name, kind, Tier.PUBLIC, name, name) for name, kind in kinds.items()}
    return Catalogue({**catalogue.records, "Penalty": replace(penalty, fields={**penalty.fields, **more})})


@pytest.fixture
def kind() -> str:
    """What kind of store an office has, where they could hardly differ: each is tested by itself."""
    return "directory"


in_either_kind = pytest.mark.parametrize("kind", ["directory", "sqlite"])


@pytest.fixture
async def office(kind: str, tmp_path: Path, catalogue: Catalogue) -> AsyncIterator[Office]:
    place = str(tmp_path / "store") if kind == "directory" else f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    store = await open_store(place)
    await initialise(store, FILES, by="al", why="to begin", at=NOW)
    acts: list[Mapping[str, object]] = []

    async def record(act: Mapping[str, object]) -> None:
        acts.append(act)

    yield Office(store, Administration(store, Here(Judgement(catalogue, CELLS, widens)), record, lambda: NOW), acts)
    await store.close()


DENY = rule("stop", "deny", "tax")
MORE = NATION + b"# more\n"


@in_either_kind
async def test_a_draft_that_another_approved_is_published_byte_for_byte(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)
    version = await office.administration.publish(AL, draft.id)
    assert version == await office.store.latest()
    assert authored(version.files) == {**FILES, "rules/nation.yaml": MORE}
    assert (version.number, version.by, version.why, version.published_at) == (2, "al", "a reason", NOW)
    assert [(approval.by, approval.digest) for approval in version.approvals] == [("bo", version.digest)]
    with pytest.raises(DraftUnknown):
        await office.store.draft(draft.id)


async def test_a_published_version_loads_and_carries_its_number(office: Office, catalogue: Catalogue) -> None:
    version = await office.published(AL, {"rules/nation.yaml": MORE}, BO)
    policy = load_policy(version.files, catalogue, AGENCIES, now=NOW)
    assert policy.version.startswith("2-")
    assert (policy.published_by, policy.why, policy.published_at) == ("al", "a reason", NOW)


# --- Who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "actor",
    [
        replace(AL, roles=frozenset()),
        replace(AL, roles=frozenset({"bank.officer", "policy"})),
        replace(TESS, roles=frozenset({"bank.officer"})),
        replace(AL, subject=""),
        replace(AL, subject=" \n"),
        replace(TESS, agency="any"),
        replace(TESS, agency=""),
        replace(TESS, agency="nobody"),
    ],
)
async def test_only_administrators_act(office: Office, actor: Actor) -> None:
    draft = await office.approved(AL, {"rules/tax.yaml": DENY}, BO)
    administration = office.administration
    office.acts.clear()
    for attempt in (
        administration.propose(actor, FILES, "why"),
        administration.rebase(actor, draft.id),
        administration.roll_back(actor, 1, "why"),
        administration.approve(actor, draft.id, draft.digest),
        administration.publish(actor, draft.id),
        administration.withdraw(actor, draft.id),
        administration.emergency_deny(actor, "tax", "{deny: Penalty}", "why"),
    ):
        with pytest.raises(NotAnAdministrator):
            await attempt
    assert office.acts == []
    assert await office.store.latest_number() == 1


# --- Delegation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        (TESS, "rules/tax.yaml"),
        (TESS, "tests/tax.yaml"),
        (MIA, "rules/market.yaml"),
        (MIA, "rules/zhejiang.yaml"),
        (MIA, "tests/zhejiang.yaml"),
        (NAT, "rules/registry.yaml"),
        (AL, "trees.yaml"),
        (AL, "rules/nation.yaml"),
    ],
)
async def test_an_administrator_changes_the_rules_of_the_own_agency_and_below(
    office: Office, actor: Actor, name: str
) -> None:
    content = FILES.get(name, EMPTY) + b"# changed\n"
    version = await office.published(actor, {name: content}, BO)
    assert version.files[name] == content


BEYOND = [
    (TESS, "trees.yaml"),
    (TESS, "organisations.yaml"),
    (TESS, "publicity/2026-04-01.yaml"),
    (TESS, "publicity/tax.yaml"),
    (TESS, "tax.yaml"),
    (TESS, "rules/nation.yaml"),
    (TESS, "tests/nation.yaml"),
    (TESS, "rules/zhejiang.yaml"),
    (TESS, "tests/zhejiang.yaml"),
    (TESS, "rules/unknown.yaml"),
    (TESS, "rules/any.yaml"),
    (TESS, "rules/tax.yaml.yaml"),
    (ZOE, "rules/market.yaml"),
    (MIA, "rules/tax.yaml"),
    (NAT, "rules/nation.yaml"),
    (NAT, "trees.yaml"),
]


@pytest.mark.parametrize(("actor", "name"), BEYOND)
async def test_no_agency_changes_what_is_not_its_own(office: Office, actor: Actor, name: str) -> None:
    own = f"rules/{actor.agency}.yaml" if actor is not NAT else "rules/tax.yaml"
    with pytest.raises(BeyondDelegation, match=name):
        await office.propose(actor, {own: EMPTY + b"#\n", name: FILES.get(name, b"") + b"# mine\n"})
    if name in FILES:
        with pytest.raises(BeyondDelegation, match=name):
            await office.propose(actor, {name: None})
    assert await office.store.drafts() == ()


@pytest.mark.parametrize("name", ["rules/../trees.yaml", "../tax.yaml", "rules/TAX.yaml", "rules/sub/tax.yaml"])
async def test_no_name_leads_around_delegation(office: Office, name: str) -> None:
    with pytest.raises(FileNameInvalid):
        await office.propose(TESS, {name: b""})


async def test_an_old_base_leads_nobody_around_delegation(office: Office) -> None:
    await office.published(AL, {"rules/nation.yaml": MORE}, BO)
    # Against version 1 only the own file differs; against the latest, the nation's rules would be undone.
    files = {**FILES, "rules/tax.yaml": DENY}
    draft = await office.administration.propose(TESS, files, "why", base=1)
    await office.administration.approve(TOM, draft.id, draft.digest)
    with pytest.raises(DraftOutdated):
        await office.administration.publish(TESS, draft.id)
    forged = await office.store.save_draft(replace(await office.store.draft(draft.id), base=2))
    with pytest.raises(BeyondDelegation, match=r"rules/nation\.yaml"):
        await office.administration.publish(AL, forged.id)
    assert (await office.store.latest()).files["rules/nation.yaml"] == MORE


async def test_an_agency_administrator_publishes_no_draft_beyond_the_own_agency(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)
    with pytest.raises(BeyondDelegation):
        await office.administration.publish(TESS, draft.id)


async def test_an_agency_moved_away_is_lost_at_once(office: Office) -> None:
    draft = await office.approved(MIA, {"rules/zhejiang.yaml": EMPTY + b"#\n"}, ZOE)
    await office.published(AL, {"trees.yaml": TREES.replace(b"zhejiang: market", b"zhejiang: nation")}, BO)
    with pytest.raises(BeyondDelegation):
        await office.administration.rebase(MIA, draft.id)


async def test_a_rule_on_anothers_data_does_not_load_from_the_own_file(office: Office) -> None:
    draft = await office.propose(TESS, {"rules/tax.yaml": rule("mine", "allow", "zhejiang")})
    with pytest.raises(PolicyInvalid, match="FOREIGN_AGENCY"):
        await office.administration.approve(BO, draft.id, draft.digest)


# --- Four eyes ------------------------------------------------------------------------------------------------------


async def test_nobody_approves_the_own_draft(office: Office) -> None:
    draft = await office.propose(AL, {"rules/nation.yaml": MORE})
    for same in (AL, replace(AL, organisation="elsewhere"), replace(AL, agency="tax")):
        with pytest.raises(AuthorCannotApprove):
            await office.administration.approve(same, draft.id, draft.digest)
    with pytest.raises(ApprovalMissing, match="other than al"):
        await office.administration.publish(BO, draft.id)


@in_either_kind
async def test_an_approval_by_the_author_in_the_store_counts_for_nothing(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)
    forged = replace(draft, approvals=tuple(replace(approval, by="al") for approval in draft.approvals))
    await office.store.save_draft(forged)
    with pytest.raises(ApprovalMissing):
        await office.administration.publish(AL, draft.id)


@in_either_kind
async def test_an_approval_lapses_when_the_draft_changes(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)
    changed = await office.propose(AL, {"rules/nation.yaml": MORE + b"# and more\n"}, draft_id=draft.id)
    assert (changed.id, changed.approvals) == (draft.id, ())
    with pytest.raises(ApprovalMissing):
        await office.administration.publish(AL, draft.id)


@in_either_kind
async def test_an_approval_lapses_when_the_draft_changes_behind_our_back(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)
    await office.store.save_draft(replace(draft, files={**draft.files, "rules/tax.yaml": DENY}))
    with pytest.raises(ApprovalMissing):
        await office.administration.publish(AL, draft.id)


async def test_nobody_approves_what_was_not_read(office: Office) -> None:
    draft = await office.propose(AL, {"rules/nation.yaml": MORE})
    await office.propose(AL, {"rules/nation.yaml": MORE + b"#\n"}, draft_id=draft.id)
    with pytest.raises(ReviewedOther):
        await office.administration.approve(BO, draft.id, draft.digest)


async def test_nobody_changes_anothers_draft(office: Office) -> None:
    draft = await office.propose(AL, {"rules/nation.yaml": MORE})
    with pytest.raises(NotTheAuthor):
        await office.propose(BO, {"rules/nation.yaml": MORE + b"#\n"}, draft_id=draft.id)
    with pytest.raises(NotTheAuthor):
        await office.administration.rebase(BO, draft.id)


async def test_a_namesake_at_another_agency_is_another_person(office: Office) -> None:
    namesake = replace(TESS, organisation="court-office", agency="market")
    draft = await office.propose(TESS, {"rules/tax.yaml": DENY})
    with pytest.raises(NotTheAuthor):
        await office.propose(namesake, {"rules/zhejiang.yaml": EMPTY}, draft_id=draft.id)
    with pytest.raises(NotTheAuthor):
        await office.administration.withdraw(namesake, draft.id)
    assert await office.store.draft(draft.id) == draft


async def test_an_unconcerned_agency_cannot_approve(office: Office) -> None:
    draft = await office.propose(TESS, {"rules/tax.yaml": DENY})
    with pytest.raises(NotConcerned, match=r"rules/tax\.yaml"):
        await office.administration.approve(ZOE, draft.id, draft.digest)


async def test_a_draft_that_opens_data_needs_its_owners_approval_too(office: Office) -> None:
    opened = {"rules/nation.yaml": NATION + rule("opened", "allow", "[tax, zhejiang]").split(b"\n", 1)[1]}
    draft = await office.approved(AL, opened, BO)
    with pytest.raises(OwnerApprovalMissing, match="tax, zhejiang"):
        await office.administration.publish(AL, draft.id)
    await office.administration.approve(TESS, draft.id, draft.digest)
    with pytest.raises(OwnerApprovalMissing, match="data of zhejiang;"):
        await office.administration.publish(AL, draft.id)
    await office.administration.approve(MIA, draft.id, draft.digest)
    version = await office.administration.publish(AL, draft.id)
    assert {approval.by for approval in version.approvals} == {"bo", "tess", "mia"}


async def test_an_owner_alone_is_another_pair_of_eyes(office: Office) -> None:
    opened = {"rules/tax.yaml": rule("opened", "allow", "tax")}
    with pytest.raises(OwnerApprovalMissing):
        await office.published(TESS, opened, BO)
    assert (await office.published(AL, opened, NAT)).number == 2


async def test_an_agency_cannot_be_taken_over_by_the_draft_itself(office: Office) -> None:
    trees = TREES.replace(b"tax: nation", b"tax: market")
    draft = await office.approved(AL, {"trees.yaml": trees, "rules/tax.yaml": rule("opened", "allow", "tax")}, BO)
    with pytest.raises(NotConcerned):
        await office.administration.approve(MIA, draft.id, draft.digest)
    with pytest.raises(OwnerApprovalMissing, match="tax"):
        await office.administration.publish(AL, draft.id)


@pytest.mark.parametrize("more", [", from: 2027-01-01", ", from: 2030-06-01, until: 2030-06-02"])
async def test_what_opens_only_later_needs_the_owners_approval_now(office: Office, more: str) -> None:
    with pytest.raises(OwnerApprovalMissing, match="tax"):
        await office.published(AL, {"rules/tax.yaml": rule("later", "allow", "tax", more)}, BO)


async def test_a_deny_that_ends_earlier_opens_data(office: Office) -> None:
    await office.published(AL, {"rules/tax.yaml": DENY}, BO)
    with pytest.raises(OwnerApprovalMissing, match="tax"):
        await office.published(AL, {"rules/tax.yaml": rule("stop", "deny", "tax", ", until: 2027-01-01")}, BO)


@pytest.mark.parametrize(
    "opened",
    [PUBLICITY % (PERIOD % 4), PUBLICITY % b"", (PUBLICITY % (PERIOD % 3)).replace(b"repairedOn", b"")],
    ids=["a longer period", "no period", "repair ends nothing"],
)
async def test_publicity_that_shows_more_needs_the_approval_of_those_who_supply_it(
    office: Office, opened: bytes
) -> None:
    with pytest.raises(OwnerApprovalMissing, match="data of zhejiang;"):
        await office.published(AL, {"publicity/2026-04-01.yaml": opened}, BO)


async def test_publicity_that_shows_less_needs_no_owners_approval(office: Office) -> None:
    version = await office.published(AL, {"publicity/2026-04-01.yaml": PUBLICITY % (PERIOD % 2)}, BO)
    assert version.number == 2


@pytest.mark.parametrize("broken", [None, b"{", PUBLICITY % (PERIOD % 3).replace(b"Penalty", b"Penaltie")])
async def test_a_draft_whose_publicity_rules_do_not_load_is_not_approved_or_published(
    office: Office, broken: bytes | None
) -> None:
    draft = await office.propose(AL, {"publicity/2026-04-01.yaml": broken})
    with pytest.raises(PublicityInvalid):
        await office.administration.approve(BO, draft.id, draft.digest)
    with pytest.raises(PublicityInvalid):
        await office.administration.publish(AL, draft.id)


# --- Drafts ---------------------------------------------------------------------------------------------------------


async def test_a_draft_may_be_broken_but_not_approved_or_published(office: Office) -> None:
    draft = await office.propose(AL, {"rules/nation.yaml": b"rules: [{id: x}]"})
    with pytest.raises(PolicyInvalid):
        await office.administration.approve(BO, draft.id, draft.digest)
    with pytest.raises(PolicyInvalid):
        await office.administration.publish(AL, draft.id)
    assert await office.store.latest_number() == 1


async def test_a_draft_says_why_and_changes_something(office: Office) -> None:
    with pytest.raises(NothingChanged):
        await office.administration.propose(AL, {**FILES, "version.yaml": b"number: 7"}, "why")
    with pytest.raises(ReasonMissing):
        await office.administration.propose(AL, {}, " \n")


@in_either_kind
async def test_a_conflict_names_the_files_that_both_changed(office: Office) -> None:
    both = {"rules/nation.yaml": MORE, "rules/tax.yaml": DENY, "rules/market.yaml": EMPTY + b"#\n"}
    draft = await office.approved(AL, both, BO)
    same = {"rules/nation.yaml": NATION, "rules/tax.yaml": EMPTY + b"# theirs\n", "rules/market.yaml": EMPTY + b"#\n"}
    await office.published(AL, same, BO)
    for attempt in (office.administration.publish(AL, draft.id), office.administration.rebase(AL, draft.id)):
        with pytest.raises(DraftConflict) as caught:
            await attempt
        assert caught.value.files == ("rules/tax.yaml",)


@in_either_kind
async def test_an_outdated_draft_is_rebased_and_approved_again(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE, "rules/market.yaml": None}, BO)
    await office.published(TESS, {"rules/tax.yaml": DENY}, TOM)
    with pytest.raises(DraftOutdated, match="must rebase"):
        await office.administration.publish(AL, draft.id)
    rebased = await office.administration.rebase(AL, draft.id)
    assert (rebased.base, rebased.approvals) == (2, ())
    with pytest.raises(ApprovalMissing):
        await office.administration.publish(AL, draft.id)
    await office.administration.approve(BO, draft.id, rebased.digest)
    version = await office.administration.publish(AL, draft.id)
    expected = {name: content for name, content in FILES.items() if name != "rules/market.yaml"}
    assert authored(version.files) == {**expected, "rules/nation.yaml": MORE, "rules/tax.yaml": DENY}


@in_either_kind
async def test_a_rollback_publishes_old_files_under_a_new_number(office: Office) -> None:
    await office.published(AL, {"rules/tax.yaml": DENY}, BO)
    draft = await office.administration.roll_back(AL, 1, "it was wrong")
    with pytest.raises(ApprovalMissing):
        await office.administration.publish(AL, draft.id)
    await office.administration.approve(TESS, draft.id, draft.digest)
    version = await office.administration.publish(AL, draft.id)
    assert (version.number, version.restores, authored(version.files)) == (3, 1, FILES)
    assert [one.number for one in await office.store.versions()] == [3, 2, 1]


async def test_an_agency_rolls_back_nothing_of_others(office: Office) -> None:
    await office.published(AL, {"rules/tax.yaml": DENY, "rules/nation.yaml": MORE}, BO)
    with pytest.raises(BeyondDelegation, match=r"not rules/nation\.yaml"):
        await office.administration.roll_back(TESS, 1, "why")


@in_either_kind
async def test_a_rollback_that_is_edited_restores_nothing(office: Office) -> None:
    await office.published(AL, {"rules/tax.yaml": DENY}, BO)
    draft = await office.administration.roll_back(AL, 1, "it was wrong")
    edited = await office.propose(AL, {"rules/nation.yaml": MORE}, draft_id=draft.id)
    assert edited == await office.store.draft(draft.id)
    assert edited.restores is None


@in_either_kind
async def test_a_draft_is_withdrawn_by_its_author_or_a_central_administrator(office: Office) -> None:
    draft = await office.propose(TESS, {"rules/tax.yaml": DENY})
    with pytest.raises(NotTheAuthor):
        await office.administration.withdraw(TOM, draft.id)
    assert await office.administration.withdraw(TESS, draft.id) == draft
    again = await office.propose(TESS, {"rules/tax.yaml": DENY})
    await office.administration.withdraw(AL, again.id)
    assert await office.store.drafts() == ()


@in_either_kind
async def test_of_two_who_publish_at_once_one_wins(office: Office) -> None:
    drafts = [
        await office.approved(AL, {"rules/nation.yaml": MORE}, BO),
        await office.approved(TESS, {"rules/tax.yaml": DENY}, TOM),
    ]
    ends = await asyncio.gather(
        *(office.administration.publish(AL, draft.id) for draft in drafts), return_exceptions=True
    )
    (winner,) = [end for end in ends if isinstance(end, Version)]
    (loser,) = [end for end in ends if not isinstance(end, Version)]
    assert isinstance(loser, VersionConflict | DraftOutdated)
    assert await office.store.versions() == (winner, await office.store.version(1))


# --- Emergencies ----------------------------------------------------------------------------------------------------

STOP = "{id: stop, deny: Penalty.facts, of: tax, to: bank, for: any, given: any, note: now}"
LATER = "{id: later, allow: Penalty.facts, of: tax, to: bank, for: any, given: any, note: x, from: 2030-01-01}"


@pytest.mark.parametrize(
    "before",
    [
        EMPTY,
        None,
        b"# only a comment",
        b"rules:\n",
        b"# one\r\nrules:\r\n- {id: b, deny: Penalty, of: tax, to: clerk, for: any, given: any, note: x} # kept",
        rule("b", "deny", "tax") + b"\n  # the end\n",
        b"rules: [{id: b, deny: Penalty, of: tax, to: clerk, for: any, given: any, note: x},]\n",
    ],
)
async def test_an_emergency_deny_takes_effect_at_once_and_keeps_every_byte(
    office: Office, before: bytes | None, catalogue: Catalogue
) -> None:
    if before != EMPTY:
        await office.published(AL, {"rules/tax.yaml": before}, BO)
    old = await office.store.latest()
    version = await office.administration.emergency_deny(TESS, "tax", STOP, "a leak")
    assert version == await office.store.latest()
    assert (version.emergency, version.by, version.approvals, version.why) == (True, "tess", (), "a leak")
    row = load_policy(version.files, catalogue, AGENCIES, now=NOW).rows[-2]
    assert (row.rule, row.effect, row.object) == ("stop", "deny", "Penalty.facts")
    content, kept = version.files["rules/tax.yaml"], before or b""
    inserted = next((at for at, pair in enumerate(zip(content, kept, strict=False)) if len({*pair}) == 2), len(kept))
    assert content.endswith(kept[inserted:])
    assert {**authored(version.files), "rules/tax.yaml": b""} == {**authored(old.files), "rules/tax.yaml": b""}


@pytest.mark.parametrize(
    "written",
    [
        STOP.replace("deny", "allow"),
        STOP.replace("deny:", "allow: Penalty.amount, deny:"),
        f"- {STOP}\n- {STOP.replace('stop', 'other')}",
        "rules: []",
        "deny",
        "",
        "{",
        STOP.replace("note: now", "note: now, from: 2027-01-01"),
        STOP.replace("note: now", "note: now, until: 2026-01-01"),
        STOP.replace("note: now", "note: [[x]]"),
        STOP.replace("note: now", json.dumps(f"note: now\n  - {LATER}\n#") + ": x"),
        STOP.replace("note: now", "note: now, nota: x"),
        STOP.replace("note: now", f"note: {'now ' * 3_000}"),
    ],
)
async def test_an_emergency_does_nothing_but_deny(office: Office, written: str) -> None:
    with pytest.raises(NotADeny):
        await office.administration.emergency_deny(TESS, "tax", written, "why")
    assert await office.store.latest_number() == 1


@pytest.mark.parametrize(
    "written",
    [STOP.replace("of: tax", "of: zhejiang"), STOP.replace("facts", "fact"), STOP.replace("to: bank", "to: bnak")],
)
async def test_an_emergency_deny_that_would_never_match_is_refused(office: Office, written: str) -> None:
    with pytest.raises(PolicyInvalid):
        await office.administration.emergency_deny(TESS, "tax", written, "why")


@pytest.mark.parametrize(
    ("actor", "agency"), [(TESS, "zhejiang"), (TESS, "nation"), (ZOE, "market"), (NAT, "nation"), (TESS, "../trees")]
)
async def test_an_emergency_is_delegated_like_the_rest(office: Office, actor: Actor, agency: str) -> None:
    with pytest.raises(BeyondDelegation):
        await office.administration.emergency_deny(actor, agency, STOP, "why")


@in_either_kind
async def test_an_emergency_is_not_undone_by_drafts_made_before_it(office: Office) -> None:
    draft = await office.approved(AL, {"rules/tax.yaml": EMPTY + b"#\n"}, BO)
    version = await office.administration.emergency_deny(TESS, "tax", STOP, "a leak")
    with pytest.raises(DraftConflict, match=r"rules/tax\.yaml"):
        await office.administration.publish(AL, draft.id)
    assert await office.store.latest() == version


@in_either_kind
async def test_emergencies_at_once_all_take_effect(office: Office) -> None:
    denies = [STOP.replace("stop", f"stop-{n}").replace("facts", what) for n, what in enumerate(("facts", "amount"))]
    versions = await asyncio.gather(
        *(office.administration.emergency_deny(TESS, "tax", deny, "a leak") for deny in denies)
    )
    assert {version.number for version in versions} == {2, 3}
    content = (await office.store.latest()).files["rules/tax.yaml"]
    assert b"stop-0" in content
    assert b"stop-1" in content


# --- Audit ----------------------------------------------------------------------------------------------------------


async def test_each_act_is_recorded_with_who_and_what(office: Office) -> None:
    version = await office.published(TESS, {"rules/tax.yaml": DENY}, TOM)
    draft = await office.administration.roll_back(AL, 1, "wrong")
    await office.administration.withdraw(AL, draft.id)
    await office.administration.emergency_deny(TESS, "tax", STOP.replace("stop", "halt"), "a leak")
    assert [act["act"] for act in office.acts] == [
        "propose",
        "approve",
        "publish",
        "roll_back",
        "withdraw",
        "emergency_deny",
    ]
    publish = office.acts[2]
    assert (
        publish.items()
        >= {
            "at": NOW,
            "subject": "tess",
            "organisation": "bureau",
            "agency": "tax",
            "author": "tess",
            "approvals": ["tom"],
            "version": 2,
            "digest": version.digest,
            "files": ("rules/tax.yaml",),
            "why": "a reason",
        }.items()
    )


@in_either_kind
async def test_nothing_is_done_that_cannot_be_recorded(office: Office) -> None:
    draft = await office.approved(AL, {"rules/nation.yaml": MORE}, BO)

    async def fail(_: Mapping[str, object]) -> None:
        raise ConnectionError("the disk is full")

    deaf = replace(office.administration, record=fail)
    other = await office.propose(TOM, {"rules/tax.yaml": DENY})
    for attempt in (
        deaf.propose(AL, {**FILES, "rules/tax.yaml": DENY}, "why"),
        deaf.approve(TESS, other.id, other.digest),
        deaf.publish(AL, draft.id),
        deaf.withdraw(AL, draft.id),
        deaf.emergency_deny(TESS, "tax", STOP, "why"),
    ):
        with pytest.raises(ConnectionError):
            await attempt
    assert await office.store.latest_number() == 1
    assert {one.id: one for one in await office.store.drafts()} == {draft.id: draft, other.id: other}
