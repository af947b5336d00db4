"""What travels between the HTTP edge and the pipeline: one request in, one answer out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Login:
    """How the caller proved to its token's issuer who it is: when (seconds since the epoch), by which methods (`amr`,
    RFC 8176), and to which level (`acr`, OpenID Connect Core 1.0, section 2).
    """

    at: float
    methods: frozenset[str]
    level: str | None


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller. `company` is its credit code where it speaks for a company itself (basis `self`).
    `login` is None where it came without a token, or its token does not say. `purposes` are those that its credentials
    are good for, those below them included; None: all that its organisation is registered for.
    """

    subject: str
    organisation: str
    roles: frozenset[str]
    company: str | None = None
    login: Login | None = None
    purposes: frozenset[str] | None = None


class Received(msgspec.Struct, frozen=True):
    """One GraphQL request, authenticated and well-formed as HTTP, not yet read as GraphQL.

    `purpose` and `consents` are what the caller sent, not yet checked. `deadline` is in seconds of the event loop's
    clock. `read_only` is true where only queries may run (GET), `tell_cost` where the answer is to tell what it cost,
    `receipt` where the caller wants one. `document` is the id of an operation that comes without its text, which is
    then empty.
    """

    request_id: str
    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    principal: Principal
    purpose: str | None
    consents: tuple[str, ...]
    deadline: float
    read_only: bool
    tell_cost: bool = False
    receipt: bool = False
    document: str | None = None


class Answered(msgspec.Struct, frozen=True):
    """The GraphQL response. `body` is its JSON; `executed` is false where the request failed before its execution began
    (a GraphQL request error: there is no `data`). `receipt` is the body's, where the caller asked for one.
    """

    body: bytes
    executed: bool
    receipt: str | None = None
