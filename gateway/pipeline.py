"""The way of a request between the two ends of the HTTP edge: the stages, called in order, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from graphql import GraphQLError
from msgspec.structs import replace

from connectors.contract import Asker
from connectors.health import AgencyHealth, CacheHealth, cache_health_of, health_of
from connectors.turns import Turn
from gateway.activity import Activity, Stage
from gateway.agencies.fares import Fares, fares_of
from gateway.agencies.profile import told_of
from gateway.agencies.told import AgencyTeller, Told, usage_days
from gateway.agencies.usage import UsageLog
from gateway.audit.log import LATE_SECONDS, AuditLog
from gateway.editions.editions import Edition, Editions
from gateway.editions.reload import Reload
from gateway.errors import DeadlineExceededError, MethodNotAllowedError, TooManyRequestsError
from gateway.identity.consents import Consents
from gateway.limits import Limits
from gateway.messages import Answered, Received
from gateway.quotas.quotas import Quotas
from gateway.receipt import Receipts, Salt, salted_digest
from gateway.stages.arguments import slices
from gateway.stages.caller import Caller, check_caller
from gateway.stages.cursor import record_digests
from gateway.stages.encode import encode, encode_refusal, failure_errors
from gateway.stages.enterprise import Enterprises
from gateway.stages.federate import Federation
from gateway.stages.fetch import partition
from gateway.stages.join import Joiner
from gateway.stages.local import run_local
from gateway.stages.lookup import Asking, Looked
from gateway.stages.question import Question
from gateway.stages.record import answer_record, asked_record, outcomes, refusal_record
from gateway.stages.refusals import (
    CostExceeded,
    LimitExceeded,
    OperationUnsupported,
    ReceiptUnavailable,
    RequestRefused,
)
from gateway.stages.resolve import resolve
from gateway.stages.roots import root_companies
from gateway.stages.statement import statement
from gateway.stages.trusted import TrustedDocuments
from gateway.stages.viewer import local_roots
from policies.masks import MaskContext, Masks, masking
from policies.publicity import CHINA
from schema.credit_code import CreditCode
from schema.values import Value

GRACE: Final = 5.0
"""Seconds past the deadline, by which the agencies have been given up, for shaping and recording what there is."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of this installation: of pseudonyms (mask `hmac`), which are of this `generation`, of the digests in
    cursors, and of the nonces that salt the audit log's digests.
    """

    masks: bytes
    cursors: bytes
    salt: Salt
    generation: int = 1


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that answering a request needs. One request sees one edition from its start to its end.

    `receipts` is None where there is no key to sign any; `reload` follows the manifests, where there are files of them;
    `usage` reads the audit log for those who may know who used an agency's data. `activity` is what is counted of
    requests, `now` tells the time.
    """

    editions: Editions
    trusted: TrustedDocuments
    consents: Consents
    audit: AuditLog
    limits: Limits
    quotas: Quotas
    secrets: Secrets
    receipts: Receipts | None = None
    reload: Reload | None = None
    usage: UsageLog | None = None
    activity: Activity = field(default_factory=Activity)
    now: Callable[[], dt.datetime] = _now

    def health(self) -> tuple[AgencyHealth, ...]:
        """How the agencies fare that are asked now."""
        return health_of(self.reload.supply) if self.reload else ()

    def cache(self) -> CacheHealth | None:
        """How the cache of agencies' rows fares, where there is one."""
        return cache_health_of(self.reload.supply) if self.reload else None

    def refused_manifests(self) -> int:
        """How many manifests are not in force, for a mistake."""
        return len(self.reload.refused) if self.reload else 0

    async def answer(self, received: Received) -> Answered:
        """The answer to one request, its audit line durable. Raises `DeadlineExceededError` where even saying that the
        agencies are late takes too long, and `AuditUnavailableError`.
        """
        edition = self.editions.current
        try:
            with edition.provision.users:
                async with asyncio.timeout_at(received.deadline + GRACE):
                    return await self._answer(received, edition)
        except TimeoutError:
            raise DeadlineExceededError from None

    async def _answer(self, received: Received, edition: Edition) -> Answered:
        started = self.now()
        try:
            with self.activity.stage(Stage.DOCUMENT):
                question = await self._read(received, edition, started)
        except OperationUnsupported as refused:
            if received.read_only:
                raise MethodNotAllowedError(str(refused), allow="POST") from None
            return await self._refuse(received, refused, started)
        except RequestRefused as refused:
            return await self._refuse(received, refused, started)
        await self.quotas.check_question(received.principal, question.companies)
        asked: set[CreditCode] = set()
        try:
            return await self._execute(received, edition, question, started, asked)
        except TooManyRequestsError:
            # Nobody was asked, save whoever was to find the company.
            if question.companies.lookups():
                await self._record(asked_record(received, question, started, asked))
            raise
        except (CostExceeded, LimitExceeded) as refused:
            if isinstance(refused, CostExceeded) and not question.companies.lookups():
                return await self._refuse(received, refused, started)
            await self._record(asked_record(received, question, started, asked))
            return Answered(encode_refusal(refused.formatted(), {"requestId": received.request_id}), executed=False)
        except BaseException:
            # Agencies have been asked about these companies, whatever becomes of the answer.
            await self._record(asked_record(received, question, started, asked), LATE_SECONDS)
            raise

    async def _read(self, received: Received, edition: Edition, now: dt.datetime) -> Question:
        """What is asked, and by whom. Raises `RequestRefused`."""
        if received.receipt and self.receipts is None:
            raise ReceiptUnavailable(GraphQLError("This gateway has no key to sign receipts; ask without X-Receipt."))
        caller = check_caller(received, edition.policy, self.consents.current, now)
        openable = await edition.tables.openable(received.principal.roles, received.principal.organisation)
        provision = edition.provision
        view = provision.views.view(openable, edition.policy.unreleased)
        operation, variables = await provision.documents.read(
            view, self.trusted.text(received), received.operation_name, received.variables
        )
        roots = _roots(caller, edition, openable) if operation.local else {}
        return Question(
            caller,
            operation,
            slices(operation, variables, self.limits),
            await root_companies(operation, variables, self.limits),
            usage_days(operation, variables),
            await run_local(operation, view.shown, received.variables, roots),
        )

    async def _execute(
        self, received: Received, edition: Edition, question: Question, started: dt.datetime, asked: set[CreditCode]
    ) -> Answered:
        caller, operation, companies = question.caller, question.operation, question.companies
        provision = edition.provision
        masks, bill = self._masks(caller), provision.tariff.bill(caller.principal.organisation)
        audience = f"{caller.principal.organisation}\0{caller.purpose or ''}"
        asker = Asker(caller.principal.organisation, caller.purpose, received.request_id)
        looked: tuple[Looked, ...] = ()
        if companies.lookups():
            table = await edition.tables.table(caller.class_for_all())
            asking = Asking(
                provision.supply, table, partition(caller, provision.shared), asker, received.deadline, bill
            )
            with self.activity.stage(Stage.RESOLVE):
                companies, looked = await resolve(companies, asking)
        federation = Federation(
            supply=provision.supply,
            tables=edition.tables,
            preparer=edition.preparer,
            joiner=Joiner(started.astimezone(CHINA).date(), masks, record_digests(self.secrets.cursors, audience)),
            caller=caller,
            asker=asker,
            shared=provision.shared,
            bill=bill,
            quotas=self.quotas,
            limit=self.limits.companies,
            deadline=received.deadline,
            activity=self.activity,
        )
        turn = Turn()
        answers = await federation.run(operation, companies, question.slices, turn, asked)
        if looked:
            answers = replace(answers, looked=looked)
        told = await self._told(received, edition, question, started)
        local, local_errors = question.local
        data = None
        if local is not None:
            enterprises = Enterprises(answers, masks, provision.agencies, self.limits.written)
            with self.activity.stage(Stage.SHAPE):
                found = {**local, **told.data, **await enterprises.roots(companies, turn)}
            data = {key: found[key] for key in operation.keys}
        errors = [*companies.errors, *local_errors, *told.errors, *failure_errors(answers.settled)]
        sources, nonce = list(outcomes(answers)), self.secrets.salt.nonce(received.request_id)
        signer = self.receipts if received.receipt else None
        stated: Mapping[str, Any] = {}
        if signer:
            issuer = signer.issuer
            stated = {"receipt": statement(question, issuer=issuer, at=started, nonce=nonce, sources=sources)}
        cost = {"cost": bill.told()} if received.tell_cost or provision.tariff.told else {}
        notices = {**cost, **caller.notices(), **self.trusted.notices(received), **stated}
        with self.activity.stage(Stage.ENCODE):
            body = encode(data, errors, {"requestId": received.request_id, **notices})
        if turn.is_over():
            await turn.pass_on()
        receipt = await signer.sign(body) if signer else None
        response = salted_digest(nonce, body)
        await self._record(
            answer_record(
                received,
                question,
                answers,
                told=told,
                sources=sources,
                response=response,
                started=started,
                ended=self.now(),
            )
        )
        return Answered(body, executed=True, receipt=receipt)

    async def _refuse(self, received: Received, refused: RequestRefused, started: dt.datetime) -> Answered:
        await self._record(refusal_record(received.request_id, received.principal, refused.code, started))
        return Answered(encode_refusal(refused.formatted(), {"requestId": received.request_id}), executed=False)

    async def _told(self, received: Received, edition: Edition, question: Question, now: dt.datetime) -> Told:
        """What this caller is told of the agencies. Raises `LimitExceeded`."""
        if not question.operation.agencies:
            return Told()
        teller = AgencyTeller(
            caller=question.caller,
            tables=edition.tables,
            profiles=told_of(edition.provision.agencies, question.caller.policy.unreleased),
            fares=self._fares,
            log=self.usage,
            limit=self.limits.written,
            deadline=received.deadline,
        )
        return await teller.tell(question.operation, question.usage, now)

    def _fares(self) -> Mapping[str, Fares]:
        return {health.agency: fares_of(health) for health in self.health()}

    async def _record(self, record: Mapping[str, object], seconds: float | None = None) -> None:
        with self.activity.stage(Stage.RECORD):
            await self.audit.append(record, seconds)

    def _masks(self, caller: Caller) -> Masks:
        """The masks as they fall out for this caller."""
        organisation, purpose, secrets = caller.principal.organisation, caller.purpose, self.secrets

        def masks(name: str, coordinate: str) -> Callable[[Value], Value]:
            return masking(name, MaskContext(organisation, purpose, coordinate, secrets.masks, secrets.generation))

        return masks


def _roots(caller: Caller, edition: Edition, openable: frozenset[str]) -> Mapping[str, Any]:
    sdl = partial(edition.provision.views.subgraph_sdl, edition.policy.unreleased)
    return local_roots(caller, edition.tables, edition.provision.agencies, openable, sdl)
