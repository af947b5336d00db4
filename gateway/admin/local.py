"""The administration's schema over policy files that lie here: what they mean, without a running gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.admin.desk import Desk
from gateway.admin.endpoint import told
from gateway.admin.schema import SCHEMA
from gateway.admin.types import Work
from gateway.assembly import read_installation
from gateway.audit.open import log_place
from gateway.editions.compiler import Compiler
from gateway.settings import load_settings
from policies.delegation import ADMINISTRATOR, Actor


async def ask_here(document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The GraphQL response by this installation's settings, for whoever may read its files. There is no store, so only
    files that are sent along can be asked about.
    """
    settings = load_settings()
    installation = read_installation(settings)
    async with Compiler() as process:
        desk = Desk(lambda: installation.offered, process, log_place(settings), None)
        work = Work(desk, Actor("here", "", None, frozenset({ADMINISTRATOR})), [])
        result = await SCHEMA.execute(document, dict(variables), work)
    response: dict[str, Any] = {"data": result.data}
    if result.errors:
        response["errors"] = [told(error) for error in result.errors]
    return response
