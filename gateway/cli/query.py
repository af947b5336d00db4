"""`xinqiao query`: ask a running gateway."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
import typer

from gateway.cli.output import FAILED, UNUSABLE, Json, print_json, print_table

SECONDS: Final = 60.0
"""How long an answer may take. The gateway's own deadline is shorter."""


def query(  # noqa: PLR0913 - the options of a command
    file: Annotated[typer.FileText, typer.Argument(help="The GraphQL operation; - reads standard input.")],
    *,
    url: Annotated[str, typer.Option(envvar="XQ_URL", help="The gateway's GraphQL endpoint.")] = (
        "http://127.0.0.1:8000/graphql"
    ),
    token: Annotated[
        str | None, typer.Option(envvar="XQ_TOKEN", help="Who asks: a bearer token.", show_envvar=True)
    ] = None,
    purpose: Annotated[str | None, typer.Option(help="Why: a purpose such as credit.underwriting.")] = None,
    consent: Annotated[list[str] | None, typer.Option(help="A company's signed consent; may be repeated.")] = None,
    variables: Annotated[str, typer.Option(help="The operation's variables, a JSON object.")] = "{}",
    json: Json = False,
) -> None:
    """Ask a running gateway, and print what it answers."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise typer.BadParameter("must begin with http:// or https://", param_hint="--url")
    try:
        body = {"query": file.read(), "variables": orjson.loads(variables)}
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint="--variables") from None
    answer = _ask(url, body, _headers(token, purpose, consent or []))
    if json:
        print_json(answer)
    else:
        _show(answer)
    if answer.get("errors"):
        raise typer.Exit(FAILED)


def _headers(token: str | None, purpose: str | None, consents: list[str]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if purpose:
        headers["X-Purpose"] = purpose
    if consents:
        headers["X-Consent"] = ", ".join(consents)
    return headers


def _ask(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(url, orjson.dumps(body), dict(headers))  # noqa: S310 - http(s), checked
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310 - the same
            text = response.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    except (urllib.error.URLError, TimeoutError) as error:
        typer.echo(f"No gateway answers at {url}: {getattr(error, 'reason', error)}. Is it running?", err=True)
        raise typer.Exit(UNUSABLE) from None
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        typer.echo(f"What answers at {url} is no GraphQL endpoint.", err=True)
        raise typer.Exit(UNUSABLE) from None
    return dict(answer)


def _show(answer: Mapping[str, Any]) -> None:
    """A table for each object that holds answers, and one for each answer's records."""
    for title, rows in _tables("", answer.get("data") or {}):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        print_table(title, columns, ([row.get(column, "") for column in columns] for row in rows))
    for error in answer.get("errors", ()):
        typer.echo(f"{error.get('extensions', {}).get('code', 'ERROR')}: {error['message']}", err=True)


def _tables(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Every object's own values as one row, and every list of objects below it as a table of its own."""
    own: dict[str, str] = {}
    nested: list[tuple[str, list[Any]]] = []
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if isinstance(item, dict) and any(isinstance(part, dict | list) for part in item.values()):
            nested.append((place, [item]))
        elif isinstance(item, list) and any(isinstance(part, dict) for part in item):
            nested.append((place, item))
        else:
            own[key] = _text(item)
    if own:
        yield path or "data", [own]
    for place, items in nested:
        flat = [item for item in items if isinstance(item, dict)]
        if all(not isinstance(part, list) for item in flat for part in item.values()):
            yield place, [_row(item) for item in flat]
        else:
            for item in flat:
                yield from _tables(place, item)


def _row(item: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in item.items():
        name = f"{prefix}{key}"
        row.update(_row(value, f"{name}.") if isinstance(value, dict) else {name: _text(value)})
    return row


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return " ".join(f"{key} {_text(part)}" for key, part in value.items() if part is not None)
    return orjson.dumps(value).decode()
