"""The manifest: how an agency describes its system and its datasets. What all kinds of system share.

Each kind adds its own connection and request in `connectors.kinds`. The models check the form; what needs the canonical
record types is in `connectors.manifest_checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from connectors.contract import DEFAULT_PRECEDENCE, Asker, KeyKind
from connectors.dates import CHINA_TIME, EPOCH_FORMATS, NUMBER_FORMATS, read_date, read_moment
from connectors.expressions import compile_expression
from connectors.keys import Spelling
from connectors.kindness.declared import Treatment
from connectors.own_record import OwnRecord
from connectors.text import Unmappable

_DATE_PARTS: Final = (("%Y", "%y"), ("%m", "%b", "%B"), ("%d",))

_VISIBLE: Final = "!#$&'()*+,/:;=?@[]"
"""What stands in a header as it is, beside letters, digits and what `quote` never touches."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reference = Annotated[str, StringConstraints(pattern=r"\$\{[A-Z][A-Z0-9_]*\}")]
"""Text with a `${NAME}` in it that is read from the environment: addresses and secrets are never in the manifest."""

SecretReference = Annotated[str, StringConstraints(pattern=r"^file:.|\$\{[A-Z][A-Z0-9_]*\}")]
"""A secret: `${NAME}`, or `file:` and the path of a file that holds it alone. The variable may name a file as well."""


DIRECTORY: Final = "directory"
"""In the context of the validation: where the manifest's file is."""


def _beside(name: str, info: ValidationInfo) -> str:
    path = (info.context or {}).get(DIRECTORY, Path()) / name
    if not path.is_file():
        raise ValueError("there is no such file beside the manifest")
    return str(path)


FileBeside = Annotated[str, StringConstraints(pattern=r"^[^/\x00][^\x00]*$"), AfterValidator(_beside)]
"""A file's path from the directory of the manifest; read as its path from here."""


def short(key: str, written: Any) -> BeforeValidator:  # noqa: ANN401  (a type, as pydantic takes it)
    """Text alone stands for an object that has only `key`."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value, json_schema_input_type=written
    )


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Within = Annotated[tuple[Name, ...], BeforeValidator(_listed, json_schema_input_type=Name | tuple[Name, ...])]
"""Paths, each in the objects at the one before; text alone stands for one of them."""


def _checked_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    for text in formats:
        complete = all(any(directive in text for directive in part) for part in _DATE_PARTS)
        if text not in NUMBER_FORMATS and not complete:
            words = ", ".join(NUMBER_FORMATS)
            raise ValueError(f"{text!r} is neither a strptime format with year, month and day nor one of {words}")
    return formats


DateFormats = Annotated[tuple[str, ...], AfterValidator(_checked_formats)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


Texts = dict[Name, Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_listed)]]
"""By column or path, texts that may stand there; the empty one stands for nothing."""


class MissingMeans(StrEnum):
    """What an agency means by leaving a company of a batch out of its answer.

    It has no records, is not known to the agency, or the agency failed to answer for it.
    """

    NONE = "none"
    UNKNOWN = "unknown"
    ERROR = "error"


def _compiled(text: str) -> str:
    compile_expression(text)
    return text


Expression = Annotated[str, StringConstraints(min_length=1), AfterValidator(_compiled)]
"""A JMESPath expression (`connectors.expressions`)."""


class Part(BaseModel):
    """What every part of a manifest has in common: nothing unknown in it, and it never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    def read_once(self) -> Iterator[Path]:
        """The files that this part names, its references resolved, that are read when the agency is opened and not
        looked at again. Blocks.
        """
        yield from ()


class Names(Part):
    """The agency's name in both languages."""

    en: Name
    zh: Name


