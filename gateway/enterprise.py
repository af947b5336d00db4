"""The response's data for the federated roots: enterprises, and below them their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLError

from gateway.federate import Answers
from gateway.join import Mask
from gateway.operation import AnswerSelection, EnterpriseSelection
from gateway.prepare import Prepared
from gateway.refusals import LimitExceeded
from gateway.roots import RootCompanies
from gateway.selection import Selection
from gateway.shape import AnswerWriter, ShownAnswer
from gateway.writers import Writer, keyed_writer, value_writer
from schema.code_labels import authority, category
from schema.credit_code import CreditCode
from schema.values import Kind


class Enterprises:
    """Writes companies from what federating brought, with the caller's masks; at most so many `limit` companies and
    records, each time that one is written counted.
    """

    def __init__(self, answers: Answers, mask: Mask, limit: int) -> None:
        self._answers = answers
        self._mask = mask
        self._limit = limit
        self._written = 0
        self._writers: dict[tuple[EnterpriseSelection, Prepared], Writer] = {}

    def roots(self, companies: RootCompanies) -> dict[str, Any]:
        """The data of every federated root, by response key. Raises `LimitExceeded`."""
        data: dict[str, Any] = {}
        for asked in companies.asked:
            written = [self._write(asked.root.enterprise, code) if code else None for code in asked.codes]
            data[asked.root.selection.key] = written if asked.many else written[0]
        return data

    def _write(self, enterprise: EnterpriseSelection, code: CreditCode) -> dict[str, Any]:
        """One company at one place."""
        key = (enterprise, self._answers.prepared[enterprise, code])
        if key not in self._writers:
            self._writers[key] = self._writer(*key)
        self._count(1)
        return dict(self._writers[key](code))

    def _writer(self, enterprise: EnterpriseSelection, prepared: Prepared) -> Writer:
        answers = {answer.selection.key: answer for answer in enterprise.answers}

        def getter(selection: Selection) -> Writer:
            answer = answers.get(selection.key)
            return self._answer_writer(answer, prepared.writers[answer]) if answer else _own_field(selection)

        return keyed_writer(enterprise.selections, getter)

    def _answer_writer(self, answer: AnswerSelection, write: AnswerWriter) -> Writer:
        def write_answer(code: CreditCode) -> dict[str, Any]:
            joined = self._answers.joined[answer, code]
            self._count(len(joined.records or ()))
            return write(ShownAnswer(joined, self._mask, self._write))

        return write_answer

    def _count(self, number: int) -> None:
        self._written += number
        if self._written > self._limit:
            message = f"The answer would hold more than {self._limit} companies and records; ask for less at once."
            raise LimitExceeded(GraphQLError(message))


def _own_field(selection: Selection) -> Writer:
    """What an enterprise has of itself, from its code alone."""
    return str if selection.name == "creditCode" else keyed_writer(selection.selections, _identity_field)


def _identity_field(selection: Selection) -> Writer:
    if selection.name in _CODES:
        read, write = _CODES[selection.name], value_writer(Kind.CODE, selection.selections)
        return lambda code: write(read(code))
    return _IDENTITY[selection.name]


_CODES: Final = {"authority": authority, "category": category}

_IDENTITY: Final[Mapping[str, Writer]] = {
    "division": lambda code: code.division,
    "divisionKnown": lambda code: code.division_known,
    "organisationCode": lambda code: code.organisation_code,
    "checkDigitValid": lambda code: code.check_digit_valid,
}
