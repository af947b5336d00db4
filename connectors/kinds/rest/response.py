"""Answers as a manifest describes them: what an agency says of how it went, and where the rows lie."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from connectors.documents import put_empty_lists, read_document
from connectors.errors import AgencyFailure
from connectors.http import bad_response, refuse_status
from connectors.kinds.rest.layouts import from_arrays, from_columns, from_map, from_order, list_companies, members
from connectors.kinds.rest.manifest import InnerText, Layout, RestResponse
from connectors.lane import LaneAnswer, is_success
from connectors.misread import misread
from connectors.paths import MISSING, Listing, follow, list_rows
from connectors.sparse_json import SparseReader
from connectors.telling import Telling

_NO_BREAKS: Final = str.maketrans("", "", "\r\n")
"""What some put between the lines of base64 (RFC 2045, section 6.8)."""

_IDENTIFIER: Final = re.compile(r"\w[\w.:@-]{0,199}")
"""Nothing that would mean something in a template, whatever that is of."""

_LISTS: Final = frozenset({Layout.OBJECTS, Layout.MEMBERS})
"""The layouts in which null is none."""


class Said(Enum):
    """What an answer says as a whole."""

    ROWS = auto()
    NOTHING = auto()
    """There are no records of those asked for."""
    UNKNOWN = auto()
    """The company is not known."""
    PENDING = auto()
    """There is no answer yet."""


class ResponseReader:
    """How answers are read. `key` is the path of a company's key in rows; `telling` tells rows from what is none;
    `place` names the call in errors; `sparse`, where there is one, reads as much of a document as is needed.
    """

    def __init__(
        self, response: RestResponse, key: str | None, telling: Telling, place: str, sparse: SparseReader | None = None
    ) -> None:
        self._sparse = sparse
        self._response = response
        self._key = key
        self._telling = telling
        self._place = place

    async def open(self, answer: LaneAnswer) -> tuple[Said, Any]:
        """What the answer says, and its document, which paths lead into. Raises `AgencyFailure`."""
        response = self._response
        if answer.status in response.unknown.status:
            return Said.UNKNOWN, None
        if answer.status in response.none.status:
            return Said.NOTHING, None
        if answer.status in response.pending.status:
            return Said.PENDING, None
        try:
            document = await self._document(answer.content)
        except (ValueError, ArithmeticError, RecursionError) as error:
            if not is_success(answer.status):
                refuse_status(self._place, answer.status, answer.retry_after)
            what = misread(answer.content, response.format, response.encoding, error)
            raise bad_response(self._place, what) from None
        said = self._judged(document)
        if said is Said.ROWS and not is_success(answer.status):
            refuse_status(self._place, answer.status, answer.retry_after)
        return said, document

    async def rows_of(self, document: Any, keys: Sequence[str]) -> Listing:  # noqa: ANN401  (an agency's document has any shape)
        """The rows of an answer about these companies. Raises `AgencyFailure`."""
        paths = self._response.rows or (None,)
        listings = [await self._rows_at(document, path, keys) for path in paths]
        if len(listings) == 1:
            return listings[0]
        return Listing(
            [row for listing in listings for row in listing.rows],
            frozenset[str]().union(*(listing.seen for listing in listings)),
            sum(listing.items for listing in listings),
            sum(listing.dropped for listing in listings),
            frozenset[str]().union(*(listing.failed for listing in listings)),
        )

    async def _rows_at(self, document: Any, path: str | None, keys: Sequence[str]) -> Listing:  # noqa: ANN401
        response = self._response
        if response.format == "xml" and isinstance(document, dict):
            steps = (*([path] if path else ()), *response.within)
            put_empty_lists(document, steps, optional=response.optional, told=bool(response.envelope))
        if response.optional and _ends_early(document, path):
            return Listing([])
        found = document if path is None else follow(document, path)
        if found is None and response.layout in _LISTS and not response.envelope:
            raise bad_response(self._place, f"null at {path or 'the top'}, which no envelope tells from an error")
        listing = await self._listing(document, path, keys)
        if listing is None:
            if response.layout is Layout.ARRAYS and self._header(document) is None:
                raise bad_response(self._place, f"no names of columns at {response.header}")
            hint = (
                " but nothing: where that means that there are none, set response.optional"
                if _is_nothing(found)
                else ""
            )
            raise bad_response(self._place, f"no {response.layout} at {path or 'the top'}{hint}")
        if self._sparse is not None:
            self._sparse.look(listing.rows)
        if response.layout in {Layout.MAP, Layout.ORDER}:
            return self._telling.sift_companies(listing)
        alone = response.layout is Layout.OBJECTS and path is None and isinstance(document, Mapping)
        return self._telling.sift(listing, alone=alone and not response.within)

    def identifier(self, document: object, path: str) -> str | None:
        """The identifier at a path, None where the agency has none there, and an envelope tells that from an error.

        Raises `AgencyFailure`.
        """
        found = follow(document, path)
        if (self._response.envelope and (found is None or found == "")) or (
            self._response.optional and _ends_early(document, path)
        ):
            return None
        if isinstance(found, bool) or not isinstance(found, str | int) or not _IDENTIFIER.fullmatch(str(found)):
            raise bad_response(self._place, f"no identifier at {path}")
        return str(found)

    def unknown_keys(self, document: object) -> frozenset[str]:
        """The keys that the agency says it does not know."""
        path = self._response.unknown.keys
        found = follow(document, path) if path else ()
        keys = [found] if isinstance(found, str) else found
        return frozenset(str(key) for key in keys) - {""} if isinstance(keys, list) else frozenset()

    def failures(self, keys: Collection[str]) -> Mapping[str, AgencyFailure]:
        """The failures of the companies with these keys, which have something else in the place of their rows."""
        return self._telling.failures(keys)

    async def _document(self, content: bytes) -> Any:  # noqa: ANN401
        response = self._response
        document = await self._sparse.read(content) if self._sparse else None
        if document is not None:
            return document
        document = await read_document(content, response.format, response.encoding)
        text = response.text
        if text is None:
            return document
        around, _, name = text.path.rpartition(".")
        place = follow(document, around) if around else document
        written = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(written, str) and written.strip():
            place[name] = await self._inner(written.strip(), text)
        return document

    async def _inner(self, written: str, text: InnerText) -> Any:  # noqa: ANN401
        if text.encoded is not None:
            try:
                content = base64.b64decode(written.translate(_NO_BREAKS), validate=True)
            except ValueError:
                raise bad_response(self._place, f"no {text.encoded} at {text.path}") from None
            return await read_document(content, text.format, self._response.encoding)
        # Whatever it declares, it was decoded with what is around it.
        found = await read_document(written.encode(), text.format, "utf-8")
        # Some write what is a text already as a text once more.
        return await read_document(found.encode(), text.format, "utf-8") if isinstance(found, str) else found

    def _judged(self, document: object) -> Said:
        """What the answer's own codes say. Raises `AgencyFailure` for one that means a failure."""
        response = self._response
        for envelope in response.envelope:
            code = envelope.code(document)
            if code in response.unknown.codes:
                return Said.UNKNOWN
            if code in response.none.codes:
                return Said.NOTHING
            if code in response.pending.codes:
                return Said.PENDING
            envelope.check(code, self._place)
        return Said.ROWS

    async def _listing(self, document: Any, path: str | None, keys: Sequence[str]) -> Listing | None:  # noqa: ANN401
        response = self._response
        found = document if path is None else follow(document, path)
        null_is_none = bool(response.envelope)
        match response.layout:
            case Layout.OBJECTS | Layout.MEMBERS:
                listed = found if response.layout is Layout.OBJECTS else members(found)
                return await list_rows(listed, None, response.within, self._key, null_is_none=null_is_none)
            case Layout.MAP | Layout.ORDER:
                companies = from_map(found) if response.layout is Layout.MAP else from_order(found, keys)
                if companies is None:
                    return None
                return await list_companies(companies, response.within, null_is_none=null_is_none)
            case Layout.ARRAYS:
                return from_arrays(self._header(document), found)
            case Layout.COLUMNS:
                return from_columns(found, self._telling.names)

    def _header(self, document: object) -> list[Any] | None:
        header = self._response.header
        found = follow(document, header) if isinstance(header, str) else list(header or ())
        if found is MISSING and isinstance(header, str):
            # Of columns that are described by objects, the path goes on within each.
            around, _, name = header.rpartition(".")
            listed = follow(document, around) if around else document
            found = [follow(each, name) for each in listed] if isinstance(listed, list) else MISSING
        return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def _ends_early(document: object, path: str | None) -> bool:
    """Whether the path leads to nothing because something on its way, or at its end, is null, empty, false or left out.

    None leads to the document.
    """
    for step in path.split(".") if path else ():
        inner = follow(document, step)
        if inner is MISSING or _is_nothing(inner):
            return isinstance(document, Mapping)
        document = inner
    return path is None and _is_nothing(document)


def _is_nothing(found: object) -> bool:
    """Whether this is how a language writes that there is nothing: PHP has false, and a list for an empty object."""
    return found is None or found is False or found in ("", [], {})