class Key(Part):
    """The column or path that holds the company's code, and how a code is written when the agency is asked."""

    path: Name | None = Field(
        default=None, description="Column or path in the rows. Without it every row is the asked company's."
    )
    kind: KeyKind = Field(
        default=KeyKind.CREDIT_CODE, description="The identifier by which the agency knows a company."
    )
    spellings: Annotated[tuple[Spelling, ...], Field(min_length=1)] = Field(
        default=(Spelling.UPPER,),
        description="How the code is written in what is sent; with a batch, all of them are sent.",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        codes = (KeyKind.CREDIT_CODE, KeyKind.ORGANISATION_CODE)
        possible = tuple(Spelling) if self.kind in codes else (Spelling.UPPER, Spelling.LOWER)
        for spelling in self.spellings:
            if spelling not in possible[: 1 if self.kind is KeyKind.NAME else None]:
                raise ValueError(f"spellings: a {self.kind.value} has no spelling {spelling.value}")
        return self


class Coverage(Part):
    """Which companies the dataset is about. `registered`: those registered in the divisions by the authorities, as
    entities of the categories.
    """

    registered: bool = False
    divisions: tuple[Annotated[str, StringConstraints(pattern=r"^(\d{2}|\d{4}|\d{6})$")], ...] = ()
    authorities: tuple[Annotated[str, StringConstraints(pattern=r"^[1-9ANY]$")], ...] = ()
    categories: tuple[Annotated[str, StringConstraints(pattern=r"^[1-9ANY][1-9]$")], ...] = Field(
        default=(), description="The first two characters of credit codes: authority and category."
    )


class AsOf(Part):
    """The agency's own date of its data: exactly one of `places`."""

    places: ClassVar[tuple[str, ...]] = ("path", "column", "constant")

    path: Name | None = Field(default=None, description="From the top of the answer.")
    column: Name | None = Field(default=None, description="In the rows: the latest of the company's rows counts.")
    constant: Name | None = None
    formats: DateFormats = Field(
        default=(), description="strptime formats, epochSeconds, epochMilliseconds or excelDays."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, place) is not None for place in self.places) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.places[:-1])} and {self.places[-1]}")
        if self.constant is not None:
            read_moment(self.constant, self.formats)
        return self


class Filter(Part):
    """An argument that the agency applies itself: its own name for it, and how it writes dates there."""

    name: Name
    format: str | None = Field(
        default=None, description="strptime format, epochSeconds or epochMilliseconds; ISO 8601 without it."
    )
    type: str = Field(default="String", description="graphql: the type of the variable.")

    def write(self, day: date) -> str:
        """The date as the agency writes it in this parameter."""
        if self.format in EPOCH_FORMATS:
            return str(int(datetime.combine(day, time(), CHINA_TIME).timestamp()) * EPOCH_FORMATS[self.format])
        return day.strftime(self.format) if self.format else day.isoformat()


class CodeEntry(Part):
    """What an agency's code stands for."""

    code: Name
    label: Name | None = None


class CurrencyColumn(Part):
    """The currency, where the agency writes it in a column of its own."""

    path: Name
    codes: dict[str, Currency] = Field(default_factory=dict, description="The agency's word -> ISO 4217.")


