"""What administrators can ask: what there is, and what it means."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Final, Self

import strawberry
from strawberry.tools import create_type

from connectors.health import AgencyHealth, AgencyState
from gateway.admin import analyses
from gateway.admin.desk import Reference
from gateway.admin.effects import Difference, Simulation, Suggestion
from gateway.admin.explanations import Explanation
from gateway.admin.findings import Finding, TestReport
from gateway.admin.types import AdminInfo, Draft, PolicyReference, Version, Work, root
from gateway.admin.uses import Use
from gateway.admin.workbook import workbook_of
from gateway.agencies.fares import fares_of
from gateway.agencies.usage import read_usage
from gateway.errors import DaysOutOfRangeError
from policies.decision import Basis
from policies.load import PolicyFiles
from policies.policy import Act
from schema.wording import bilingual

MOST_VERSIONS: Final = 100
"""The most versions of one list; each is read whole."""

MOST_DAYS: Final = 36_500
"""The longest time to look back over."""


strawberry.enum(AgencyState, description=bilingual("Whether an agency is asked.", "是否向该机构查询。"))


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
    """At most `first` versions, and at most `MOST_VERSIONS`, from the one before the number `before` on."""
    store = info.context.desk.live().store
    latest = await store.latest_number()
    newest = latest if before is None else min(latest, before - 1)
    oldest = max(newest - min(first, MOST_VERSIONS), 0)
    return [Version.of(await store.version(number)) for number in range(newest, oldest, -1)]


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


@strawberry.type(
    description=bilingual(
        "A manifest's file that is not in force; what it replaces, if anything, stays.",
        "未生效的机构清单文件；其先前内容（如有）继续有效。",
    )
)
class RefusedManifest:
    """A refused manifest."""

    file: str = strawberry.field(description="Its name.")
    agency: str | None = strawberry.field(
        description="The agency whose earlier manifest stays in its place; null: none."
    )
    reasons: list[str] = strawberry.field(description="What is wrong with it.")
    since: dt.datetime = strawberry.field(description="When this instance refused it.")


@strawberry.type(
    description=bilingual(
        "How an agency fares, as this process has counted it since it began, or since the agency's manifest changed.",
        "某机构的运行状况：自本进程启动或其清单更改以来的计数。",
    )
)
class AgencyFares:
    """How an agency fares."""

    agency: str = strawberry.field(description="Its id.")
    state: AgencyState = strawberry.field(description="Whether it is asked.")
    calls: int = strawberry.field(description="Calls that were sent.")
    failures: int = strawberry.field(description="Those of them that failed.")
    timeouts: int = strawberry.field(description="Those that failed by their time.")
    openings: int = strawberry.field(description="How often its breaker has opened.")
    p50: float | None = strawberry.field(description="Seconds within which half of the calls were answered, at most.")
    p95: float | None = strawberry.field(
        description="The same of 95 in a hundred; null: none, or above the last bound."
    )
    p99: float | None = strawberry.field(description="The same of 99 in a hundred.")
    rows: int = strawberry.field(description="Rows that were mapped.")
    dropped: int = strawberry.field(description="Rows that were dropped, for their company was not told.")
    unreadable: int = strawberry.field(description="Values that could not be read.")
    wanted: int = strawberry.field(description="Companies that were wanted where rows may be kept.")
    kept: int = strawberry.field(description="Those of them whose rows were kept.")

    @classmethod
    def of(cls, health: AgencyHealth) -> Self:
        """The same as it is told."""
        return cls(agency=health.agency, **asdict(fares_of(health)))


def agencies(info: AdminInfo) -> list[AgencyFares]:
    """How the agencies within the administrator's reach fare."""
    work = info.context
    return [AgencyFares.of(one) for one in work.desk.health(work.actor)]


def refused_manifests(info: AdminInfo) -> list[RefusedManifest]:
    """The refused manifests within the administrator's reach."""
    work = info.context
    return [
        RefusedManifest(file=one.file, agency=one.agency, reasons=list(one.reasons), since=one.since)
        for one in work.desk.refused(work.actor)
    ]


async def lint(info: AdminInfo, policy: PolicyReference | None = None) -> list[Finding]:
    """The findings."""
    work = info.context
    found = await work.desk.process.run(analyses.findings, await _files(work, policy), work.supplied())
    return [Finding.of(finding) for finding in found]


async def run_tests(info: AdminInfo, policy: PolicyReference | None = None) -> TestReport:
    """The report."""
    work = info.context
    return TestReport.of(await work.desk.process.run(analyses.tested, await _files(work, policy), work.supplied()))


async def diff(
    info: AdminInfo, before: PolicyReference | None = None, after: PolicyReference | None = None
) -> Difference:
    """The difference, within the administrator's reach."""
    work = info.context
    files = await _files(work, before), await _files(work, after)
    return Difference.of(await work.desk.process.run(analyses.difference, *files, work.supplied()))


