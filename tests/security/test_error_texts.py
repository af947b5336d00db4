"""Every refusal that can be had over the socket, and what an agency's failures look like: none holds a place in our
code, a rule's id, what the agency said, a secret, or anything of a credential.
"""

from __future__ import annotations

import inspect
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from connectors.contract import FailureCode
from gateway import errors
from gateway.errors import HttpError
from gateway.identity.api_keys import digest
from gateway.stages import refusals
from gateway.stages.refusals import RequestRefused
from tests.connectors.support import CODES
from tests.faults.agency import row
from tests.faults.installation import penalties
from tests.gateway.stages.conftest import build_world
from tests.security.running import Attacked, attacked

ROOT = Path(__file__).parents[2]
RULES = {
    rule["id"]
    for file in (ROOT / "policies/rules").glob("*.yaml")
    for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]
}
CANARY = "cAnArY"
PEPPER = f"{CANARY}-pepper-{'p' * 32}"
SECRET = f"{CANARY}-secret-{'s' * 32}"
KEY_SECRET = (CANARY * 8)[:43]
KEYS = {name: f"xq_{name}_{KEY_SECRET}" for name in ("good1", "expired1", "revoked1", "poor1", "busy1")}
UPSTREAM = f"{CANARY} java.lang.NullPointerException at cn.gov.Dao.find(Dao.java:42) ORA-00942: T_QY"
OURS = re.compile(r"Traceback|\.py\b|site-packages|\bline \d+, in |0x[0-9a-f]{6,}|object at |NoneType|__\w+__\(")

BEHAVIOURS: Mapping[str, tuple[int, bytes]] = {
    "an error": (500, UPSTREAM.encode()),
    "a refusal": (403, json.dumps({"message": UPSTREAM}).encode()),
    "too many": (429, UPSTREAM.encode()),
    "no JSON": (200, UPSTREAM.encode()),
    "other JSON": (200, json.dumps({"message": UPSTREAM, "rows": UPSTREAM}).encode()),
    "a row of nobody": (200, json.dumps({"rows": [{"code": UPSTREAM}]}).encode()),
    "an odd date": (200, json.dumps({"rows": [{**row(str(CODES[6])), "day": UPSTREAM}]}).encode()),
    "no key": (200, json.dumps({"rows": [{UPSTREAM: UPSTREAM}]}).encode()),
}
BY_COMPANY = dict(zip(map(str, CODES), BEHAVIOURS.values(), strict=False))


class Failing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["codes"]
        status, body = BY_COMPANY[asked[0]]
        self.send_response(status)
        self.send_header("X-Upstream", CANARY)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@dataclass(frozen=True)
class Issuer:
    key: ECKey
    id: str = "https://id.example"

    def token(self, header: Mapping[str, Any] | None = None, key: Any = None, **claims: Any) -> dict[str, str]:
        """The header with a token that is good but for what is given."""
        now = int(time.time())
        good = {"iss": self.id, "aud": "xinqiao", "sub": CANARY, "org": "first-bank", "roles": ["bank.officer"]}
        kept = {"exp": now + 600, **good, **claims}
        token = jwt.encode({"alg": "ES256", "kid": self.key.kid, **(header or {})}, kept, key or self.key)
        return {"Authorization": f"Bearer {token}"}


ISSUER = Issuer(ECKey.generate_key("P-256", auto_kid=True))
STRANGER = ECKey.generate_key("P-256", auto_kid=True)


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A gateway whose secrets, agency and callers all carry the canary."""
    folder = tmp_path_factory.mktemp(CANARY)
    entries = [
        {
            "id": name,
            "digest": digest(KEY_SECRET, PEPPER),
            "subject": f"{CANARY}-{name}",
            "organisation": {"poor1": "second-bank", "busy1": "rural-bank"}.get(name, "first-bank"),
            "roles": ["bank.rural" if name == "busy1" else "bank.officer"],
            "expires": "2020-01-01T00:00:00Z" if name == "expired1" else "2099-01-01T00:00:00Z",
            **({"revoked": "2020-01-01T00:00:00Z"} if name == "revoked1" else {}),
        }
        for name in KEYS
    ]
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": entries}))
    issuer = {"id": ISSUER.id, "jwks": KeySet([ISSUER.key]).as_dict(private=False)}
    settings = {
        "XINQIAO_SECRET": SECRET,
        "XINQIAO_API_KEYS_FILE": str(keys),
        "XINQIAO_API_KEYS_PEPPER": PEPPER,
        "XINQIAO_ISSUERS": json.dumps([issuer]),
        "XINQIAO_PROXIES__NETWORKS": '["127.0.0.1/32"]',
        "XINQIAO_COST__BUDGETS": '{"second-bank": 0.5}',
        "XINQIAO_QUOTAS__ORGANISATIONS": '{"rural-bank": {"requests": 6, "companies": 1}}',
        "XINQIAO_DOCUMENTS__ORGANISATIONS": "{}",
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://user:{CANARY}@127.0.0.1:{server.server_port}"
    try:
        with attacked(folder, [penalties("zhejiang-penalties", url)], **settings) as running:
            yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(gateway: Attacked, query: str = "{ me { organisation } }", **more: Any) -> httpx.Response:
    return gateway.ask(query, **more)


def raw(gateway: Attacked, request: bytes) -> httpx.Response:
    """The answer to what a client would not send."""
    head, _, body = gateway.send(request).partition(b"\r\n\r\n")
    return httpx.Response(int(head.split()[1]), content=body)


ONE = f'enterprise(code: "{CODES[0]}")'
STATUS = f"{{ {ONE} {{ penalties {{ status }} }} }}"
good, broke, busy = ({"X-API-Key": KEYS[name]} for name in ("good1", "poor1", "busy1"))

PROVOKED: Mapping[str, Any] = {
    "REQUEST_MALFORMED": lambda g: g.client.post(
        "/graphql", content=b"{", headers={"Content-Type": "application/json"}
    ),
    "METHOD_NOT_ALLOWED": lambda g: g.client.put("/graphql"),
    "NOT_ACCEPTABLE": lambda g: g.client.get("/graphql?query={me{subject}}", headers={"Accept": "text/html"}),
    "REQUEST_TIMEOUT": lambda g: raw(
        g,
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        b"X-Timeout-Ms: 100\r\n\r\n{",
    ),
    "BODY_TOO_LARGE": lambda g: ask(g, " " * 2_000_000),
    "MEDIA_TYPE_UNSUPPORTED": lambda g: g.client.post("/graphql", content=b"{}"),
    "CROSS_SITE": lambda g: g.client.get("/graphql?query={me{subject}}", headers={"Sec-Fetch-Site": "cross-site"}),
    "CREDENTIALS_AMBIGUOUS": lambda g: ask(g, headers={**good, **ISSUER.token()}),
    "SCHEME_UNSUPPORTED": lambda g: ask(g, headers={"Authorization": f"Basic {CANARY}"}),
    "TOKEN_MALFORMED": lambda g: ask(g, headers={"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"}),
    "TOKEN_ALGORITHM": lambda g: ask(g, headers=ISSUER.token({"alg": "HS256"}, OctKey.generate_key(256))),
    "TOKEN_KEY_UNKNOWN": lambda g: ask(g, headers=ISSUER.token({"kid": CANARY})),
    "TOKEN_SIGNATURE": lambda g: ask(g, headers=ISSUER.token(key=STRANGER)),
    "TOKEN_EXPIRED": lambda g: ask(g, headers=ISSUER.token(exp=1)),
    "TOKEN_NOT_YET_VALID": lambda g: ask(g, headers=ISSUER.token(nbf=9_999_999_999)),
    "TOKEN_AUDIENCE": lambda g: ask(g, headers=ISSUER.token(aud=CANARY)),
    "TOKEN_BOUND": lambda g: ask(g, headers=ISSUER.token(cnf={"jkt": CANARY})),
    "ISSUER_UNKNOWN": lambda g: ask(g, headers=ISSUER.token(iss=CANARY)),
    "CERTIFICATE_MALFORMED": lambda g: ask(g, headers={"Client-Cert": f":{CANARY}:"}),
    "KEY_UNKNOWN": lambda g: ask(g, headers={"X-API-Key": CANARY}),
    "KEY_REVOKED": lambda g: ask(g, headers={"X-API-Key": KEYS["revoked1"]}),
    "KEY_EXPIRED": lambda g: ask(g, headers={"X-API-Key": KEYS["expired1"]}),
    "ORGANISATION_UNKNOWN": lambda g: ask(g, headers=ISSUER.token(org="nobody")),
    "ROLE_NOT_REGISTERED": lambda g: ask(g, headers=ISSUER.token(roles=["nobody"])),
    "LOGIN_INSUFFICIENT": lambda g: g.client.post("/admin/graphql", json={"query": "{ __typename }"}, headers=good),
    "RATE_EXCEEDED": lambda g: [ask(g, headers=busy) for _ in range(9)][-1],
    "SYNTAX_INVALID": lambda g: ask(g, "{", headers=good),
    "OPERATION_INVALID": lambda g: ask(g, "{ nothing }", headers=good),
    "OPERATION_UNKNOWN": lambda g: ask(g, "query A { me { subject } }", operationName="B", headers=good),
    "OPERATION_UNSUPPORTED": lambda g: ask(g, "mutation { __typename }", headers=good),
    "VARIABLES_INVALID": lambda g: ask(
        g, "query ($c: CreditCode!) { enterprise(code: $c) { creditCode } }", variables={"c": 1}, headers=good
    ),
    "ARGUMENT_INVALID": lambda g: ask(
        g, f'{{ {ONE} {{ penalties(after: "x") {{ status }} }} }}', headers={"X-API-Key": KEYS["good1"]}
    ),
    "LIMIT_EXCEEDED": lambda g: ask(g, f"{{ me {{ {'subject ' * 21} }} }}", headers=good),
    "RECEIPT_UNAVAILABLE": lambda g: ask(g, headers={"X-Receipt": "1", **good}),
    "DOCUMENT_UNKNOWN": lambda g: g.client.post("/graphql", json={"documentId": CANARY}, headers=good),
    "COST_EXCEEDED": lambda g: ask(g, STATUS, headers=broke),
    "PURPOSE_INVALID": lambda g: ask(g, headers={"X-Purpose": "nonsense", **good}),
}
ELSEWHERE = {
    "AUTHENTICATION_FAILED": "names the others of its kind",
    "HTTP_ERROR": "names all others",
    "REQUEST_REFUSED": "names all others",
    "NOT_REGISTERED": "names the others of its kind",
    "TOO_MANY_REQUESTS": "names the others of its kind",
    "CLIENT_GONE": "is answered to nobody",
    "INTERNAL": "test_http_application.py",
    "AUDIT_UNAVAILABLE": "test_http_application.py",
    "ISSUER_KEYS_MISSING": "test_published_keys.py",
    "POLICY_NOT_LOADED": "test_editions.py",
    "CREDENTIALS_REQUIRED": "test_identity.py",
    "CERTIFICATE_EXPIRED": "test_certificates.py",
    "CERTIFICATE_UNKNOWN": "test_certificates.py",
    "ORGANISATIONS_DIFFER": "test_certificates.py",
    "PROXY_UNKNOWN": "test_certificates.py",
    "NOT_AN_ADMINISTRATOR": "test_administration_api.py",
    "URI_TOO_LONG": "test_graphql_over_http.py",
    "DEADLINE_EXCEEDED": "test_a_deadline_that_passed_is_told_as_such",
    "POLICY_STORE_MISSING": "test_administration_api.py",
    "CONCURRENCY_EXCEEDED": "test_quotas.py",
    "COMPANIES_EXCEEDED": "test_quotas.py",
    "VERIFICATIONS_EXCEEDED": "test_enumeration.py",
    "SERVER_BUSY": "test_connections.py",
    "DOCUMENT_ID_REQUIRED": "test_trusted_documents.py",
    "DOCUMENT_NOT_TRUSTED": "test_trusted_documents.py",
}
"""Those that take another installation, or a moment that cannot be had from outside."""


def classes(module: Any, root: type[Exception]) -> set[str]:
    return {value.code for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, root)}


def test_every_refusal_is_provoked_here_or_elsewhere() -> None:
    codes = classes(errors, HttpError) | classes(refusals, RequestRefused)
    assert codes == PROVOKED.keys() | ELSEWHERE.keys()


def leaks(gateway: Attacked, answer: httpx.Response) -> list[str]:
    """What is in an answer, its headers included, that must not be."""
    text = f"{answer.text} {dict(answer.headers)}"
    found = [rule for rule in RULES if re.search(rf"\b{re.escape(rule)}\b", text)]
    found += [secret for secret in (CANARY, str(ROOT), str(gateway.log.parent), KEY_SECRET[:20]) if secret in text]
    return found + OURS.findall(text)


@pytest.mark.parametrize("code", PROVOKED)
def test_a_refusal_tells_its_reason_and_nothing_else(exposed: Attacked, code: str) -> None:
    answer = PROVOKED[code](exposed)
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == [code], answer.text
    assert leaks(exposed, answer) == []
    assert answer.status_code < 500


async def test_a_deadline_that_passed_is_told_as_such() -> None:
    with pytest.raises(errors.DeadlineExceededError, match="X-Timeout-Ms"):
        await build_world().ask(STATUS, seconds=-60.0)


@pytest.mark.parametrize("what", BEHAVIOURS)
def test_a_failure_of_an_agency_tells_nothing_of_what_it_said(exposed: Attacked, what: str) -> None:
    code = str(CODES[list(BEHAVIOURS).index(what)])
    query = f"""{{ enterprise(code: "{code}") {{ penalties {{
        status records {{ documentNumber decidedOn }} sources {{ agency {{ id }} status failure {{ code retryable }} }}
        access {{ coordinate decision reason }} }} }} }}"""
    answer = ask(exposed, query, headers=good)
    shown = answer.json()["data"]["enterprise"]["penalties"]
    failures = {source["failure"]["code"] for source in shown["sources"] if source["failure"]}
    assert failures <= {code.value for code in FailureCode}
    assert shown["status"] != "COMPLETE"
    assert leaks(exposed, answer) == []


def test_neither_log_nor_audit_hold_secrets_or_what_agencies_said(exposed: Attacked) -> None:
    logged, audited = exposed.log.read_text("utf-8"), exposed.audit.read_text("utf-8")
    assert "agency call failed" in logged
    for text in (logged, audited):
        for secret in (SECRET, PEPPER, KEY_SECRET, f"user:{CANARY}", "NullPointerException", "ORA-00942"):
            assert secret not in text
        assert CANARY not in text.replace(f'"{CANARY}"', "").replace(f"{CANARY}-", "").replace(
            str(exposed.log.parent), ""
        )
