"""Requests as a manifest prescribes them: keys, filters and pages in the path, in the query or in a body."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import msgspec

from connectors.authentication.contract import FORM
from connectors.contract import SourceCall
from connectors.dates import CHINA_TIME, EPOCH_FORMATS
from connectors.http import HttpRequest
from connectors.kinds.rest.manifest import KEY_MARK, KeyPlace, RestRequest
from connectors.manifest import Filter
from connectors.outgoing import write_json
from connectors.paging import Position
from connectors.paths import put
from connectors.xml_body import ENCODINGS

Parameter = tuple[str, Any]
"""A name, and a text, a number or a list."""

_MEDIA_TYPES: Final = {
    "json": "application/json",
    "form": FORM,
    "xml": "application/xml",
}

NONCE: Final = "nonce"
"""The form of a parameter that has 32 hexadecimal digits."""


class Written(msgspec.Struct, frozen=True):
    """A request, and the bytes of its body with the headers that go with them."""

    request: HttpRequest
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class RequestWriter:
    """How requests are written. `typed` tells that the connection says what bodies are, `idempotent` that they may be
    sent twice.
    """

    def __init__(self, request: RestRequest, filters: Mapping[str, Filter], *, typed: bool, idempotent: bool) -> None:
        self._request = request
        self._idempotent = idempotent
        self._filters = filters
        self.place = f"{request.method} {request.path}"
        # What Python calls it is what it reads as: there it says no byte order mark.
        self._encoding = ENCODINGS[request.encoding].removesuffix("-sig")
        self._headers = {} if typed else {"Content-Type": self._media_type()}
        self._marks = re.compile("|".join(re.escape(f"{{{name}}}") for name in _names(request, filters)))

    def write(self, call: SourceCall, position: Position) -> Written:
        """The request for these companies, and for this page of them."""
        request = self._request
        if position.target is not None:
            path, _, query = position.target.partition("?")
            return Written(
                HttpRequest(
                    self.place,
                    "GET",
                    path,
                    query,
                    asker=call.asker,
                    idempotent=self._idempotent,
                    at_root=True,
                )
            )
        in_query: list[Parameter] = list(request.query.items())
        in_body: list[Parameter] = []
        keys = request.keys
        if keys is not None:
            (in_query if keys.place == "query" else in_body).extend(_keys(keys, call.keys))
        others = in_body if request.in_body else in_query
        others.extend(
            (wanted.name, wanted.write(call.filters[name]))
            for name, wanted in self._filters.items()
            if name in call.filters
        )
        others.extend(position.parameters.items())
        others.extend((name, fresh_value(form)) for name, form in request.fresh.items())
        sent = HttpRequest(
            self.place,
            request.method,
            self.path(call.keys[0]),
            urlencode([(name, str(value)) for name, value in in_query], encoding=self._encoding) if in_query else "",
            asker=call.asker,
            idempotent=self._idempotent,
        )
        return Written(sent, self._headers, self._body(in_body)) if request.method == "POST" else Written(sent)

    def path(self, key: str) -> str:
        """The path, with the company's key where it is part of it."""
        path = self._request.path
        return path.replace(KEY_MARK, quote(key, safe="")) if KEY_MARK in path else path

    def _media_type(self) -> str:
        request = self._request
        kind = "xml" if request.xml is not None else request.format
        plain = request.encoding == "utf-8" and kind != "xml"
        return _MEDIA_TYPES[kind] if plain else f"{_MEDIA_TYPES[kind]}; charset={request.encoding}"

    def _body(self, parameters: Sequence[Parameter]) -> bytes:
        request = self._request
        match request.body_format:
            case "xml":
                return self._xml(request.xml or "", parameters).encode(self._encoding)
            case "form":
                constants = [(name, _as_field(value)) for name, value in request.body.items()]
                fields = [(name, str(value)) for name, value in parameters]
                return urlencode([*constants, *fields], encoding=self._encoding).encode()
            case _:
                text = write_json(_json_body(request.body, parameters))
                if request.field is None:
                    return text.encode(self._encoding)
                if request.encoded is not None:
                    text = base64.b64encode(text.encode(self._encoding)).decode()
                if request.format == "form":
                    return urlencode({request.field: text}, encoding=self._encoding).encode()
                return write_json({request.field: text}).encode(self._encoding)

    def _xml(self, template: str, parameters: Sequence[Parameter]) -> str:
        """The template with each parameter in place of its mark; marks of those that are not sent are left empty."""
        keys = self._request.keys
        own = keys.name if keys is not None and keys.place == "body" else None
        # What stands for keys is XML of the manifest's own.
        texts = {f"{{{name}}}": str(value) if name == own else escape(str(value)) for name, value in parameters}
        return self._marks.sub(lambda mark: texts.get(mark[0], ""), template)


def _names(request: RestRequest, filters: Mapping[str, Filter]) -> frozenset[str]:
    """Those of all the parameters that there may be."""
    own = request.keys.name if request.keys else None
    paging = request.paging.parameters if request.paging else ()
    return frozenset([*(wanted.name for wanted in filters.values()), *paging, *request.fresh, *([own] if own else [])])


def fresh_value(form: str) -> str:
    """A word that is used once, or this moment in China's time."""
    if form == NONCE:
        return secrets.token_hex(16)
    now = datetime.now(CHINA_TIME)
    unit = EPOCH_FORMATS.get(form)
    return now.strftime(form) if unit is None else str(int(now.timestamp() * unit))


def _keys(place: KeyPlace, keys: Sequence[str]) -> list[Parameter]:
    """The parameters that carry the keys; the name of a list that is the body itself is empty."""
    name = place.name or ""
    values = list(keys) if place.each is None else [_filled(place.each, key) for key in keys]
    match place.style:
        case "list":
            return [(name, values)]
        case "repeat":
            return [(name, value) for value in values]
        case _:
            text = place.separator.join(values) if place.style == "comma" else values[0]
            return [(name, text if place.text is None else place.text.replace(KEY_MARK, text))]


def _filled(template: Any, key: str) -> Any:  # noqa: ANN401  (as it stands in the manifest)
    if isinstance(template, str):
        return template.replace(KEY_MARK, key)
    if isinstance(template, dict):
        return {name: _filled(inner, key) for name, inner in template.items()}
    return [_filled(inner, key) for inner in template] if isinstance(template, list) else template


def _json_body(constants: Mapping[str, Any], parameters: Sequence[Parameter]) -> Any:  # noqa: ANN401  (JSON)
    document = dict(constants)
    for name, value in parameters:
        if not name:
            return value
        put(document, name, value)
    return document


def _as_field(value: object) -> str:
    return value if isinstance(value, str) else write_json(value)
