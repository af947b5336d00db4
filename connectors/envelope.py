"""The code of its own by which an agency says, inside an answer that went well, how it went."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure
from connectors.http import bad_response
from connectors.manifest import Name, Part
from connectors.paths import MISSING, follow


def written(code: Any) -> str:  # noqa: ANN401  (an agency's code has any type)
    """A code as text: true and false as JSON has them, null as nothing."""
    if code is None or isinstance(code, bool):
        return {None: "", True: "true", False: "false"}[code]
    return str(code).strip()


def code_at(document: object, path: str) -> str:
    """The code at a path; one that is not there is the empty text."""
    found = follow(document, path)
    return written(None if found is MISSING else found)


Code = Annotated[str, BeforeValidator(written, json_schema_input_type=str | int | bool | None)]
"""One of an agency's codes; true, false and null may be, too."""


class Envelope(Part):
    """The agency's own code inside a 200: which mean well, and which mean too busy. Any other is a failure.

    One that is not there, or null, is the empty text.
    """

    path: Name
    ok: tuple[Code, ...] = Field(min_length=1)
    busy: tuple[Code, ...] = ()

    def code(self, document: object) -> str:
        """The answer's code."""
        return code_at(document, self.path)

    def says_unknown(self, document: object, unknown: Collection[str], place: str) -> bool:
        """Whether the answer's code is one of those that mean an unknown company.

        Raises `AgencyFailure` for a code that means a failure; `place` names the call in it.
        """
        code = self.code(document)
        if code in unknown:
            return True
        self.check(code, place)
        return False

    def check(self, code: str, place: str) -> None:
        """Raises `AgencyFailure` for a code that means a failure; `place` names the call in it."""
        if code in self.busy:
            reason = f"{place}: the answer's {self.path} says busy"
            raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, reason, retryable=True)
        if code not in self.ok:
            raise bad_response(place, f"the answer's {self.path} is none of those that mean well")
