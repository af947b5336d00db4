"""How the commands ask a running gateway."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import typer

from gateway.cli.output import UNUSABLE


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """The GraphQL response to a body. `seconds` is how long the answer may take; the gateway's own deadline is shorter.

    Ends the command where nothing answers at the address, or no GraphQL endpoint does.
    """
    try:
        known = urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        known = False
    if not known:
        raise typer.BadParameter("must be an address that begins with http:// or https://", param_hint="--url")
    if not "".join(headers.values()).isascii():
        raise typer.BadParameter("tokens, purposes and consents are plain ASCII", param_hint="--token, --purpose")
    request = urllib.request.Request(url, orjson.dumps(body), dict(headers))  # noqa: S310 - http(s), checked
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310 - the same
            text = response.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    except (urllib.error.URLError, TimeoutError) as error:
        typer.echo(f"No gateway answers at {url}: {getattr(error, 'reason', error)}. Is it running?", err=True)
        raise typer.Exit(UNUSABLE) from None
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        typer.echo(f"What answers at {url} is no GraphQL endpoint.", err=True)
        raise typer.Exit(UNUSABLE) from None
    return answer


def headers_for(token: str | None) -> dict[str, str]:
    """The headers of a GraphQL request by the bearer of this token, if any."""
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers
