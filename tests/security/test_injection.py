"""Line ends, terminal codes and the like in whatever a caller may write: no header, log line or record is made of them,
and a request's id and trace are ours.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest

from tests.connectors.support import CODES
from tests.security.running import GRAPHQL_RESPONSE, Attacked

MARK = "fOrGeD"
CODE = str(CODES[0])
INJECTED = {
    "line ends": f"a\r\nX-{MARK}: 1\r\n\r\n{{}}",
    "a line": f'a\n{{"event": "{MARK}"}}\n',
    "a carriage return": f"a\rX-{MARK}: 1",
    "a terminal's code": f"a\x1b[2J{MARK}\x07",
    "other line ends": f"a\u2028{MARK}\u2029\x85\x0b\x0c",
    "a nought": f"a\0{MARK}",
    "the other way round": f"a\u202e{MARK}\u2066",
    "JSON": f'a", "event": "{MARK}',
    "a format": f"%s {{0}} ${{jndi:ldap://x/{MARK}}} {{{{7*7}}}}",
    "a statement": f"'; DROP TABLE penalties; -- {MARK}",
}

PLACES: dict[str, Any] = {
    "operationName": lambda text: {"query": "{ me { subject } }", "operationName": text},
    "documentId": lambda text: {"documentId": text},
    "purpose": lambda text: {"query": "{ me { subject } }", "extensions": {"purpose": text}},
    "a consent": lambda text: {
        "query": f'{{ enterprise(code: "{CODE}") {{ creditCode }} }}',
        "extensions": {"consents": [text]},
    },
    "a code": lambda text: {"query": ASKED, "variables": {"code": text[:64]}},
    "a name": lambda text: {"query": FOUND, "variables": {"name": text}},
    "a legal representative": lambda text: {"query": VERIFIED, "variables": {"name": text}},
    "an identifier": lambda text: {"query": LEGACY, "variables": {"id": text}},
    "a cursor": lambda text: {"query": PAGED, "variables": {"after": text}},
    "a variable that is not used": lambda text: {"query": "{ me { subject } }", "variables": {text: text}},
    "a comment": lambda text: {"query": "{ me { subject } } # " + re.sub(r"\s", " ", text)},
    "an argument": lambda text: {"query": f"{{ enterprise(code: {json.dumps(text[:60])}) {{ creditCode }} }}"},
    "a parameter of no meaning": lambda text: {"query": "{ me { subject } }", text: text},
}
ASKED = "query ($code: CreditCode!) { enterprise(code: $code) { creditCode penalties { status } } }"
FOUND = "query ($name: String!) { findEnterprises(name: $name) { name } }"
VERIFIED = f'query ($name: String) {{ verifyEnterprise(code: "{CODE}", legalRepresentative: $name) {{ __typename }} }}'
LEGACY = "query ($id: String!) { enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $id) { creditCode } }"
PAGED = f'query ($after: String) {{ enterprise(code: "{CODE}") {{ penalties(after: $after) {{ status }} }} }}'


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", INJECTED)
def test_no_text_of_a_body_becomes_a_header_a_log_line_or_a_record(gateway: Attacked, place: str, what: str) -> None:
    body = orjson.dumps(PLACES[place](INJECTED[what]))
    logged, recorded = gateway.log.stat().st_size, gateway.audit.stat().st_size
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {GRAPHQL_RESPONSE}\r\nContent-Type: application/json\r\n"
    received = gateway.send(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    sent_back, _, answer = received.partition(b"\r\n\r\n")
    assert received.count(b"HTTP/1.1 ") == 1
    assert sent_back.split()[1] in {b"200", b"400"}
    assert MARK.encode() not in sent_back
    assert isinstance(orjson.loads(answer), dict)
    for line in gateway.log.read_bytes()[logged:].splitlines():
        assert "timestamp" in orjson.loads(line)
    assert MARK.encode() not in gateway.log.read_bytes()[logged:]
    (record,) = gateway.audit.read_bytes()[recorded:].splitlines()
    assert orjson.loads(record)["outcome"] in {"ANSWERED", "REFUSED"}
    assert MARK.encode() not in record


NAMES = [
    "X-Request-Id",
    "traceparent",
    "tracestate",
    "baggage",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "Forwarded",
    "Via",
]
VALUES = [
    MARK,
    "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    "00-" + "0" * 32 + "-" + "0" * 16 + "-ff",
    "ff-" + "g" * 99,
    "a" * 8_000,
    '"' * 99,
    "\x7f",
    "é\xff",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_what_a_caller_says_of_its_request_is_not_taken_for_ours(gateway: Attacked, name: str, value: str) -> None:
    head = f"GET /graphql?query={{me{{subject}}}} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: ".encode()
    received = gateway.send(head + value.encode("latin-1") + b"\r\n\r\n")
    # A header with a control character is no header.
    assert received.split()[1] == (b"400" if value == "\x7f" else b"200")
    assert value.encode("latin-1") not in received
    if value != "\x7f":
        assert re.search(rb"x-request-id: [0-9a-f]{32}\r\n", received.lower())


@pytest.mark.parametrize(
    "path", ["/%0d%0aX-Forged:%201", "/graphql%0d%0aX-Forged:1", "/%00", "//evil.example/%2e%2e", "/\\evil"]
)
def test_no_path_becomes_a_header_or_leads_elsewhere(gateway: Attacked, path: str) -> None:
    received = gateway.send(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert b"x-forged" not in head
    assert b"location:" not in head
    assert b"evil" not in received


ESCAPES = ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e", ".%00."]


@pytest.mark.parametrize("step", ESCAPES)
def test_no_path_leads_out_of_what_is_served(gateway: Attacked, step: str) -> None:
    for base in ("/", "/console/", "/console/assets/", "/.well-known/"):
        path = f"{base}{'/'.join([step] * 8)}/etc/passwd"
        received = gateway.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert b"root:" not in received
        assert received.split()[1] in {b"400", b"404"}, received[:200]
