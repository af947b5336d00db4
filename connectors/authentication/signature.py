"""Signatures by template: a declared text over the request, digested with a secret, as the agency's manual says."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self
from urllib.parse import parse_qsl, quote

from cryptography.hazmat.primitives import hashes, hmac
from pydantic import Field, model_validator

from connectors.authentication.contract import FORM, Fixed
from connectors.authentication.place import Place
from connectors.dates import CHINA_TIME, EPOCH_FORMATS
from connectors.manifest import Name, Part, SecretReference
from connectors.outgoing import Outgoing, write_json
from connectors.paths import MISSING, follow
from connectors.secret import Secret

_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sm3": hashes.SM3,
}
_HMAC: Final = "hmac-"
_MARK: Final = re.compile(r"(?<!\$)\{(\w+(?:\.[\w.-]+)?)\}")
_MEMBER: Final = "body."
"""How the mark of a member of the body begins."""

_MARKS: Final = frozenset(
    {"method", "path", "query", "plainQuery", "bareQuery", "body", "bodyDigest", "timestamp", "nonce", "secret"}
)

HashName = Literal["md5", "sha1", "sha256", "sm3"]
Encoding = Literal["hex", "HEX", "base64"]


class Digest(Part):
    """A digest of the body, and the header that carries it, where one does."""

    algorithm: HashName = "sha256"
    encoding: Encoding = "hex"
    sent: Place | None = None


class Timestamp(Place):
    """The moment of the request, in China's time."""

    format: Name = Field(default="epochSeconds", description="epochSeconds, epochMilliseconds, or for strftime.")

    def write(self, now: datetime) -> str:
        """The moment as the agency writes it."""
        unit = EPOCH_FORMATS.get(self.format)
        return now.astimezone(CHINA_TIME).strftime(self.format) if unit is None else str(int(now.timestamp() * unit))


class Signature(Part):
    """A text over the request, and how it is digested with the secret.

    MD5 and SHA-1 are there for systems that know nothing better: what protects such calls is TLS.
    """

    scheme: Literal["signature"]
    algorithm: Literal["hmac-md5", "hmac-sha1", "hmac-sha256", "hmac-sm3", "md5", "sha1", "sha256", "sm3"]
    secret: SecretReference
    text: str = Field(
        min_length=1,
        max_length=2000,
        description="With {method}, {path}, {query} (with a form's fields; sorted, encoded), {plainQuery} (decoded), "
        "{bareQuery} (without = and &), {body}, {body.a.b} (a member of it), {bodyDigest}, {timestamp}, {nonce} and "
        "{secret}.",
    )
    encoding: Encoding = "hex"
    sent: Place = Field(description="Where the signature goes.")
    parameters: dict[str, str] = Field(
        default_factory=dict,
        description="Parameters that are added to the query, the form or the body first: whose the secret is.",
    )
    body: Digest = Field(default=Digest(), description="How the body is digested.")
    timestamp: Timestamp | None = None
    nonce: Place | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        marks = {mark for mark in _MARK.findall(self.text) if not mark.startswith(_MEMBER)}
        if marks - _MARKS:
            raise ValueError(f"text: no such mark: {', '.join(sorted(marks - _MARKS))}")
        if "secret" not in marks and not self.algorithm.startswith(_HMAC):
            raise ValueError(f"text: {self.algorithm} has no key, so the text needs {{secret}}")
        for name, part in (("timestamp", self.timestamp), ("nonce", self.nonce)):
            if name in marks and part is None:
                raise ValueError(f"text: has {{{name}}}: say where the {name} is sent")
        return self

    @property
    def places(self) -> Mapping[str, Place]:
        """Everything that it puts into requests, by its key."""
        found = {"sent": self.sent, "timestamp": self.timestamp, "nonce": self.nonce, "body.sent": self.body.sent}
        return {key: place for key, place in found.items() if place is not None}

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return frozenset[str]().union(*(place.headers for place in self.places.values()))


