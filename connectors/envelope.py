"""The code of its own by which an agency says, inside an answer that went well, how it went."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure
from connectors.http import bad_response
from connectors.manifest import Name, Part
from connectors.paths import follow


class Envelope(Part):
    """The agency's own code inside a 200: which mean well, and which mean too busy. Any other is a failure."""

    path: Name
    ok: tuple[str, ...] = Field(min_length=1)
    busy: tuple[str, ...] = ()

    def says_unknown(self, document: object, unknown: Collection[str], place: str) -> bool:
        """Whether the answer's code is one of those that mean an unknown company.

        Raises `AgencyFailure` for a code that means a failure; `place` names the call in it.
        """
        code = str(follow(document, self.path))
        if code in unknown:
            return True
        if code in self.busy:
            reason = f"{place}: the answer's {self.path} says busy"
            raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, reason, retryable=True)
        if code not in self.ok:
            raise bad_response(place, f"the answer's {self.path} is none of those that mean well")
        return False
