"""SOAP envelopes, written as a WSDL says. The one module that knows zeep and lxml; it takes long to import.

zeep reads every document through one object here, which hands on to `Documents` what may be read. The addresses that a
WSDL gives for its services are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]
from zeep.exceptions import DTDForbidden, EntitiesForbidden
from zeep.settings import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import SoapBinding
from zeep.wsdl.messages import DocumentMessage
from zeep.wsdl.utils import get_or_create_header
from zeep.wsse.username import UsernameToken
from zeep.xsd import ComplexType

from connectors.errors import ConnectorError
from connectors.known_schemas import KNOWN
from connectors.wsdl import Documents, Values, Wanted, WsdlInvalid

MOST_DOCUMENTS: Final = 200
"""How many documents one WSDL may consist of."""

_SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True, slots=True)
class SoapMessage:
    """What is sent: HTTP headers, and the envelope."""

    headers: Mapping[str, str]
    content: bytes


class SoapOperation:
    """An operation, ready to be called. Made by `read_operation`.

    `answer` is the name of the element that an answer's body has, None where the WSDL does not say.
    """

    def __init__(self, operation: Any, wanted: Wanted) -> None:  # noqa: ANN401  (zeep has no types)
        self._operation = operation
        self._headers, self._elements = _split_headers(operation, wanted.headers)
        self._token = wanted.token
        self._simple = _simple_body(operation)
        self._http_headers = _http_headers(operation)
        self.answer = _answer(operation)

    def write(self, values: Values) -> SoapMessage:
        """The message with these values. Raises what zeep raises where they are not what the operation takes."""
        envelope = self._envelope(values, self._headers)
        if self._elements:
            get_or_create_header(envelope).extend(map(deepcopy, self._elements))
        if self._token is not None:
            token = self._token
            UsernameToken(token.user, token.password, use_digest=token.digest, zulu_timestamp=True).apply(envelope, {})
        return SoapMessage(self._http_headers, etree.tostring(envelope, encoding="utf-8", xml_declaration=True))

    def check(self, values: Values) -> None:
        """Raises `WsdlInvalid` where the operation does not take these values, or not these headers."""
        try:
            self._envelope(values, {})
        except Exception as error:  # noqa: BLE001  (what zeep raises is as it comes; these values are no secrets)
            raise WsdlInvalid(f"operation {self._operation.name}: {error}") from None
        try:
            self.write(values)
        except Exception as error:  # noqa: BLE001  (its message may hold what goes into headers)
            raise WsdlInvalid(f"operation {self._operation.name}: its headers: {type(error).__name__}") from None

    def _envelope(self, values: Values, headers: Values) -> Any:  # noqa: ANN401
        if self._simple is None:
            return self._operation.create(**values, _soapheaders=headers).content
        if values.keys() != {self._simple}:
            raise ValueError(f"it takes {self._simple} alone")
        return self._operation.create(values[self._simple], _soapheaders=headers).content


def read_operation(documents: Documents, wanted: Wanted) -> SoapOperation:
    """The operation that is wanted of a WSDL. Blocks. Raises `WsdlInvalid`, and whatever `documents` raise."""
    # What is external is decided by `_Reading`, which zeep cannot get around: `forbid_external` would also forbid what
    # an agency keeps beside its WSDL, at the same address.
    settings = Settings(forbid_dtd=True, forbid_entities=True)
    try:
        transport: Any = _Reading(documents)
        operation = _find(Document(documents.first, transport, settings=settings), wanted)
        return SoapOperation(operation, wanted)
    except ConnectorError:
        raise
    except (DTDForbidden, EntitiesForbidden):
        raise WsdlInvalid("it has a document type declaration") from None
    except Exception as error:  # noqa: BLE001  (zeep and lxml raise what comes of a WSDL that is none)
        raise WsdlInvalid(f"it cannot be read: {type(error).__name__}: {str(error)[:300]}") from None


class _Reading:
    """What zeep takes for its transport: the documents, so many and no more."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._left = MOST_DOCUMENTS

    def load(self, place: str) -> bytes:
        if place in KNOWN:
            return KNOWN[place]
        self._left -= 1
        if self._left < 0:
            raise WsdlInvalid(f"it consists of more than {MOST_DOCUMENTS} documents")
        return self._documents.read(place)


def _find(document: Any, wanted: Wanted) -> Any:  # noqa: ANN401
    known: list[str] = []
    for service in document.services.values():
        for port in service.ports.values():
            binding: Any = port.binding
            if not isinstance(binding, SoapBinding):
                continue
            if wanted.service not in {None, service.name} or wanted.port not in {None, port.name}:
                known.append(f"{service.name}.{port.name}")
            elif wanted.operation in binding.all():
                return binding.get(wanted.operation)
            else:
                known += binding.all()
    has = ", ".join(dict.fromkeys(known)) or "no operation of SOAP"
    raise WsdlInvalid(f"it has no operation {wanted.operation!r} in the service and port that are wanted: it has {has}")


def _split_headers(operation: Any, given: Values) -> tuple[dict[str, Any], list[Any]]:  # noqa: ANN401
    """The headers that the operation declares, by part, and those that it does not, as elements."""
    declared: dict[str, str] = {}
    for part, element in operation.input.header.type.elements:
        declared |= {part: part, element.name: part, element.qname.text: part}
    undeclared = [name for name in given if name not in declared]
    for name in undeclared:
        if not name.startswith("{"):
            known = ", ".join(sorted(declared)) or "none"
            raise WsdlInvalid(
                f"operation {operation.name}: no header {name!r}: write {{namespace}}name, or one of {known}"
            )
    headers = {declared[name]: value for name, value in given.items() if name in declared}
    return headers, [_element(name, given[name]) for name in undeclared]


def _element(name: str, value: object) -> Any:  # noqa: ANN401
    """A header as its name and value say. What is within is of the same namespace."""
    element = etree.Element(name)
    if isinstance(value, Mapping):
        namespace = etree.QName(name).namespace
        element.extend(_element(str(etree.QName(namespace, inner)), content) for inner, content in value.items())
    else:
        element.text = str(value)
    return element


def _simple_body(operation: Any) -> str | None:  # noqa: ANN401
    """The name of the body's element where it is a mere text, None where it has elements."""
    body = operation.input.body
    return None if body is None or isinstance(body.type, ComplexType) else str(body.name)


def _answer(operation: Any) -> str | None:  # noqa: ANN401
    """Of the style `rpc` the name does not matter (SOAP 1.1, section 7.1)."""
    output = operation.output
    body = output.body if isinstance(output, DocumentMessage) else None
    return None if body is None else str(body.name)


def _http_headers(operation: Any) -> dict[str, str]:  # noqa: ANN401
    """The media type and action (SOAP 1.1, section 6.1.1; SOAP 1.2 part 2, sections 6.5 and 7.1.4)."""
    action = operation.soapaction or ""
    if operation.binding.nsmap["soap-env"] != _SOAP_12:
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    return {"Content-Type": "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")}
