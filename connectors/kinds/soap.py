"""The kind `soap`: an operation of a WSDL, with one company a call or many, its answer mapped as any other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from connectors.as_of import moment_at
from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.documents import Encoding, Format, put_empty_lists, read_document
from connectors.envelope import Code, Envelope
from connectors.errors import AgencyFailure
from connectors.http import HttpClient, HttpRequest, bad_response, refuse_status
from connectors.http_connection import HttpConnection, open_client
from connectors.lane import OK
from connectors.manifest import DatasetManifest, FileBeside, Manifest, Name, Part, Reference, Within, short
from connectors.misread import misread
from connectors.paths import ASKED_KEY, follow, list_rows, put
from connectors.settings import SupplySettings
from connectors.soap_operation import LateOperation, ReadOperation, read_at_agency, read_checked
from connectors.soap_reply import Fault, NoEnvelope, open_envelope
from connectors.telling import Telling
from connectors.wsdl import AgencyDocuments, LocalDocuments, UserToken, Wanted, WsdlInvalid
from connectors.xml_body import XmlRefused, read_xml

KEY_MARK: Final = "{key}"

if TYPE_CHECKING:
    from connectors.soap_envelope import SoapMessage, SoapOperation

_FAULT_STATUSES: Final = frozenset({400, 500})
"""What faults come with (SOAP 1.1, section 6.2; SOAP 1.2 part 2, table 20), unless an agency sends them with 200."""

_OWN_HEADERS: Final = frozenset({"content-type", "soapaction"})
_ACCEPT: Final = "text/xml, application/soap+xml"
_SAMPLE_KEY: Final = "91330106MA00000000"
_SAMPLE_DAY: Final = date(2026, 1, 1)


class SoapSecurity(Part):
    """The user token of WS-Security."""

    user: Reference
    password: Reference
    style: Literal["text", "digest"] = Field(default="text", description="How the password is sent.")


class SoapConnection(HttpConnection):
    """Where the agency listens, whatever its WSDL says, and what it wants in each envelope's header."""

    security: SoapSecurity | None = None
    soap_headers: dict[str, str | dict[str, Any]] = Field(
        default_factory=dict,
        alias="soapHeaders",
        description="By the name that the WSDL has for a header, or as {namespace}name. Secrets as ${NAME}.",
    )

    @field_validator("headers")
    @classmethod
    def _not_ours(cls, headers: dict[str, str]) -> dict[str, str]:
        if {name.lower() for name in headers} & _OWN_HEADERS:
            raise ValueError("Content-Type and SOAPAction come from the WSDL: leave them out")
        return headers


class Wsdl(Part):
    """Where the WSDL is: exactly one of `file` and `fetch`."""

    file: FileBeside | None = Field(default=None, description="A copy, from the directory of the manifest.")
    fetch: Annotated[str, StringConstraints(pattern=r"^[/?][!-~]*$")] | None = Field(
        default=None, description="Path and query after the connection's address: ?wsdl."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.file is None) == (self.fetch is None):
            raise ValueError("needs exactly one of file and fetch")
        return self

    def read_once(self) -> Iterator[Path]:
        """The copy, and whatever it may import: what lies beside it and below, but for manifests."""
        if self.file is not None:
            beside = Path(self.file).parent.rglob("*")
            yield from (path for path in beside if path.suffix != ".yaml" and path.is_file())