@dataclass(frozen=True, slots=True)
class Moment:
    """What makes a request unlike any other: when it is made, and a word that is used once."""

    now: datetime
    nonce: str


def this_moment() -> Moment:
    """Now, and a new nonce of 32 hexadecimal digits."""
    return Moment(datetime.now(CHINA_TIME), secrets.token_hex(16))


class SignatureAuthenticator(Fixed):
    """Signs each request."""

    def __init__(self, signature: Signature, moment: Callable[[], Moment] = this_moment) -> None:
        """Raises `AddressInvalid`."""
        self._signature = signature
        self._secret = Secret("auth.secret", signature.secret)
        self._moment = moment
        for key, place in signature.places.items():
            place.check(f"auth.{key}")

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:  # noqa: ARG002  (part of `Authenticator`)
        """As in `Authenticator`."""
        signature, secret, moment = self._signature, await self._secret.value(), self._moment()
        places = {place.place for place in signature.places.values()}
        for name, value in signature.parameters.items():
            request = _with_parameter(request, name, value, places)
        timestamp = signature.timestamp.write(moment.now) if signature.timestamp else ""
        if signature.timestamp:
            request = signature.timestamp.put(request, timestamp)
        if signature.nonce:
            request = signature.nonce.put(request, moment.nonce)
        digest = _encoded(_digest(signature.body.algorithm, request.body), signature.body.encoding)
        if signature.body.sent:
            request = signature.body.sent.put(request, digest)
        pairs = sorted(parse_qsl(request.query, keep_blank_values=True) + _fields(request, places))
        values = {
            "method": request.method,
            "path": request.path,
            "query": "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs),
            "plainQuery": "&".join(f"{name}={value}" for name, value in pairs),
            "bareQuery": "".join(name + value for name, value in pairs),
            "body": request.body.decode(errors="replace"),
            "bodyDigest": digest,
            "timestamp": timestamp,
            "nonce": moment.nonce,
            "secret": secret,
        }
        members = request.members() if _MEMBER in signature.text else {}

        def value_of(mark: re.Match[str]) -> str:
            path = mark[1].removeprefix(_MEMBER)
            return values[mark[1]] if path == mark[1] else _written(follow(members, path))

        text = _MARK.sub(value_of, signature.text).encode()
        return signature.sent.put(request, _encoded(_signed(signature.algorithm, secret, text), signature.encoding))


def _with_parameter(request: Outgoing, name: str, value: str, places: Collection[str]) -> Outgoing:
    if "body" in places:
        return request.with_member(name, value)
    return request.with_field(name, value) if "form" in places else request.with_parameter(name, value)


def _fields(request: Outgoing, places: Collection[str]) -> list[tuple[str, str]]:
    """What is signed beside the query: the fields of a form; the members of a body into which the signature goes."""
    if "body" in places:
        return [(name, _written(value)) for name, value in request.members().items()]
    if "form" in places or request.headers.get("Content-Type", "").startswith(FORM):
        return parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
    return []


def _written(member: object) -> str:
    """A member of a body as it is signed: a text as it is, anything else as the JSON that is sent."""
    if member is None or member is MISSING:
        return ""
    return member if isinstance(member, str) else write_json(member)


def _signed(algorithm: str, secret: str, text: bytes) -> bytes:
    if not algorithm.startswith(_HMAC):
        return _digest(algorithm, text)
    keyed = hmac.HMAC(secret.encode(), _HASHES[algorithm.removeprefix(_HMAC)]())
    keyed.update(text)
    return keyed.finalize()


def _digest(algorithm: str, content: bytes) -> bytes:
    digest = hashes.Hash(_HASHES[algorithm]())
    digest.update(content)
    return digest.finalize()


def _encoded(digest: bytes, encoding: Encoding) -> str:
    match encoding:
        case "hex":
            return digest.hex()
        case "HEX":
            return digest.hex().upper()
        case "base64":
            return base64.b64encode(digest).decode()
