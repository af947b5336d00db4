"""From what companies are to be found by to their credit codes, before anything is asked about them.

A company that cannot be found because somebody failed, or may not be asked, is not the same as one that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from connectors.company_rows import values
from connectors.contract import FailureCode, KeyKind, Outcome
from connectors.lookups import CREDIT_CODE
from gateway.stages.lookup import Asking, Looked
from gateway.stages.matching import matches
from gateway.stages.roots import Asked, RootCompanies, null_error
from schema.credit_code import CreditCode

UNSUPPORTED: Final = "LOOKUP_UNSUPPORTED"
WITHHELD: Final = "LOOKUP_WITHHELD"
AMBIGUOUS: Final = "ID_AMBIGUOUS"
_AMBIGUOUS: Final = "Several companies are told to have this identifier: ask for one by its credit code."

_WHOLE: Final = frozenset({Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY})


async def resolve(companies: RootCompanies, asking: Asking) -> tuple[RootCompanies, tuple[Looked, ...]]:
    """The roots with the companies that were found, what could not be found being an error beside; and how those fared
    who were asked.
    """
    found = tuple(await asking.look(companies.lookups()))
    looked = iter(found)
    errors = list(companies.errors)
    asked = tuple(_resolved(one, next(looked), errors) if one.lookup else one for one in companies.asked)
    return RootCompanies(asked, tuple(errors)), found


def _resolved(asked: Asked, looked: Looked, errors: list[dict[str, Any]]) -> Asked:
    if looked.lookup.kind is KeyKind.NAME:
        found = matches(looked)
        errors.extend(_shortcomings(asked, looked))
        return replace(asked, codes=tuple(match.code for match in found), matches=found)
    codes = _codes(looked)
    if len(codes) == 1:
        return replace(asked, codes=codes)
    message, extensions = (_AMBIGUOUS, {"code": AMBIGUOUS}) if codes else next(_gaps(looked), ("", {}))
    if extensions:
        errors.append(null_error(asked.root, message, extensions))
    return asked


def _codes(looked: Looked) -> tuple[CreditCode, ...]:
    """The companies that those who were asked tell of, none twice."""
    told = (code for answer in looked.said.values() for (code,) in values(answer, [CREDIT_CODE]))
    return tuple(dict.fromkeys(CreditCode.parse(code) for code in told if isinstance(code, str)))


def _shortcomings(asked: Asked, looked: Looked) -> Iterator[dict[str, Any]]:
    """The errors that tell why there may be more than was found. They have no path: the list is not null."""
    for message, extensions in _gaps(looked):
        yield {"message": f"{asked.root.selection.key}: {message}", "extensions": extensions}


def _gaps(looked: Looked) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Why more could be known than was said: each with a message and the extensions of an error."""
    if not looked.finders:
        yield "No agency here answers this question.", {"code": UNSUPPORTED}
    yield from _failures(looked)
    for finder in looked.finders:
        if decision := finder.withheld:
            agency = finder.dataset.agency
            reason = decision.reason.value if decision.reason else None
            yield f"{agency} may not be asked for this caller.", {"code": WITHHELD, "agency": agency, "reason": reason}


def _failures(looked: Looked) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for finder in looked.finders:
        answer = looked.said.get(finder.dataset.id)
        if answer is not None and answer.outcome not in _WHOLE:
            code = answer.failure or FailureCode.AGENCY_BAD_RESPONSE
            how = "did not answer" if answer.outcome is Outcome.FAILED else "did not answer in full"
            yield (
                f"{finder.dataset.id} {how}.",
                {"code": code, "agency": finder.dataset.agency, "dataset": finder.dataset.id},
            )