async def simulate(
    info: AdminInfo, after: PolicyReference, before: PolicyReference | None = None, days: int = 30
) -> Simulation:
    """The simulation, over the requests of the last `days`, within the administrator's reach."""
    work = info.context
    files = await _files(work, before), await _files(work, after)
    begins = since(days, dt.datetime.now(dt.UTC))
    run = work.desk.process.run
    return Simulation.of(await run(analyses.replayed, *files, work.supplied(), work.desk.log, begins))


async def why(  # noqa: PLR0913, PLR0917 - the arguments of the field
    info: AdminInfo,
    caller: str,
    coordinate: str,
    purpose: str | None = None,
    bases: list[Basis] | None = None,
    scope: list[str] | None = None,
    act: Act = Act.READ,
    policy: PolicyReference | None = None,
) -> list[Explanation]:
    """The explanations, one an agency within the administrator's reach."""
    work = info.context
    asker = analyses.Asker(caller, purpose, frozenset(bases or ()), None if scope is None else frozenset(scope))
    asked = (await _files(work, policy), work.supplied(), asker, coordinate, act)
    return [Explanation.of(one) for one in await work.desk.process.run(analyses.explained, *asked)]


async def suggest(info: AdminInfo, days: int = 90, policy: PolicyReference | None = None) -> list[Suggestion]:
    """The suggestions on rules that the administrator may change: what others' data serves is not seen from here."""
    work = info.context
    now = dt.datetime.now(dt.UTC)
    since(days, now)
    asked = (await _files(work, policy), work.supplied(), work.desk.log, now, days)
    found = await work.desk.process.run(analyses.suggested, *asked)
    return [Suggestion.of(one) for one in found if work.desk.may_change(work.actor, one.placed.file)]


async def usage(info: AdminInfo, days: int = 30) -> list[Use]:
    """The use of the data within the administrator's reach, in the last `days`."""
    work = info.context
    begins = since(days, dt.datetime.now(dt.UTC))
    agencies = frozenset(work.desk.reach(work.actor))
    return [Use.of(one) for one in await work.desk.process.run(read_usage, work.desk.log, agencies, begins)]


def since(days: int, now: dt.datetime) -> dt.datetime:
    """The moment so many days ago. Raises `DaysOutOfRangeError`."""
    if not 1 <= days <= MOST_DAYS:
        raise DaysOutOfRangeError(f"`days` is a number from 1 to {MOST_DAYS}, not {days}.")
    return now - dt.timedelta(days=days)


async def _files(work: Work, policy: PolicyReference | None) -> PolicyFiles:
    return await work.desk.files(policy.reference() if policy else Reference())


Query: Final = create_type(
    "Query",
    [
        root(me, "Who is asking.", "当前管理员。"),
        root(in_force, "The version that this instance decides by.", "本实例当前生效的版本。"),
        root(versions, "The versions, newest first, at most 100.", "各版本，最新在前，至多 100 个。"),
        root(version, "One version; without a number, the latest.", "某一版本；缺省为最新。"),
        root(drafts, "The drafts, the oldest first.", "各草案，最早在前。"),
        root(draft, "One draft.", "某一草案。"),
        root(workbook, "A policy as a workbook (xlsx, in Base64).", "策略工作簿（xlsx，Base64）。"),
        root(
            agencies,
            "How the agencies fare, as this process has counted it.",
            "各机构的运行状况（本进程的计数）。",
        ),
        root(
            refused_manifests,
            "The manifests of agencies that this instance has refused, as they are now.",
            "本实例当前拒绝的机构清单。",
        ),
        root(
            lint,
            "What is wrong with a policy, or worth a look; without one, with the latest.",
            "策略中的错误或值得注意之处；缺省为最新版本。",
        ),
        root(run_tests, "What a policy's own tests say.", "策略自带测试的结果。"),
        root(
            diff,
            "What changes from one policy to another; each is the latest version unless it is named.",
            "两个策略之间的差异；未指定者为最新版本。",
        ),
        root(
            simulate,
            "What a change would have done to the requests of the last days, by the audit log: who would see more or"
            " less.",
            "根据审计日志，更改对近日请求本会产生的影响：谁会看到更多或更少。",
        ),
        root(
            why,
            "Why somebody (role, or role@organisation) gets to see what it sees of a coordinate, and what would have to"
            " change.",
            "某人（角色，或 角色@单位）为何可见或不可见某一坐标，以及须改变什么。",
        ),
        root(
            suggest,
            "Grants that were not used in the last days, and narrower rules that would have served.",
            "近日未使用的授权，以及足够使用的更窄规则。",
        ),
        root(
            usage,
            "Who used the agencies' data in the last days, by organisation, purpose and day; no company is named.",
            "近日各机构数据的使用情况，按单位、用途和日期汇总，不列企业。",
        ),
    ],
    description=bilingual("What administrators can ask.", "管理员可查询的内容。"),
)
