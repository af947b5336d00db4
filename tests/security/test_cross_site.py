"""A page of another site makes its reader's browser ask, with all that the browser sends of itself: a certificate, and
the bodies that forms and simple requests can have. Nothing is looked up, and the refusal says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.connectors.certificates import Authority
from tests.connectors.support import CODES
from tests.faults.installation import penalties
from tests.http_service import serving
from tests.security.running import Attacked, a_row_for_each, attacked

CODE = str(CODES[0])
QUERY = f'{{ enterprise(code: "{CODE}") {{ penalties {{ status }} }} }}'
JSON = b'{"query": "{ me { subject } }"}'
GET = f"/graphql?{urlencode({'query': QUERY})}"
BOUNDARY = b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{me{subject}}\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", JSON),
        ("text/plain; application/json", JSON),
        ("text/plain;charset=application/json", JSON),
        ("application/x-www-form-urlencoded", urlencode({"query": QUERY}).encode()),
        ("multipart/form-data; boundary=x", BOUNDARY),
        ("multipart/form-data; boundary=application/json", BOUNDARY),
        ("application/graphql", QUERY.encode()),
        ("application/json; charset=utf-7", JSON),
        ("application/jsonx", JSON),
        ("text/plain, application/json", JSON),
        ("", JSON),
        (None, JSON),
    ],
)
def test_no_body_that_needs_no_preflight_is_read(gateway: Attacked, content_type: str | None, body: bytes) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = gateway.client.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (415, "MEDIA_TYPE_UNSUPPORTED")
    assert "data" not in answer.json()


@pytest.mark.parametrize("path", ["/graphql", "/admin/graphql", "/healthz", "/"])
def test_no_preflight_is_granted_and_no_answer_is_shared(gateway: Attacked, path: str) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization, x-api-key",
    }
    answers = [
        gateway.client.options(path, headers=headers),
        gateway.client.get(path, headers=headers),
        gateway.client.post(path, headers=headers, json={"query": "{ me { subject } }"}),
    ]
    assert answers[0].status_code >= 400
    for answer in answers:
        assert [name for name in answer.headers if name.startswith("access-control")] == []
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("operation", ["mutation { __typename }", "subscription { __typename }", "mutation { x }"])
@pytest.mark.parametrize("path", ["/graphql", "/admin/graphql"])
def test_nothing_changes_by_get(gateway: Attacked, path: str, operation: str) -> None:
    answer = gateway.client.get(path, params={"query": operation})
    assert "data" not in answer.json()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A gateway whose caller has a certificate, which its browser shows without asking."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder, "authority")
    own = str(authority.issue("127.0.0.1"))
    settings = {
        "XINQIAO_TLS__CERTIFICATE": own,
        "XINQIAO_TLS__KEY": own,
        "XINQIAO_TLS__CLIENT_AUTHORITIES": str(authority.file),
        "XINQIAO_CERTIFICATES": '[{"dns": "risk", "organisation": "first-bank", "roles": ["bank.officer"]}]',
    }
    with (
        serving(a_row_for_each) as agency,
        attacked(
            folder, [penalties("zhejiang-penalties", agency)], verify=authority.client("risk"), **settings
        ) as running,
    ):
        yield running


def looked_up(gateway: Attacked) -> int:
    """How many requests the audit has that led to a company, or could have."""
    lines = map(json.loads, gateway.audit.read_bytes().splitlines())
    return sum(CODE in line.get("companies", ()) for line in lines)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browsers_certificate_looks_nobody_up_for_another_sites_page(secured: Attacked, site: str) -> None:
    before = looked_up(secured)
    answer = secured.client.get(GET, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "CROSS_SITE")
    assert looked_up(secured) == before
    refused = json.loads(secured.audit.read_bytes().splitlines()[-1])
    assert "CROSS_SITE" in json.dumps(refused)


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_it_does_for_our_own_pages_and_for_its_user(secured: Attacked, site: str | None) -> None:
    before = looked_up(secured)
    answer = secured.client.get(GET, headers={"Sec-Fetch-Site": site} if site else {})
    assert answer.json()["data"]["enterprise"]["penalties"] == {"status": "COMPLETE"}
    assert looked_up(secured) == before + 1


def test_a_header_that_no_other_site_can_set_speaks_for_itself(secured: Attacked) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer not.a.token"}
    answer = secured.client.get(GET, headers=headers)
    assert answer.json()["errors"][0]["extensions"]["code"] != "CROSS_SITE"
