"""What the tests of the kind `soap` share: manifests, and envelopes written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.connectors.support import Agency, Asked

WSDL = Path("tests/connectors/wsdl")
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
QUERY = "urn:example:penalty:query"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"

HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: soap
    connection:
      url: ${ADDRESS}/services
      headers: {Authorization: "Basic ${SECRET}"}
      soapHeaders: {AccessHeader: {system: xinqiao, secret: "${SECRET}"}}
    timeout: 10
    concurrency: 3
    datasets:
      - record: Penalty
"""
FIELDS = """
        fields: {recordId: "@id", documentNumber: number, decidedOn: decided, amount: {path: fine, unit: 万元}}
"""
BATCH = f"""{HEAD}
        key: company.code
        batch: 10
        missingMeans: none
        filters: {{decidedFrom: period.from}}
        asOf: {{path: asOf}}
        request:
          wsdl: penalties.wsdl
          operation: QueryPenalties
          path: /penalty
          keys: {{name: codes.code, style: list}}
          body: {{source: xinqiao}}
        response: {{rows: penalties.penalty}}
{FIELDS}"""
NO_HEADERS = HEAD.replace('      soapHeaders: {AccessHeader: {system: xinqiao, secret: "${SECRET}"}}\n', "")
SINGLE = f"""{NO_HEADERS}
        request: {{wsdl: penalties.wsdl, operation: QueryOne, keys: {{name: creditCode}}}}
        response:
          rows: penalty
          faults: {{unknown: [NoSuchCompany], busy: [Busy, "77"], none: [None], code: detail.CreditFault.number}}
{FIELDS}"""


def envelope(body: str, namespace: str = SOAP_11) -> str:
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    return f'{declaration}<e:Envelope xmlns:e="{namespace}"><e:Header/><e:Body>{body}</e:Body></e:Envelope>'


def http(content: str | bytes, status: int = 200, kind: str = "text/xml; charset=utf-8") -> bytes:
    content = content.encode() if isinstance(content, str) else content
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def penalty(code: str, number: int = 1, **more: str) -> str:
    extra = "".join(f"<p:{name}>{value}</p:{name}>" for name, value in more.items())
    return (
        f'<p:penalty id="{code}-{number}"><c:company xmlns:c="urn:x"><c:code>{code}</c:code></c:company>'
        f"<p:number>浙罚{number}</p:number><p:decided>2026-03-0{number}</p:decided>{extra}</p:penalty>"
    )


def answered(rows: str, around: str = "penalties") -> str:
    wrapped = f"<p:{around}>{rows}</p:{around}>" if around else rows
    as_of = "<p:asOf>2026-11-01T08:00:00+08:00</p:asOf>"
    return envelope(f'<p:QueryPenaltiesResponse xmlns:p="{QUERY}">{wrapped}{as_of}</p:QueryPenaltiesResponse>')


def plain(element: ET.Element) -> Any:
    """An element as (name, text or elements)."""
    return element.tag, [plain(inner) for inner in element] if len(element) else element.text


def body_of(asked: Asked, namespace: str = SOAP_11) -> ET.Element:
    body = asked.body.find(f"{{{namespace}}}Body")
    assert body is not None
    return body[0]


def replying(agency: Agency, reply: bytes | str, status: int = 200) -> None:
    async def answer(_: Asked) -> bytes:
        return reply if isinstance(reply, bytes) else http(reply, status)

    agency.answer = answer


LAUGHS = '<!DOCTYPE a [<!ENTITY x0 "ha">' + "".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 10}">' for n in range(9)) + "]>"
