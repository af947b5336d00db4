"""The response's data for the federated roots: enterprises, and below them their answers.

Each company is written once at each place, to bytes, the deepest places first: those that lead to it take its bytes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson
from graphql import GraphQLError

from connectors.turns import Turn
from gateway.stages.federate import Answers, Settled
from gateway.stages.matching import match_writer
from gateway.stages.operation import FIND, VERIFY, EnterpriseSelection
from gateway.stages.refusals import LimitExceeded
from gateway.stages.roots import Asked, RootCompanies
from gateway.stages.selection import Selection
from gateway.stages.shape import Agencies, Showing
from gateway.stages.verification import written_verification, written_without_company
from gateway.stages.writers import TYPENAME, Writer, code_writer, constants, keyed_writer
from policies.masks import Masks
from schema.code_labels import authority, category
from schema.credit_code import CreditCode, normalise

Written = tuple[orjson.Fragment, int]
"""One company at one place, in JSON, with how many companies and records that holds."""

Root = Sequence[object] | orjson.Fragment | None
"""The data of one root: a list, or one company or verification, which may be null."""

Level = dict[EnterpriseSelection, dict[str, Written]]
"""The companies of one level, by where they appear and by code."""


class Enterprises:
    """Writes companies from what federating brought, with the caller's masks; at most so many `limit` companies and
    records, each time that one is written counted.
    """

    def __init__(self, answers: Answers, masks: Masks, agencies: Agencies, limit: int) -> None:
        self._answers = answers
        self._agencies = agencies
        self._masks = masks
        self._limit = limit

    async def roots(self, companies: RootCompanies, turn: Turn) -> dict[str, Root]:
        """The data of every federated root, by response key. Raises `LimitExceeded`."""
        level = Level()
        for settled in _deepest_first(self._answers.settled):
            level = await self._level(settled, level, turn)
        if turn.passed:
            # So much is put together at once that it takes a turn of its own.
            await turn.pass_on()
        self._check(_size(companies, level))
        return {asked.root.selection.key: self._root(asked, level) for asked in companies.asked}

    async def _level(self, settled: Iterable[Settled], below: Level, turn: Turn) -> Level:
        """Writes the companies of one level, given those of the level below."""
        here = Level()
        size = 0
        for part in settled:
            companies = here.setdefault(part.place.enterprise, {})
            for code, written in self._companies(part, below):
                companies[code] = written
                # Each of them is written at least once in the end, so that the whole holds no less.
                size += written[1]
                self._check(size)
                if turn.is_over():
                    await turn.pass_on()
        return here

    def _companies(self, settled: Settled, below: Level) -> Iterator[tuple[CreditCode, Written]]:
        nested = 0

        def enterprise(selection: EnterpriseSelection, code: str) -> orjson.Fragment:
            nonlocal nested
            written, number = below[selection][normalise(code)]
            nested += number
            return written

        showing = Showing(self._masks, enterprise)
        place = settled.place
        constant, own = constants(place.enterprise.selections), _own_fields(place.enterprise)
        answers = tuple(
            (answer.selection.key, settled.writers[answer](showing), settled.joined[answer])
            for answer in place.enterprise.answers
        )
        for index, code in enumerate(place.codes):
            nested, company = 0, constant.copy()
            size = 1
            for key, read in own:
                company[key] = read(code)
            for key, write, joined in answers:
                company[key] = write(joined, index)
                size += len(joined.records[index] or ())
            yield code, (orjson.Fragment(orjson.dumps(company)), size + nested)

    def _root(self, asked: Asked, level: Level) -> Root:
        """The data of one root; null in the place of what is no company's code."""
        selection = asked.root.selection
        if selection.name == FIND:
            write = match_writer(selection.selections, self._agencies)
            by_key = {enterprise.path[-1]: level.get(enterprise, {}) for enterprise in asked.root.enterprises}
            return [write(found, {key: made[found.code][0] for key, made in by_key.items()}) for found in asked.matches]
        if selection.name == VERIFY:
            return self._verification(asked)
        (enterprise,) = asked.root.enterprises
        written = level.get(enterprise, {})
        companies = [written[code][0] if code else None for code in asked.codes]
        return companies if asked.many else companies[0]

    def _verification(self, asked: Asked) -> orjson.Fragment:
        (enterprise,) = asked.root.enterprises
        (answer,) = enterprise.answers
        for settled in self._answers.settled:
            if settled.place.enterprise is enterprise:
                authorised = settled.place.plan.authorised.answers[answer]
                return written_verification(authorised, settled.joined[answer], asked.elements, self._agencies)
        return written_without_company(asked.root.selection.selections, asked.elements)

    def _check(self, size: int) -> None:
        if size > self._limit:
            message = f"The answer would hold more than {self._limit} companies and records; ask for less at once."
            raise LimitExceeded(GraphQLError(message))


def _deepest_first(settled: Iterable[Settled]) -> Iterator[list[Settled]]:
    """What was settled, level by level."""
    levels: dict[int, list[Settled]] = {}
    for part in settled:
        levels.setdefault(part.place.enterprise.level, []).append(part)
    return (levels[level] for level in sorted(levels, reverse=True))


def _size(companies: RootCompanies, level: Level) -> int:
    """How many companies and records all roots hold together."""
    return sum(
        level[enterprise][code][1]
        for asked in companies.asked
        for enterprise in asked.root.enterprises
        for code in asked.codes
        if code
    )


def _own_fields(enterprise: EnterpriseSelection) -> tuple[tuple[str, Writer], ...]:
    """What an enterprise has of itself, from its code alone."""
    answers = {answer.selection.key for answer in enterprise.answers}
    return tuple(
        (part.key, _own_field(part))
        for part in enterprise.selections
        if part.name != TYPENAME and part.key not in answers
    )


def _own_field(selection: Selection) -> Writer:
    return (
        (lambda code: code) if selection.name == "creditCode" else keyed_writer(selection.selections, _identity_field)
    )


def _identity_field(selection: Selection) -> Writer:
    if selection.name in _CODES:
        read, write = _CODES[selection.name], code_writer(selection.selections)
        return lambda code: write(read(code))
    return _IDENTITY[selection.name]


_CODES: Final = {"authority": authority, "category": category}

_IDENTITY: Final[Mapping[str, Writer]] = {
    "division": lambda code: code.division,
    "divisionKnown": lambda code: code.division_known,
    "organisationCode": lambda code: code.organisation_code,
    "checkDigitValid": lambda code: code.check_digit_valid,
}
