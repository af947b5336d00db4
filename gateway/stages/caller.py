"""Who is asking, checked against the policy: the purpose, the consents, and the class that each company puts it in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from graphql import GraphQLError

from gateway.messages import Principal, Received
from gateway.stages.refusals import PurposeInvalid
from policies.basis import Bases, bases_for, bases_for_agency
from policies.consent import Consent, ConsentVerifier
from policies.decision import CallerClass
from policies.errors import ConsentRefused, PurposeRefused
from policies.policy import Outline
from schema.credit_code import CreditCode


class Caller(msgspec.Struct, frozen=True):
    """A principal with its checked purpose and consents, under one policy version.

    `refused_consents` are those that do not count, each with its place in the request and the reason.
    """

    policy: Outline
    principal: Principal
    purpose: str | None
    consents: tuple[Consent, ...]
    refused_consents: tuple[tuple[int, ConsentRefused], ...]

    def bases(self) -> Callable[[CreditCode], Bases]:
        """What tells the legal bases that hold for each company; companies with the same ones make it one class."""
        return bases_for(self.policy, self.principal.organisation, self.principal.company, self.consents)

    def class_with(self, bases: Bases) -> CallerClass:
        """The class of caller that it is for companies for which these bases hold."""
        return CallerClass(self.principal.roles, self.principal.organisation, self.purpose, *bases)

    def class_for_all(self) -> CallerClass:
        """The class of caller that it is where no company is known yet, so that no legal basis holds."""
        return CallerClass(self.principal.roles, self.principal.organisation, self.purpose)

    def class_for_agency(self, agency: str) -> CallerClass:
        """The class of caller that it is for what is told of this agency itself."""
        bases = bases_for_agency(agency, self.policy, self.principal.organisation)
        return CallerClass(self.principal.roles, self.principal.organisation, self.purpose, bases)

    def notices(self) -> Mapping[str, Any]:
        """What the response's extensions tell of consents that were refused."""
        if not self.refused_consents:
            return {}
        return {
            "consents": [
                {"index": index, "code": refused.code, "message": str(refused)}
                for index, refused in self.refused_consents
            ]
        }


def check_purpose(principal: Principal, policy: Outline, purpose: str) -> None:
    """Raises `PurposeRefused` where the caller's organisation is not registered for the purpose, or its credentials are
    not good for it.
    """
    policy.check_purpose(principal.organisation, purpose)
    good_for = principal.purposes
    if good_for is not None and not any(policy.purposes.covers(held, purpose) for held in good_for):
        raise PurposeRefused(f"the credentials are not good for the purpose `{purpose}`")


def check_caller(received: Received, policy: Outline, verifier: ConsentVerifier, now: dt.datetime) -> Caller:
    """The request's caller. Raises `PurposeInvalid`; a consent that does not count is told of, not an error."""
    principal, purpose = received.principal, received.purpose
    if purpose is not None:
        try:
            check_purpose(principal, policy, purpose)
        except PurposeRefused as error:
            raise PurposeInvalid(GraphQLError(str(error))) from None
    consents: list[Consent] = []
    refused: list[tuple[int, ConsentRefused]] = []
    if received.consents:
        # The purposes are those of the version that this request is decided by.
        verifier = replace(verifier, purposes=policy.purposes)
    for index, token in enumerate(received.consents):
        try:
            consents.append(verifier.verify(token, principal.organisation, purpose, now))
        except ConsentRefused as error:
            refused.append((index, error))
    return Caller(policy, principal, purpose, tuple(consents), tuple(refused))
