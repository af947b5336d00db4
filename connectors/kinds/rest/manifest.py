"""What a manifest of the kind `rest` may say."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from connectors.documents import Encoding, Format
from connectors.envelope import Code, Envelope
from connectors.http_connection import HttpConnection
from connectors.kinds.rest.paging import LinkedPaging
from connectors.lane import OK, is_success
from connectors.manifest import DatasetManifest, Manifest, Name, Part, Within, short

KEY_MARK: Final = "{key}"

_STYLES: Final = {
    "query": {"single", "repeat", "comma"},
    "json": {"single", "comma", "list"},
    "form": {"single", "repeat", "comma"},
    "xml": {"single", "comma"},
}
"""How keys may go into the query, and into a body of each format."""

Encoded = Literal["base64"]
"""How a document is written as a text."""

Status = Annotated[int, Field(ge=200, le=599)]


class KeyPlace(Part):
    """Where the companies' keys go: one, a repeated parameter, one text with all of them, or a JSON list."""

    place: Literal["query", "body"] = Field(alias="in")
    name: Name | None = Field(
        default=None,
        description="Parameter, dotted path in a JSON body, or mark in an XML one; a list may be the body.",
    )
    style: Literal["single", "repeat", "comma", "list"] = "single"
    each: str | dict[str, Any] | None = Field(
        default=None, description="What stands for each key: a text, or an object of a list, with {key} in it."
    )
    separator: str = Field(default=",", max_length=20, description="comma: what stands between them.")
    text: Annotated[str, StringConstraints(pattern=r"\{key\}")] | None = Field(
        default=None, description="single, comma: what is sent instead of them: a text with {key} in it."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.text is not None and self.style not in {"single", "comma"}:
            raise ValueError("text: goes with style single or comma")
        if isinstance(self.each, dict) and self.style != "list":
            raise ValueError("each: an object goes with style list")
        if self.each is not None and KEY_MARK not in str(self.each):
            raise ValueError(f"each: has no {KEY_MARK}")
        if self.name is None and (self.style != "list" or self.place != "body"):
            raise ValueError("name: only a list can be the body itself")
        return self


class RestRequest(Part):
    """The call. `{key}` in the path is the company's key; otherwise `keys` says where they go."""

    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/[^?#\s]*$")]
    keys: KeyPlace | None = None
    query: dict[str, str] = Field(default_factory=dict, description="Constants of the query string.")
    body: dict[str, Any] = Field(default_factory=dict, description="Constants of the body.")
    format: Literal["json", "form"] = Field(default="json", description="What the body is.")
    field: Name | None = Field(
        default=None, description="The field of a form, or the member, that carries the whole body, as JSON in a text."
    )
    encoded: Encoded | None = Field(default=None, description="field: how that text is written.")
    xml: str | None = Field(
        default=None, max_length=20_000, description="Instead: an XML body, with a {mark} for each parameter in it."
    )
    encoding: Encoding = Field(default="utf-8", description="Of the body, and of the query's constants.")
    parameters: Literal["query", "body"] | None = Field(
        default=None,
        description="Where filters, pages and what is fresh go; by default with the keys, if they have a name.",
    )
    fresh: dict[Name, Name] = Field(
        default_factory=dict,
        description="Parameters that each call has anew: nonce, epochSeconds, epochMilliseconds, or for strftime.",
    )
    paging: LinkedPaging | None = None

    @property
    def body_format(self) -> Literal["json", "form", "xml"]:
        """What the body is, as far as parameters are put into it."""
        if self.xml is not None:
            return "xml"
        return "json" if self.field else self.format

    @property
    def has_members(self) -> bool:
        """Whether the body is an object of JSON, in UTF-8, into which more can be put."""
        json = self.method == "POST" and self.xml is None and self.format == "json" and self.encoding == "utf-8"
        is_list = self.keys is not None and self.keys.place == "body" and self.keys.name is None
        return json and (self.field is not None or not is_list)

    @property
    def in_body(self) -> bool:
        """Whether filters, pages and what is fresh go into the body."""
        with_keys = self.keys is not None and self.keys.place == "body" and self.keys.name is not None
        return with_keys if self.parameters is None else self.parameters == "body"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        keys = self.keys
        if (KEY_MARK in self.path) == (keys is not None):
            raise ValueError(f"needs {KEY_MARK} in path, or keys: one of them")
        in_body = self.in_body or (keys is not None and keys.place == "body")
        if self.method == "GET" and (self.body or in_body or self.xml is not None):
            raise ValueError("a GET has no body: set method to POST")
        if self.encoded is not None and self.field is None:
            raise ValueError("encoded: needs field, the place of what is encoded")
        if self.field is not None and (self.xml is not None or self.method == "GET"):
            raise ValueError("field: goes with a body in JSON or a form")
        if self.xml is not None and (self.body or "format" in self.model_fields_set):
            raise ValueError("xml: is the body already: leave body and format out")
        if keys is not None:
            self._check_keys(keys)
        if self.paging and self.paging.follows_links and self.method != "GET":
            raise ValueError("paging: links go with GET")
        try:
            f"{self.query} {self.body} {self.xml} {keys}".encode(self.encoding)
        except UnicodeEncodeError:
            raise ValueError(f"encoding: there are characters that {self.encoding} has not") from None
        return self

    def _check_keys(self, keys: KeyPlace) -> None:
        styles = _STYLES["query" if keys.place == "query" else self.body_format]
        if keys.style not in styles:
            raise ValueError(f"keys.style: {keys.style} does not go there, but {', '.join(sorted(styles))}")
        if keys.name is None and (self.body or self.in_body):
            raise ValueError("keys.name: where the list is the body, nothing else goes into it")
        if self.xml is not None and keys.place == "body" and f"{{{keys.name}}}" not in self.xml:
            raise ValueError(f"xml: has no {{{keys.name}}}")


class UnknownCompany(Part):
    """How the agency says that it does not know a company: HTTP statuses, envelope codes, or a list of keys."""

    status: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
    codes: tuple[Code, ...] = ()
    keys: Name | None = None


class NoRecords(Part):
    """How the agency says that it has no records of those asked for, other than by an empty list."""

    status: tuple[Annotated[int, Field(ge=201, le=499)], ...] = ()
    codes: tuple[Code, ...] = ()


class Pending(Part):
    """How the agency says that it is still at it: it is asked again, until there is an answer or no time is left."""

    status: tuple[Annotated[int, Field(ge=201, le=299)], ...] = ()
    codes: tuple[Code, ...] = ()
    every: float = Field(
        default=1.0, ge=0.1, le=60, description="Seconds until it is asked again, where its Retry-After does not say."
    )


class Layout(StrEnum):
    """How the rows lie in the answer."""

    OBJECTS = "objects"
    """A list of objects, or one object."""
    MAP = "map"
    """An object with a member for each company, by its key: an object, a list of them, or a bare value."""
    MEMBERS = "members"
    """An object whose members are the rows, whatever they are called (numbers, mostly); or a list of these."""
    ORDER = "order"
    """A list with an item for each key, in the order in which they were asked: as in a map."""
    ARRAYS = "arrays"
    """A list of lists, whose columns `header` names."""
    COLUMNS = "columns"
    """An object with a list for each column."""


class InnerText(Part):
    """A document that comes as a text within the answer: paths go on in it, as if it stood there itself."""

    path: Name
    format: Format = "json"
    encoded: Encoded | None = None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class RestResponse(Part):
    """Where the rows are in the answer."""

    format: Format = Field(default="json", description="What the answer is. In XML, paths begin within its root.")
    encoding: Encoding | None = Field(
        default=None, description="Of the answer, whatever its headers say; json: UTF-8 without it; xml: as declared."
    )
    text: Annotated[InnerText, short("path", InnerText | str)] | None = None
    rows: Within = Field(default=(), description="Path to the list, or to several. Default: the answer itself.")
    within: Within = Field(
        default=(), description="Path, in each object there, to the rows nested in it; or several, one in the other."
    )
    layout: Layout = Layout.OBJECTS
    header: Name | tuple[Name, ...] | None = Field(
        default=None, description="arrays: the columns' names, or the path to them."
    )
    optional: bool = Field(
        default=False, description="Without rows, what is around them may be null or left out of the answer."
    )
    envelope: Annotated[
        tuple[Envelope, ...], BeforeValidator(_as_list, json_schema_input_type=Envelope | tuple[Envelope, ...])
    ] = Field(default=(), description="One, or several.")
    status: tuple[Status, ...] = Field(
        default=(), description="Besides 200: with which an answer comes as well; if no success, one for the envelope."
    )
    unknown: UnknownCompany = Field(default_factory=UnknownCompany)
    none: NoRecords = Field(default_factory=NoRecords)
    pending: Pending = Field(default_factory=Pending)

    @property
    def read(self) -> frozenset[int]:
        """The statuses with which a document comes."""
        return frozenset({OK, *self.status})

    @property
    def is_plain(self) -> bool:
        """Whether an answer is JSON with one list of rows that are objects, and none of it a text in which more is."""
        in_utf8 = self.format == "json" and self.encoding in {None, "utf-8"} and self.text is None
        return in_utf8 and self.layout is Layout.OBJECTS and not self.within and len(self.rows) <= 1

    @property
    def statuses(self) -> frozenset[int]:
        """Those that are no failure by themselves."""
        return self.read.union(self.unknown.status, self.none.status, self.pending.status)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        codes = self.unknown.codes or self.none.codes or self.pending.codes
        if (codes or not all(map(is_success, self.status))) and not self.envelope:
            raise ValueError("codes (of unknown, none, pending) and a status that is no success need an envelope")
        if self.optional and not self.envelope:
            raise ValueError("optional: needs an envelope, by which no rows are told from an error")
        if len(self.rows) > 1 and self.layout is not Layout.OBJECTS:
            raise ValueError("rows: several lists go with layout objects")
        if (self.layout is Layout.ARRAYS) != (self.header is not None):
            raise ValueError("header: goes with layout arrays, which needs it")
        if self.within and self.layout in {Layout.ARRAYS, Layout.COLUMNS}:
            raise ValueError(f"within: does not go with layout {self.layout}")
        if self.unknown.keys and self.layout is Layout.ORDER:
            raise ValueError("unknown.keys: in the layout order each key has its item")
        return self


class Lookup(Part):
    """A call before the others, by which the agency tells the identifier of its own that it has for a company."""

    request: RestRequest
    id: Name = Field(description="Path to the identifier. Where there is nothing, the company is not known.")
    response: RestResponse = Field(default_factory=RestResponse)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.request.paging is not None:
            raise ValueError("request.paging: a lookup has one answer")
        return self


class RestDataset(DatasetManifest):
    """A dataset behind an HTTP call."""

    lookup: Lookup | None = Field(
        default=None,
        description="What is asked first: its answer's identifier stands for the company's key in request.",
    )
    request: RestRequest
    response: RestResponse = Field(default_factory=RestResponse)

    @property
    def is_idempotent(self) -> bool:
        """What the manifest says, or else whether it is made of GETs (RFC 9110, section 9.2.2)."""
        requests = (self.request, self.lookup.request) if self.lookup else (self.request,)
        return all(one.method == "GET" for one in requests) if self.idempotent is None else self.idempotent

    @property
    def read_around(self) -> frozenset[str]:
        """The paths of what is read in answers beside their rows."""
        paging = self.request.paging.read if self.request.paging else ()
        envelope = (one.path for one in self.response.envelope)
        paths = (*paging, *envelope, self.response.unknown.keys, self.as_of.path if self.as_of else None)
        return frozenset(path for path in paths if path)

    @property
    def keyed_by_place(self) -> bool:
        """Whether an answer tells by their place in it whose rows are."""
        return self.response.layout in {Layout.MAP, Layout.ORDER}

    @model_validator(mode="after")
    def _possible(self) -> Self:
        single = self.request.keys is None or self.request.keys.style == "single"
        unknown, none = self.response.unknown, self.response.none
        if self.batch > 1 and single:
            raise ValueError("batch: keys need style repeat, comma or list to carry several companies")
        if self.batch > 1 and self.key.path is None and not self.keyed_by_place:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        if self.key.path is not None and self.keyed_by_place:
            raise ValueError("key.path: the layout tells whose a row is")
        if self.batch > 1 and (unknown.status or unknown.codes):
            raise ValueError("response.unknown: a status or code cannot tell which company of a batch is unknown")
        if self.lookup is not None and (self.batch > 1 or self.keyed_by_place or unknown.keys):
            raise ValueError("lookup: goes with one company a call, and no keys in its answer")
        if self.request.paging and self.response.layout is Layout.ORDER:
            raise ValueError("request.paging: does not go with layout order")
        means: tuple[UnknownCompany | NoRecords | Pending, ...] = (unknown, none, self.response.pending)
        if any(
            _share(one.codes, other.codes) or _share(one.status, other.status) for one, other in combinations(means, 2)
        ):
            raise ValueError("response: unknown, none and pending share a code or status")
        return self


def _share(some: Sequence[object], others: Sequence[object]) -> bool:
    return not set(some).isdisjoint(others)


class RestManifest(Manifest):
    """An agency that is asked by HTTP calls."""

    can_forward: ClassVar[bool] = True

    kind: Literal["rest"]
    connection: HttpConnection
    datasets: tuple[RestDataset, ...] = Field(min_length=1)
