"""Which legal bases hold for one company, or for what is told of one agency."""

from __future__ import annotations

from collections.abc import Iterable

from policies.consent import Consent
from policies.decision import Basis
from policies.policy import Outline
from policies.tree import ROOT
from schema.credit_code import CreditCode


def bases_for(
    code: CreditCode, policy: Outline, organisation: str, company: str | None, consents: Iterable[Consent]
) -> tuple[frozenset[Basis], frozenset[str]]:
    """The bases that hold for the company `code`, and what its consents name (tiers and coordinates; theirs together).

    `company` is the credit code that the caller speaks for. `consents` have been verified for this organisation and
    purpose. Jurisdiction holds where the organisation's division covers that of the code; not for an unknown division.
    """
    bases: set[Basis] = set()
    known = policy.organisations.get(organisation)
    if known and known.division and code.division_known and code.division.startswith(known.division):
        bases.add(Basis.JURISDICTION)
    if company == code:
        bases.add(Basis.SELF)
    scopes = [consent.scope for consent in consents if consent.company == code]
    if scopes:
        bases.add(Basis.CONSENT)
    return frozenset(bases), frozenset().union(*scopes)


def bases_for_agency(agency: str, policy: Outline, organisation: str) -> frozenset[Basis]:
    """The bases that hold for what is told of an agency itself: `self`, where the organisation administers that agency
    or one above it, for then it asks about its own. No company is in question, so that no other can hold.
    """
    known = policy.organisations.get(organisation)
    administered = known.administers if known else None
    own = administered is not None and (administered == ROOT or policy.agencies.covers(administered, agency))
    return frozenset({Basis.SELF}) if own else frozenset()
