from __future__ import annotations

import asyncio
import gzip
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import uvicorn
from graphql import build_schema, graphql_sync, parse, validate
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.console import console_routes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ASSETS = files("gateway.console") / "assets"
ROOT = Path(__file__).parents[2]
SCHEMA = build_schema("""
    scalar CreditCode
    scalar Date
    scalar DateTime
    scalar Decimal
    type Query { me: Viewer!, enterprise(code: CreditCode!): Enterprise }
    type Viewer { organisation: String }
    type Enterprise {
      creditCode: CreditCode!
      registration: RegistrationAnswer
      penalties(first: Int): PenaltyAnswer
      taxArrears: TaxArrearsAnswer
    }
    type RegistrationAnswer { status: String, record: Registration }
    type Registration { name: String, legalRepresentative: String, establishedOn: Date }
    type PenaltyAnswer { status: String, records: [Penalty!], sources: [Source!], access: [FieldAccess!] }
    type Penalty { decidedOn: Date, documentNumber: String, amount: Money, responsiblePerson: String }
    type TaxArrearsAnswer { status: String, records: [TaxArrears!], access: [FieldAccess!] }
    type TaxArrears { dueOn: Date, balance: Money }
    type Money { amount: Decimal, from: Decimal, to: Decimal, currency: String }
    type Source { agency: Agency, status: String, asOf: DateTime }
    type Agency { id: ID }
    type FieldAccess { coordinate: String, decision: String, mask: String, reason: String }
""")


in_the_browser = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=30_000)  # milliseconds


@dataclass(frozen=True, slots=True)
class Console:
    """A running server with the console, and the GraphQL requests that it received."""

    url: str
    received: list[Request] = field(default_factory=list)


