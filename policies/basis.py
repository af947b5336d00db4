"""Which legal bases hold for one company, or for what is told of one agency."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from policies.consent import Consent
from policies.decision import Basis
from policies.policy import Outline
from policies.tree import ROOT
from schema.credit_code import CreditCode

Bases = tuple[frozenset[Basis], frozenset[str]]
"""The bases that hold for a company, and what its consents name (tiers and coordinates; theirs together)."""

_NONE: Final[Bases] = (frozenset(), frozenset())
_JURISDICTION: Final[Bases] = (frozenset({Basis.JURISDICTION}), frozenset())


def bases_for(
    policy: Outline, organisation: str, company: str | None, consents: Iterable[Consent]
) -> Callable[[CreditCode], Bases]:
    """What tells the bases that hold for each company, for a caller of this organisation.

    `company` is the credit code that the caller speaks for. `consents` have been verified for this organisation and
    purpose. Jurisdiction holds where the organisation's division covers that of the code; not for an unknown division.
    """
    known = policy.organisations.get(organisation)
    division = known.division if known else None
    scopes: dict[str, frozenset[str]] = {}
    for consent in consents:
        scopes[consent.company] = scopes.get(consent.company, frozenset()) | consent.scope

    def bases(code: CreditCode) -> Bases:
        covered = division and code.division.startswith(division) and code.division_known
        found = _JURISDICTION if covered else _NONE
        if company == code:
            found = (found[0] | {Basis.SELF}, found[1])
        if code in scopes:
            found = (found[0] | {Basis.CONSENT}, scopes[code])
        return found

    return bases


def bases_for_agency(agency: str, policy: Outline, organisation: str) -> frozenset[Basis]:
    """The bases that hold for what is told of an agency itself: `self`, where the organisation administers that agency
    or one above it, for then it asks about its own. No company is in question, so that no other can hold.
    """
    known = policy.organisations.get(organisation)
    administered = known.administers if known else None
    own = administered is not None and (administered == ROOT or policy.agencies.covers(administered, agency))
    return frozenset({Basis.SELF}) if own else frozenset()
