"""The response's data for the federated roots: enterprises, and below them their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.federate import Answers
from gateway.join import Mask
from gateway.operation import EnterpriseSelection
from gateway.roots import RootCompanies
from gateway.selection import Selection
from gateway.shape import ShownAnswer
from gateway.writers import Writer, keyed_writer, value_writer
from schema.code_labels import authority, category
from schema.credit_code import CreditCode
from schema.values import Kind


@dataclass(frozen=True, slots=True)
class Enterprises:
    """Writes companies from what federating brought, with the caller's masks."""

    answers: Answers
    mask: Mask

    def roots(self, companies: RootCompanies) -> dict[str, Any]:
        """The data of every federated root, by response key."""
        data: dict[str, Any] = {}
        for asked in companies.asked:
            written = [self.write(asked.root.enterprise, code) if code else None for code in asked.codes]
            data[asked.root.selection.key] = written if asked.many else written[0]
        return data

    def write(self, enterprise: EnterpriseSelection, code: CreditCode) -> dict[str, Any]:
        """One company at one place."""
        answers = {answer.selection.key: answer for answer in enterprise.answers}
        writers = self.answers.prepared[enterprise, code].writers

        def getter(selection: Selection) -> Writer:
            answer = answers.get(selection.key)
            if answer is None:
                return _own_field(selection)
            shown = ShownAnswer(self.answers.joined[answer, code], self.mask, self.write)
            return lambda _: writers[answer](shown)

        return dict(keyed_writer(enterprise.selections, getter)(code))


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
