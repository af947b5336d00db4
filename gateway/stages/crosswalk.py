"""Crosswalks: datasets that tell the identifiers by which other datasets know companies.

They are asked before those, for all companies of a level at once. What they say is never shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from connectors.company_rows import not_whole, together, values
from connectors.contract import CompanyKey, CompanyRows, Dataset, FailureCode, KeyKind, Outcome
from connectors.keys import LEGACY_KINDS
from connectors.lookups import IDENTIFIERS, LEGACY_IDENTIFIERS
from schema.company_key import LegacyId
from schema.credit_code import CreditCode
from schema.errors import LegacyIdError

Said = Mapping[CompanyKey, CompanyRows]
"""What one dataset said of each company."""

Crosswalks = Mapping[KeyKind, tuple[Dataset, ...]]
"""The datasets that tell each identifier, sorted by their ids."""

_NOTHING_SAID = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
"""Asked, and nothing was said: never to be read as there being nothing."""


def crosswalks(datasets: Iterable[Dataset]) -> Crosswalks:
    """Those among the datasets."""
    found = sorted((one for one in datasets if one.record == LEGACY_IDENTIFIERS), key=lambda one: one.id)
    return {kind: tuple(one for one in found if field in one.fields) for kind, field in IDENTIFIERS.items()}


class Keys:
    """The identifiers of one kind of some companies, as the crosswalks tell them.

    No two companies have one identifier: one that is told of several is dropped from all of them, and one that cannot
    be right is dropped too. Either makes what is said of the company incomplete.
    """

    def __init__(
        self, kind: KeyKind, tellers: Sequence[Dataset], codes: Iterable[CreditCode], said: Mapping[str, Said]
    ) -> None:
        """`tellers` are the crosswalks of this kind, `said` has what each of them said, by its id."""
        self._told = {code: _told(kind, tellers, code, said) for code in codes}
        holders = Counter(id_ for told in self._told.values() for id_ in told.ids)
        self._own = {code: tuple(id_ for id_ in told.ids if holders[id_] == 1) for code, told in self._told.items()}

    def ids(self, codes: Iterable[CreditCode]) -> tuple[LegacyId, ...]:
        """The identifiers of these companies, none twice."""
        return tuple(id_ for code in codes for id_ in self._own[code])

    def answers(self, codes: Iterable[CreditCode], said: Said, *, single: bool) -> Said:
        """What a dataset said of these companies, from what it said by identifier.

        `single` tells that it has at most one row of each.
        """
        return {code: self._answer(code, said, single=single) for code in codes}

    def _answer(self, code: CreditCode, said: Said, *, single: bool) -> CompanyRows:
        told, own = self._told[code], self._own[code]
        whole = told.whole and len(own) == len(told.ids)
        if not own:
            # Nothing is known by which the agency could know the company.
            return told.failed or CompanyRows(Outcome.UNKNOWN_COMPANY if whole else Outcome.INCOMPLETE)
        answer = together([said.get(id_, _NOTHING_SAID) for id_ in own], single=single)
        if not whole:
            answer = not_whole(answer, told.failed.failure if told.failed else None)
        if told.not_older_than is None or answer.not_older_than is None:
            return answer
        return replace(answer, not_older_than=min(told.not_older_than, answer.not_older_than))


class _Told(msgspec.Struct, frozen=True):
    """What the crosswalks told of one company: its identifiers, whether these are surely all, the failure of one that
    told nothing, and the moment than which none of it is older.
    """

    ids: tuple[LegacyId, ...]
    whole: bool
    failed: CompanyRows | None
    not_older_than: dt.datetime | None


def _told(kind: KeyKind, tellers: Sequence[Dataset], code: CreditCode, said: Mapping[str, Said]) -> _Told:
    answers = [said.get(teller.id, {}).get(code, _NOTHING_SAID) for teller in tellers if teller.coverage.may_know(code)]
    texts = [text for answer in answers for (text,) in values(answer, [IDENTIFIERS[kind]]) if isinstance(text, str)]
    ids = [_id(kind, text) for text in texts]
    outcomes = {answer.outcome for answer in answers}
    return _Told(
        tuple(dict.fromkeys(id_ for id_ in ids if id_ is not None)),
        bool(answers) and None not in ids and outcomes <= {Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY},
        next((answer for answer in answers if answer.outcome is Outcome.FAILED), None),
        min((answer.not_older_than for answer in answers if answer.not_older_than), default=None),
    )


def _id(kind: KeyKind, text: str) -> LegacyId | None:
    """The identifier that a crosswalk tells; None where it cannot be one."""
    try:
        return LegacyId.parse(LEGACY_KINDS[kind], text)
    except LegacyIdError:
        return None
