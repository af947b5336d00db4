"""Looking on at calls to agencies: for an operator who tries a manifest out, and for the conformance suite.

What is seen holds the agency's values, and may hold secrets: a gateway in service has nobody looking on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.contract import Source, SourceAnswer, SourceCall
from connectors.errors import AgencyFailure


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call by HTTP, before it was signed, and what came of it.

    `place` names it (`GET /companies/{key}`, or `WSDL`), `target` is path and query, percent-encoded. `status` is None
    where there was no answer: then `failure` says why. `location` is the answer's header of that name.
    """

    place: str
    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    content: bytes = field(default=b"", repr=False)
    failure: str = ""
    location: str = ""


class Watch(Protocol):
    """Whoever looks on. Must be quick, and never raise."""

    def exchanged(self, exchange: Exchange) -> None:
        """A call by HTTP ended."""
        ...

    def fetched(self, dataset: str, call: SourceCall, answer: SourceAnswer | AgencyFailure) -> None:
        """A source of the dataset (`agency/Record`) was asked, and gave this."""
        ...


class WatchedSource:
    """A source at which somebody looks on."""

    def __init__(self, source: Source, dataset: str, watch: Watch) -> None:
        self._source = source
        self._dataset = dataset
        self._watch = watch

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """As in `Source`."""
        try:
            answer = await self._source.fetch(call)
        except AgencyFailure as failure:
            self._watch.fetched(self._dataset, call, failure)
            raise
        self._watch.fetched(self._dataset, call, answer)
        return answer

    async def close(self) -> None:
        """As in `Source`."""
        await self._source.close()


def watched(sources: Mapping[str, Source], agency: str, watch: Watch | None) -> Mapping[str, Source]:
    """The sources of an agency, by record type, with somebody looking on, where there is anybody."""
    if watch is None:
        return sources
    return {record: WatchedSource(source, f"{agency}/{record}", watch) for record, source in sources.items()}