def application(received: list[Request], endpoint: str = "/graphql") -> Starlette:
    async def answer(request: Request) -> JSONResponse:
        received.append(request)
        body = await request.json()
        data = {
            "me": {"organisation": request.headers.get("Authorization", "nobody")},
            "enterprise": lambda _info, code: {"creditCode": code},
        }
        result = graphql_sync(SCHEMA, body["query"], data, variable_values=body.get("variables"))
        return JSONResponse(result.formatted, media_type="application/graphql-response+json")

    return Starlette(routes=[Route(endpoint, answer, methods=["POST"]), *console_routes(endpoint)])


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application([]))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def console() -> AsyncIterator[Console]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        console = Console(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(application(console.received), log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield console
        server.should_exit = True
        await serving


@dataclass(slots=True)
class Watched:
    """A browser's page, the addresses that it asked for, and what it complained of."""

    page: Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium to open the console with: install it (Debian: apt-get install chromium)")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    switches += ["--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def watched(browser: Browser) -> AsyncIterator[Watched]:
    """A page of a person who was never here: nothing of another is known to it."""
    context = await browser.new_context(viewport={"width": 1400, "height": 1000})
    page = await context.new_page()
    watched = Watched(page)
    context.on("request", lambda request: watched.requested.append(request.url))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    # A violation of the content security policy is such a message too.
    page.on("console", lambda message: watched.complaints.append(f"{message.type}: {message.text}"))
    yield watched
    await context.close()


async def run_first_query(page: Page) -> None:
    await page.get_by_role("button", name="Execute query").click()


def asset_names() -> list[str]:
    return sorted(file.name.removesuffix(".gz") for file in ASSETS.iterdir() if file.name != "index.html")


def asset_texts() -> dict[str, str]:
    named = {name: gzip.decompress((ASSETS / f"{name}.gz").read_bytes()) for name in asset_names()}
    return {name: body.decode() for name, body in named.items() if name.endswith((".js", ".css", ".svg"))}


@in_the_browser
async def test_a_link_opens_the_page_as_its_person_and_nothing_leaves_the_machine(
    console: Console, watched: Watched
) -> None:
    page = watched.page
    async with page.expect_request("**/graphql.worker-*.js"):  # the last to be loaded
        await page.goto(f"{console.url}/graphiql#token=a.b.c&purpose=credit.monitoring&code=91330000MA27XL0R3P")
    await expect(page).to_have_title("信桥 Xinqiao")
    await run_first_query(page)
    result = page.locator(".result-window")
    await expect(result).to_contain_text("Bearer a.b.c")
    await expect(result).to_contain_text("91330000MA27XL0R3P")

    assert all(url.startswith(f"{console.url}/") for url in watched.requested)
    workers = {f"{console.url}/graphiql/assets/{name}" for name in asset_names() if ".worker-" in name}
    assert workers <= set(watched.requested)
    assert watched.complaints == []


@in_the_browser
async def test_the_schema_is_asked_for_as_the_same_caller_as_the_query(console: Console, watched: Watched) -> None:
    await watched.page.goto(f"{console.url}/graphiql#token=a.b.c&purpose=credit.monitoring&consent=d.e.f")
    await run_first_query(watched.page)
    await expect(watched.page.locator(".result-window")).to_contain_text("Bearer a.b.c")

    assert len(console.received) == 2
    for request in console.received:
        assert request.headers["Authorization"] == "Bearer a.b.c"
        assert request.headers["X-Purpose"] == "credit.monitoring"
        assert request.headers["X-Consent"] == "d.e.f"
        assert request.headers["Accept"] == "application/graphql-response+json, application/json;q=0.9"


@in_the_browser
async def test_a_page_without_a_fragment_asks_as_nobody(console: Console, watched: Watched) -> None:
    await watched.page.goto(f"{console.url}/graphiql")
    await run_first_query(watched.page)
    await expect(watched.page.locator(".result-window")).to_contain_text("nobody")

    for request in console.received:
        assert {"authorization", "x-purpose", "x-consent"}.isdisjoint(request.headers)


@in_the_browser
async def test_another_persons_link_in_the_same_tab_changes_the_caller(console: Console, watched: Watched) -> None:
    page = watched.page
    for token in ("first", "second"):
        await page.goto(f"{console.url}/graphiql#token={token}")
        await expect(page.locator(".graphiql-editor-tool")).to_contain_text(f"Bearer {token}")
    await run_first_query(page)
    await expect(page.locator(".result-window")).to_contain_text("Bearer second")


@in_the_browser
async def test_nothing_of_the_caller_stays_in_the_browser(console: Console, watched: Watched) -> None:
    await watched.page.goto(f"{console.url}/graphiql#token=a.b.c")
    await run_first_query(watched.page)
    await expect(watched.page.locator(".result-window")).to_contain_text("Bearer a.b.c")

    assert watched.page.url == f"{console.url}/graphiql"
    assert (
        await watched.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'
    )


async def test_the_page_is_html_that_is_not_cached_and_names_the_endpoint(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphiql")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert '<meta name="graphql-endpoint" content="/graphql" />' in response.text


async def test_an_endpoint_cannot_break_out_of_the_page() -> None:
    transport = httpx.ASGITransport(application([], endpoint='/a"><script>'))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        response = await client.get("/graphiql")

    assert 'content="/a&quot;&gt;&lt;script&gt;"' in response.text


@pytest.mark.parametrize("path", ["/graphiql", f"/graphiql/assets/{asset_names()[0]}"], ids=["page", "asset"])
async def test_the_page_and_the_assets_allow_only_their_own_server(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; "))

    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "worker-src": "'self'",
        "connect-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self' data:",
        "style-src": "'self' 'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_every_asset_has_its_content_type_and_is_kept_for_good(client: httpx.AsyncClient) -> None:
    types = {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
        "ttf": "font/ttf",
        "woff2": "font/woff2",
    }
    for name in asset_names():
        response = await client.get(f"/graphiql/assets/{name}")
        assert response.headers["Content-Type"] == types[name.rpartition(".")[2]]
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert re.search(r"-[\w-]{8}\.\w+$", name), "an immutable asset is named by its content"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("*", "gzip"),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip;q=0", None),
        ("*, gzip; q=0.000", None),
        ("*;q=0", None),
    ],
)
async def test_an_asset_is_the_same_with_and_without_gzip(
    client: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    name = next(name for name in asset_names() if name.endswith(".css"))
    response = await client.get(f"/graphiql/assets/{name}", headers={"Accept-Encoding": accepted})

    assert response.headers.get("Content-Encoding") == encoding
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.text == asset_texts()[name]


@pytest.mark.parametrize("name", ["missing.js", "index.html", "..%2Froutes.py", "%2e%2e/routes.py"])
async def test_what_is_no_asset_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/graphiql/assets/{name}")).status_code == 404


async def test_every_asset_that_the_page_or_a_style_sheet_names_is_there(client: httpx.AsyncClient) -> None:
    texts = [(await client.get("/graphiql")).text, *asset_texts().values()]
    named = {path for text in texts for path in re.findall(r"/graphiql/assets/([\w.-]+)", text)}

    assert len(named) > 5
    assert named <= set(asset_names())


async def test_no_page_or_style_sheet_names_another_server_and_no_script_a_source_map(
    client: httpx.AsyncClient,
) -> None:
    texts = asset_texts()
    sheets = [text for name, text in texts.items() if name.endswith(".css")]
    for text in [(await client.get("/graphiql")).text, *sheets]:
        assert not re.search(r"(?:https?:)?//\w", text)
    assert not any("sourceMappingURL=" in text for text in texts.values())


def test_the_first_query_is_valid_in_the_published_schema() -> None:
    # The SDL uses federation's directives without defining them.
    schema = build_schema((ROOT / "schema/schema.graphql").read_text(encoding="utf-8"), assume_valid_sdl=True)
    query = (ROOT / "gateway/console/source/first-query.graphql").read_text(encoding="utf-8")

    assert validate(schema, parse(query)) == []


def test_the_assets_are_licensed_and_the_lock_file_names_no_registry() -> None:
    licences = (ROOT / "gateway/console/LICENSES.txt").read_text(encoding="utf-8")
    lock = json.loads((ROOT / "gateway/console/source/package-lock.json").read_text(encoding="utf-8"))

    licensed = set(re.findall(r"^(\S+) \d", licences, re.MULTILINE))
    assert {"graphiql", "monaco-editor", "react", "@fontsource/fira-code"} <= licensed
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