class FieldMapping(Part):
    """How one canonical field is filled from a row."""

    path: Name | None = None
    first: tuple[Name, ...] = Field(default=(), description="Several columns: the first that has something.")
    join: tuple[Name, ...] = Field(default=(), description="Several columns as one text.")
    with_: str = Field(default="", alias="with", description="What stands between the joined texts.")
    jmespath: Expression | None = Field(
        default=None, description="An expression over the row, for what no path can say."
    )
    const: str | int | float | bool | None = Field(default=None, description="The same value always.")
    default: str | int | float | bool | None = Field(
        default=None, description="The value where the agency has nothing."
    )
    none: tuple[str, ...] = Field(default=(), description="Further texts, and dates, that mean nothing.")
    formats: DateFormats = Field(
        default=(), description="strptime formats, epochSeconds, epochMilliseconds or excelDays."
    )
    unit: Literal["分", "角", "元", "千元", "万元", "百万元", "亿元"] | None = Field(
        default=None, description="What the number counts."
    )
    currency: Currency | CurrencyColumn | None = None
    scale: Annotated[Decimal, Field(gt=0, le=1_000_000)] | None = Field(
        default=None, description="What the number is multiplied by, unless it has a percent sign."
    )
    codes: dict[str, CodeEntry | str | StrictBool] | None = Field(default=None, description="The agency's code table.")
    label: Name | None = Field(default=None, description="Path of the code's label.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        ways = (self.path is not None, bool(self.first), bool(self.join), self.jmespath, self.const is not None)
        if sum(map(bool, ways)) != 1:
            raise ValueError("needs exactly one of path, first, join, jmespath and const")
        return self

    def paths(self, *, nested: bool) -> frozenset[str]:
        """The agency's columns that the field is read from; with `nested`, the paths."""
        currency = self.currency.path if isinstance(self.currency, CurrencyColumn) else None
        named = frozenset(path for path in (self.path, *self.first, *self.join, self.label, currency) if path)
        if self.jmespath is None:
            return named
        expression = compile_expression(self.jmespath)
        return named | (expression.places if nested else expression.columns)

    def no_dates(self) -> frozenset[date]:
        """Those of `none` that are dates."""
        found = set()
        for text in self.none:
            try:
                found.add(read_date(text))
            except Unmappable:
                continue
        return frozenset(day for day in found if day)


class DatasetManifest(Part):
    """One dataset, as far as all kinds share it."""

    can_filter: ClassVar[bool] = True
    can_search: ClassVar[bool] = True
    any_spelling: ClassVar[bool] = False
    """Whether a look-up finds a key in any spelling, so that only its kinds matter."""
    idempotent_by_nature: ClassVar[bool] = False
    """Whether calls of this kind change nothing at the agency, however often they are made."""

    record: Name = Field(description="The canonical record type.")
    key: Annotated[Key, short("path", Key | str)] = Field(default_factory=Key)
    batch: int = Field(default=1, ge=1, le=10_000, description="Most companies a call may carry.")
    missing_means: MissingMeans | None = Field(
        default=None,
        alias="missingMeans",
        description="What it means that a company of a batch is absent from the answer.",
    )
    coverage: Coverage = Field(default_factory=Coverage)
    precedence: int = Field(
        default=DEFAULT_PRECEDENCE,
        ge=1,
        le=1_000,
        description="Of a single record with several suppliers: the one with the lowest number is shown.",
    )
    time_to_live: float = Field(
        default=0, alias="timeToLive", ge=0, le=86_400, description="Seconds that rows may be kept."
    )
    negative_time_to_live: float | None = Field(
        default=None,
        alias="negativeTimeToLive",
        ge=0,
        le=86_400,
        description="The same of companies that have no rows or are unknown, if other than timeToLive.",
    )
    stale_if_error: float = Field(
        default=0,
        alias="staleIfError",
        ge=0,
        le=604_800,
        description="For how many seconds longer kept rows stand in, as STALE, where the agency fails.",
    )
    shared: bool = Field(default=False, description="Whether kept rows may serve other organisations.")
    coalesce: bool = Field(
        default=True, description="With a batch: whether one call may carry the companies of several requests."
    )
    idempotent: bool | None = Field(
        default=None, description="Whether a call may be repeated: it changes nothing at the agency, and costs nothing."
    )
    row_limit: int = Field(default=10_000, alias="rowLimit", ge=1, le=1_000_000, description="Most rows of one call.")
    as_of: AsOf | None = Field(default=None, alias="asOf")
    only: Texts = Field(default_factory=dict, description="Rows count that have one of the texts at each of the paths.")
    other: Texts = Field(
        default_factory=dict, alias="except", description="Rows do not count that have one of the texts there."
    )
    filters: dict[str, Annotated[Filter, short("name", Filter | str)]] = Field(
        default_factory=dict, description="Argument -> the agency's parameter."
    )
    fields: dict[str, Annotated[FieldMapping, short("path", FieldMapping | str)]] = Field(
        min_length=1, description="Canonical field -> column, path or mapping."
    )

    @property
    def is_idempotent(self) -> bool:
        """Whether a call may be repeated: what the manifest says, or else the nature of the call."""
        return self.idempotent_by_nature if self.idempotent is None else self.idempotent

    @property
    def nested(self) -> bool:
        """Whether paths lead into nested objects; otherwise a path is one column's name."""
        return True

    def paths(self) -> frozenset[str]:
        """The agency's columns or paths that are read of rows, but for the key and the date of the data."""
        return self.chosen_by.union(*(mapping.paths(nested=self.nested) for mapping in self.fields.values()))

    @property
    def control_paths(self) -> frozenset[str]:
        """Those by which it is told whose a row is, and of when its data are."""
        paths = (self.key.path, self.as_of.column if self.as_of else None)
        return frozenset(path for path in paths if path)

    @property
    def read_around(self) -> frozenset[str]:
        """The paths of what is read in answers beside their rows."""
        return frozenset()

    @property
    def chosen_by(self) -> frozenset[str]:
        """The columns or paths by which it is told whether a row counts."""
        return frozenset([*self.only, *self.other])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch > 1 and self.missing_means is None:
            raise ValueError("missingMeans is required with a batch: say none, unknown or error")
        if not self.time_to_live and (self.negative_time_to_live or self.stale_if_error):
            raise ValueError("negativeTimeToLive, staleIfError: need timeToLive, without which nothing is kept")
        if self.filters and not self.can_filter:
            raise ValueError("filters: this kind cannot filter")
        if self.batch == 1 and len(self.key.spellings) > 1:
            raise ValueError("key.spellings: a call for one company sends one spelling")
        if self.key.kind is KeyKind.NAME and not self.can_search:
            raise ValueError("key.kind: this kind cannot search by name")
        if self.key.kind is KeyKind.NAME and self.batch > 1:
            raise ValueError("batch: a call searches for one name, so that its rows are that name's: set it to 1")
        return self


class Forward(Part):
    """The headers by which each call tells the agency for whom it is made; at least one."""

    organisation: Name | None = Field(default=None, description="Header with the id of the caller's organisation.")
    purpose: Name | None = Field(default=None, description="Header with the caller's purpose; left out without one.")
    request_id: Name | None = Field(default=None, alias="requestId", description="Header with the request's id.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.organisation or self.purpose or self.request_id):
            raise ValueError("needs organisation, purpose or requestId")
        return self

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return frozenset(name.lower() for name in (self.organisation, self.purpose, self.request_id) if name)

    def told(self, asker: Asker) -> dict[str, str]:
        """The headers of a call for this asker: what is not visible ASCII is percent-encoded."""
        told = (
            (self.organisation, asker.organisation),
            (self.purpose, asker.purpose),
            (self.request_id, asker.request_id),
        )
        return {name: quote(value, safe=_VISIBLE) for name, value in told if name and value is not None}


class Manifest(Part, Treatment):
    """One agency. Each kind narrows `kind`, `connection` and `datasets`."""

    can_forward: ClassVar[bool] = False
    """Whether calls can carry headers."""

    agency: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    name: Names
    kind: str
    connection: Part
    none: tuple[str, ...] = Field(default=(), description="Texts that mean nothing in this agency's data.")
    forward: Forward | None = Field(
        default=None, description="What calls tell of the caller. Then they serve its organisation and purpose alone."
    )
    records: tuple[OwnRecord, ...] = Field(
        default=(), description="Record types of the agency's own, for what the nation's do not have."
    )
    datasets: tuple[DatasetManifest, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_forward(self) -> Self:
        if self.forward is not None and not self.can_forward:
            raise ValueError("forward: calls of this kind have no headers")
        return self