class SoapKeys(Part):
    """Where the companies' keys go: one, a comma list, a repeated element, or a text of the agency's own making."""

    name: Name = Field(description="Dotted path of the element within the operation's input.")
    style: Literal["single", "comma", "list"] = "single"
    text: Annotated[str, StringConstraints(pattern=r"\{key\}")] | None = Field(
        default=None, description="What is sent instead of the key: a text, XML or JSON, with {key} in it."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.text is not None and self.style == "list":
            raise ValueError("text: goes with style single or comma")
        return self


class SoapRequest(Part):
    """The call: an operation of a WSDL, the first that has its name unless service or port say which."""

    wsdl: Annotated[Wsdl, short("file", Wsdl | str)]
    operation: Name
    service: Name | None = None
    port: Name | None = None
    path: Annotated[str, StringConstraints(pattern=r"^(/[^?#\s]*)?$")] = Field(
        default="", description="After the connection's address."
    )
    keys: SoapKeys
    body: dict[str, Any] = Field(default_factory=dict, description="Constants of the operation's input.")


class SoapFaults(Part):
    """What faults mean, by their code or subcode, or by the name of the element in their detail."""

    code: Name | None = Field(default=None, description="Path, from the fault, to a code of the agency's own.")
    unknown: tuple[str, ...] = Field(default=(), description="The agency does not know the company.")
    busy: tuple[str, ...] = ()
    none: tuple[str, ...] = Field(default=(), description="The company has no records.")


class SoapUnknown(Part):
    """How the agency says in its answer that it does not know a company: envelope codes, or a list of keys."""

    codes: tuple[Code, ...] = ()
    keys: Name | None = None


class SoapText(Part):
    """A document that comes as the text of an element. Paths begin in it; in XML, within its root element."""

    path: Name
    format: Format = "xml"


class SoapResponse(Part):
    """Where the rows are in the answer: paths begin within the element that the envelope's body has."""

    element: Name | None = Field(
        default=None, description="The element that the envelope's body has, where it is another than the WSDL's."
    )
    rows: Name | None = Field(default=None, description="Path to the element that is repeated.")
    within: Within = Field(default=(), description="Path, in each element there, to the rows nested in it; or several.")
    optional: bool = Field(
        default=False, description="Without rows, the elements around them may be left out of the answer, too."
    )
    text: Annotated[SoapText, short("path", SoapText | str)] | None = None
    encoding: Encoding | None = Field(default=None, description="Where the XML declares none, or a wrong one.")
    envelope: Envelope | None = None
    unknown: SoapUnknown = Field(default_factory=SoapUnknown)
    faults: SoapFaults = Field(default_factory=SoapFaults)

    @property
    def tells_errors(self) -> bool:
        """Whether the manifest says how the agency tells its errors: by codes in its answers, or by faults."""
        return self.envelope is not None or "faults" in self.model_fields_set


class SoapDataset(DatasetManifest):
    """A dataset behind an operation of a WSDL."""

    request: SoapRequest
    response: SoapResponse = Field(default_factory=SoapResponse)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        response = self.response
        if self.batch > 1 and self.request.keys.style == "single":
            raise ValueError("batch: keys need style comma or list to carry several companies")
        if self.batch > 1 and self.key.path is None:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        if self.batch > 1 and (response.unknown.codes or response.faults.unknown or response.faults.none):
            raise ValueError("response: a code or fault cannot tell which company of a batch it is about")
        if response.unknown.codes and response.envelope is None:
            raise ValueError("response.unknown.codes: needs response.envelope")
        return self


class SoapManifest(Manifest):
    """An agency that is asked by SOAP."""

    can_forward: ClassVar[bool] = True

    kind: Literal["soap"]
    connection: SoapConnection
    datasets: tuple[SoapDataset, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _not_ours(self) -> Self:
        if self.forward is not None and not self.forward.headers.isdisjoint(_OWN_HEADERS):
            raise ValueError("forward: Content-Type and SOAPAction come from the WSDL")
        return self


class SoapSource:
    """One dataset behind an operation."""

    def __init__(
        self,
        dataset: SoapDataset,
        client: HttpClient,
        operation: ReadOperation | LateOperation,
        nothings: Sequence[str],
    ) -> None:
        """`nothings` are the agency's own words for none."""
        self._dataset = dataset
        self._telling = Telling(dataset, nothings, self._place)
        self._client = client
        self._operation = operation

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies. Raises `AgencyFailure`."""
        operation = await self._operation.get()
        message = self._written(operation, call)
        request = HttpRequest(
            self._place, "POST", self._dataset.request.path, asker=call.asker, idempotent=self._dataset.is_idempotent
        )
        answer = await self._client.send(request, message.headers, message.content, call.timeout, _FAULT_STATUSES)
        document = await self._opened(answer.status, answer.content, operation.answer)
        if isinstance(document, Fault):
            return self._told_by(document, call)
        response = self._dataset.response
        if response.envelope and response.envelope.says_unknown(document, response.unknown.codes, self._place):
            return SourceAnswer((), unknown=frozenset(call.keys))
        put_empty_lists(
            document,
            (*([response.rows] if response.rows else []), *response.within),
            optional=response.optional,
            told=response.tells_errors,
        )
        listing = await list_rows(
            document, response.rows, response.within, self._dataset.key.path, null_is_none=response.tells_errors
        )
        if listing is None:
            raise bad_response(self._place, f"no elements at {response.rows or 'the top'}")
        listing = self._telling.sift(listing, alone=response.rows is None and not response.within)
        limit = self._dataset.row_limit
        return SourceAnswer(
            rows=self._own(listing.rows[:limit], call),
            unknown=self._unknown_keys(document),
            seen=listing.seen,
            as_of=moment_at(document, self._dataset.as_of),
            truncated=len(listing.rows) > limit,
            dropped=listing.dropped,
            failed=self._telling.failures(listing.failed),
        )

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._operation.close()
        await self._client.close()

    @property
    def _place(self) -> str:
        return f"operation {self._dataset.request.operation}"

    async def _opened(self, status: int, content: bytes, element: str | None) -> dict[str, Any] | Fault:
        """The fault, or the document that paths begin in."""
        response = self._dataset.response
        try:
            found = await open_envelope(await read_xml(content, response.encoding), response.element or element)
        except XmlRefused as error:
            if status != OK:
                refuse_status(self._place, status)
            raise bad_response(self._place, misread(content, "xml", response.encoding, error)) from None
        except NoEnvelope as error:
            if status != OK:
                refuse_status(self._place, status)
            raise bad_response(self._place, f"no SOAP ({error})") from None
        if isinstance(found, Fault):
            return found
        if status != OK:
            refuse_status(self._place, status)
        return found if response.text is None else await self._within_text(found, response.text)

    async def _within_text(self, document: dict[str, Any], text: SoapText) -> dict[str, Any]:
        """The document in the text of an element."""
        written = follow(document, text.path)
        if not isinstance(written, str):
            raise bad_response(self._place, f"no text at {text.path}")
        try:
            # Whatever it declares, it was decoded with the envelope.
            inner = await read_document(written.strip().encode(), text.format, "utf-8")
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise bad_response(self._place, f"no {text.format} at {text.path} ({type(error).__name__})") from None
        return inner if isinstance(inner, dict) else {"#text": inner}

    def _written(self, operation: SoapOperation, call: SourceCall) -> SoapMessage:
        try:
            return operation.write(_values(self._dataset, call.keys, call.filters))
        except Exception as error:  # noqa: BLE001  (zeep and lxml raise what they like; their messages hold values)
            raise bad_response(self._place, f"cannot be written ({type(error).__name__})") from None

    def _told_by(self, fault: Fault, call: SourceCall) -> SourceAnswer:
        """What a fault says of the company. Raises `AgencyFailure` for one that says nothing of it."""
        faults = self._dataset.response.faults
        codes = fault.codes(faults.code)
        if codes.intersection(faults.unknown):
            return SourceAnswer((), unknown=frozenset(call.keys))
        if codes.intersection(faults.none):
            return SourceAnswer((), seen=frozenset(call.keys))
        if codes.intersection(faults.busy):
            raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, f"{self._place}: a fault says busy", retryable=True)
        reason = f"{self._place}: fault {fault.standard}".rstrip()
        raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=fault.theirs)

    def _unknown_keys(self, document: object) -> frozenset[str]:
        path = self._dataset.response.unknown.keys
        found = follow(document, path) if path else ()
        keys = [found] if isinstance(found, str) else found
        return frozenset(str(key) for key in keys) - {""} if isinstance(keys, list) else frozenset()

    def _own(self, rows: list[RawRow], call: SourceCall) -> list[RawRow]:
        return rows if self._dataset.key.path else [{**row, ASKED_KEY: call.keys[0]} for row in rows]


async def open_sources(
    manifest: SoapManifest, _shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, SoapSource]:
    """A source for each dataset, by record type, on shared connections.

    A WSDL that the agency has to give is asked for from now on. Raises `AddressInvalid`, and `WsdlInvalid` for a copy.
    """
    statuses = _FAULT_STATUSES | {OK}
    client = open_client(manifest, manifest.connection, settings, accept=_ACCEPT, read=statuses)
    sources: dict[str, SoapSource] = {}
    try:
        for dataset in manifest.datasets:
            operation = await _open_operation(manifest, dataset, client)
            sources[dataset.record] = SoapSource(dataset, client, operation, manifest.none)
    except BaseException:
        for source in sources.values():
            await source.close()
        await client.close()
        raise
    return sources


def check_copies(manifest: SoapManifest) -> Iterator[tuple[str, str]]:
    """Path and message for each copy of a WSDL that cannot be used as the manifest wants it. Blocks.

    Nothing is looked up: a secret is taken for the text of its reference.
    """
    for index, dataset in enumerate(manifest.datasets):
        if dataset.request.wsdl.file is None:
            continue
        try:
            _read_copy(manifest, dataset, dataset.request.wsdl.file)
        except WsdlInvalid as error:
            yield f"datasets.{index}.request.wsdl", str(error)


def _read_copy(manifest: SoapManifest, dataset: SoapDataset, file: str) -> SoapOperation:
    wanted = _wanted(manifest.connection, dataset.request)
    return read_checked(LocalDocuments(Path(file)), wanted, _samples(dataset))


def _samples(dataset: SoapDataset) -> list[dict[str, Any]]:
    """Inputs of the operation, without and with the filters."""
    days = dict.fromkeys(dataset.filters, _SAMPLE_DAY)
    return [_values(dataset, [_SAMPLE_KEY], filters) for filters in ({}, days)]


async def _open_operation(
    manifest: SoapManifest, dataset: SoapDataset, client: HttpClient
) -> ReadOperation | LateOperation:
    wsdl = dataset.request.wsdl
    if wsdl.file is not None:
        try:
            return ReadOperation(await asyncio.to_thread(_read_copy, manifest, dataset, wsdl.file))
        except WsdlInvalid as error:
            raise WsdlInvalid(f"{dataset.record}: {Path(wsdl.file).name}: {error}") from None
    wanted, samples = _wanted(manifest.connection, dataset.request), _samples(dataset)
    address = urlsplit(manifest.connection.url)
    origin = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    target = f"{address.path.rstrip('/')}{wsdl.fetch}"

    async def read() -> SoapOperation:
        documents = AgencyDocuments(origin, target)
        return await read_at_agency(documents, wanted, samples, client.at_root(), manifest.timeout)

    return LateOperation(read, f"{manifest.agency}/{dataset.record}")


def _wanted(connection: SoapConnection, request: SoapRequest) -> Wanted:
    security = connection.security
    token = UserToken(security.user, security.password, digest=security.style == "digest") if security else None
    return Wanted(request.operation, request.service, request.port, connection.soap_headers, token)


def _values(dataset: SoapDataset, keys: Sequence[str], filters: Mapping[str, date]) -> dict[str, Any]:
    """The operation's input."""
    place = dataset.request.keys
    values = dict(dataset.request.body)
    for name, day in filters.items():
        put(values, dataset.filters[name].name, dataset.filters[name].write(day))
    if place.style == "list":
        put(values, place.name, list(keys))
    else:
        written = ",".join(keys)
        put(values, place.name, written if place.text is None else place.text.replace(KEY_MARK, written))
    return values
