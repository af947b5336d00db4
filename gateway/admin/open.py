"""Opens the administration beside a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.routing import Route

from gateway.admin.desk import Desk, Running
from gateway.admin.endpoint import AdminGateway
from gateway.assembly import is_plain
from gateway.audit.open import log_place
from gateway.edge.app import GraphQLEndpoint, RecordRefusal
from gateway.editions.compiler import Compiler
from gateway.identity.identity import Authenticator
from gateway.pipeline import Gateway
from gateway.settings import DeadlineSettings, Settings
from policies.store.open import open_store

PATH: Final = "/admin/graphql"


@asynccontextmanager
async def open_desk(settings: Settings, gateway: Gateway) -> AsyncIterator[Desk]:
    """The administrators' desk, open for as long as the context lasts. Its processes start with their first work.

    Raises `StoreUnavailable`.
    """
    async with AsyncExitStack() as stack:
        running = None
        if not is_plain(settings.policies):
            store = await open_store(settings.policies)
            stack.push_async_callback(store.close)
            emergencies = await stack.enter_async_context(Compiler())
            editions = gateway.editions
            running = Running(
                store,
                gateway.audit,
                lambda: editions.current.policy,
                editions.reached,
                emergencies,
                lambda: gateway.reload.refused if gateway.reload else (),
                gateway.health,
            )
        process = await stack.enter_async_context(Compiler())
        yield Desk(lambda: gateway.editions.current.provision.offered, process, log_place(settings), running)


def admin_route(desk: Desk, authenticator: Authenticator, settings: Settings, record_refusal: RecordRefusal) -> Route:
    """The administration's address: bodies may be as large as a policy, and analyses take their time."""
    limits = settings.limits.model_copy(update={"request_bytes": settings.administration.request_bytes})
    seconds = settings.administration.deadline
    wider = settings.model_copy(
        update={"limits": limits, "deadline": DeadlineSettings(default=seconds, maximum=seconds)}
    )
    pipeline = AdminGateway(desk, settings.administration)
    return Route(PATH, GraphQLEndpoint(pipeline, authenticator, wider, record_refusal))
