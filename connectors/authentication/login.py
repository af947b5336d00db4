"""Logging in as the page of an agency's system does: a call of its own gives a token, or sets a cookie, that the others
carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from connectors.authentication.contract import FORM
from connectors.authentication.place import BEARER, Place
from connectors.authentication.token import Refusal, TokenAuthenticator, token_document
from connectors.http import bad_response, refuse_status
from connectors.lane import OK, Lane, LaneAnswer
from connectors.manifest import Name, Part, Reference
from connectors.outgoing import Outgoing, write_json
from connectors.paths import follow, put
from connectors.secret import FILE, Secret

_JSON: Final = "application/json"
_REDIRECTS: Final = frozenset({302, 303})
"""By which a form is answered whose page goes on to another (RFC 9110, sections 15.4.3 and 15.4.4)."""

_COOKIE: Final = re.compile(r"\s*([^=;\s]+)=([^;]*)")
"""Name and value at the beginning of `Set-Cookie` (RFC 6265, section 4.1.1)."""


class Login(Part):
    """A call that gives what the others carry: a token in its answer, or a cookie."""

    scheme: Literal["login"]
    url: Reference = Field(description="Where to log in, by reference: ${NAME}.")
    method: Literal["GET", "POST"] = "POST"
    format: Literal["json", "form"] = Field(default="json", description="What the body of a POST is.")
    parameters: dict[Name, str] = Field(
        description="What is sent: of a GET in the query, in JSON at dotted paths. Secrets by reference."
    )
    token: Name | None = Field(default=None, description="Path to the token in the answer, which is JSON.")
    expires: Name | None = Field(default=None, description="token: path to the seconds for which it is good.")
    cookie: Name | None = Field(default=None, description="In its place: the name of the cookie that is set.")
    seconds: float | None = Field(default=None, gt=0, description="How long it is good, where the answer does not say.")
    sent: Place = Field(default=BEARER, description="token: where requests carry it.")
    refused: Refusal = Field(default=Refusal(), description="How the agency says that it does not take it any more.")

    _for_tokens: ClassVar = ("expires", "sent")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.token is None) == (self.cookie is None):
            raise ValueError("needs token or cookie: one of them")
        told = [name for name in self._for_tokens if name in self.model_fields_set and self.token is None]
        if told:
            raise ValueError(f"{told[0]}: goes with token")
        if not any("${" in value or value.startswith(FILE) for value in self.parameters.values()):
            raise ValueError("parameters: none of them is a secret: that is ${NAME}, or file: and a path")
        return self

    @property
    def place(self) -> Place:
        """Where requests carry it."""
        return self.sent if self.cookie is None else Place.model_validate({"name": "Cookie", "prefix": ""})

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return self.place.headers


class LoginAuthenticator(TokenAuthenticator):
    """Logs in."""

    def __init__(self, settings: Login, lane: Lane, path: str, timeout: float) -> None:
        """As in `TokenAuthenticator`; `path` is that of the address."""
        super().__init__(lane, settings.place, settings.refused, timeout)
        self._settings = settings
        self._path = path or "/"
        self._parameters = {
            name: Secret(f"auth.parameters.{name}", value) for name, value in settings.parameters.items()
        }

    async def request(self) -> Outgoing:
        """As in `TokenAuthenticator`."""
        settings = self._settings
        values = {name: await secret.value() for name, secret in self._parameters.items()}
        if settings.method == "GET":
            return Outgoing("GET", self._path, urlencode(values), {}, b"")
        body, media_type = (urlencode(values), FORM) if settings.format == "form" else (_as_json(values), _JSON)
        return Outgoing("POST", self._path, "", {"Content-Type": media_type}, body.encode())

    async def token_in(self, answer: LaneAnswer) -> tuple[object, object]:
        """As in `TokenAuthenticator`."""
        settings = self._settings
        if settings.cookie is not None and answer.status in {OK, *_REDIRECTS}:
            return _cookie(answer.cookies, settings.cookie), settings.seconds
        if answer.status != OK or settings.token is None:
            refuse_status("token", answer.status, answer.retry_after)
        document = await token_document(answer)
        seconds = follow(document, settings.expires) if settings.expires else settings.seconds
        return follow(document, settings.token), seconds


def _as_json(values: Mapping[str, str]) -> str:
    document: dict[str, Any] = {}
    for name, value in values.items():
        put(document, name, value)
    return write_json(document)


def _cookie(cookies: Iterable[str], name: str) -> str:
    """The cookie of this name, as requests carry it: the last one that was set. Raises `AgencyFailure`."""
    found = [match for match in map(_COOKIE.match, cookies) if match is not None and match[1] == name and match[2]]
    if not found:
        raise bad_response("token", "no cookie of that name was set")
    return f"{name}={found[-1][2].strip()}"
