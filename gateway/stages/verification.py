"""Verifications as they are written: whether what the caller gave is what a registration says, and no value of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import orjson

from gateway.stages.authorise import AuthorisedAnswer
from gateway.stages.envelope import AnswerStatus, SourceStatus
from gateway.stages.join import Joined
from gateway.stages.selection import Selection
from gateway.stages.shape import Agencies, envelope_writer
from gateway.stages.writers import TYPENAME
from policies.decision import Effect
from schema.company_key import comparable_name


class Result(StrEnum):
    """The results in the public contract's words."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    UNKNOWN = "UNKNOWN"


def written_verification(
    authorised: AuthorisedAnswer, joined: Joined, elements: Mapping[str, str], agencies: Agencies
) -> orjson.Fragment:
    """The verification of the one company that was joined; `elements` are what was given, by field."""
    written = envelope_writer(authorised, agencies)(joined.envelopes[0])
    for part in authorised.answer.selection.selections:
        if part.name == "creditCode":
            written[part.key] = _registered(joined)
        elif part.name in authorised.answer.record.fields:
            given = elements.get(part.name)
            written[part.key] = None if given is None else _compared(joined, part.name, given)
    return orjson.Fragment(orjson.dumps(written))


def written_without_company(selections: tuple[Selection, ...], elements: Mapping[str, str]) -> orjson.Fragment:
    """The verification of what is no company's code: there is nobody to be asked."""

    def value(part: Selection) -> object:
        match part.name:
            case "status":
                return AnswerStatus.COMPLETE
            case "sources" | "access":
                return []
            case "creditCode":
                return Result.MISMATCH
        return Result.UNKNOWN if part.name in elements else None

    written = {part.key: part.parent if part.name == TYPENAME else value(part) for part in selections}
    return orjson.Fragment(orjson.dumps(written))


def _registered(joined: Joined) -> Result:
    """Whether the code is that of a registered company."""
    if joined.records[0]:
        return Result.MATCH
    asked = {source.status for source in joined.envelopes[0].sources} - {SourceStatus.NOT_ASKED}
    nobody = asked and asked <= {SourceStatus.ANSWERED, SourceStatus.UNKNOWN_COMPANY}
    return Result.MISMATCH if nobody else Result.UNKNOWN


def _compared(joined: Joined, field: str, given: str) -> Result:
    """What the first record says that has the field and may be compared."""
    for origin, row in joined.records[0] or ():
        decision, value = origin.sight.decisions.get(field), row.get(field)
        if decision is not None and decision.effect is Effect.CLEAR and isinstance(value, str):
            return Result.MATCH if comparable_name(value) == comparable_name(given) else Result.MISMATCH
    return Result.UNKNOWN
