"""`xinqiao query`: ask a running gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import orjson
import typer

from gateway.cli.http import headers_for, post
from gateway.cli.output import FAILED, Json, print_json, print_table

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
    try:
        body = {"query": file.read(), "variables": orjson.loads(variables)}
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint="--variables") from None
    except UnicodeDecodeError:
        raise typer.BadParameter("is not UTF-8", param_hint="file") from None
    answer = post(url, body, _headers(token, purpose, consent or []), SECONDS)
    if json:
        print_json(answer)
    else:
        _show(answer)
    if answer.get("errors"):
        raise typer.Exit(FAILED)


def _headers(token: str | None, purpose: str | None, consents: list[str]) -> dict[str, str]:
    headers = headers_for(token)
    if purpose:
        headers["X-Purpose"] = purpose
    if consents:
        headers["X-Consent"] = ", ".join(consents)
    return headers


def _show(answer: Mapping[str, Any]) -> None:
    """A table for each object's own values, and one for each list of objects."""
    for title, rows in _tables("", answer.get("data") or {}):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        print_table(title, columns, ([row.get(column, "") for column in columns] for row in rows))
    for error in answer.get("errors", ()):
        path = ".".join(str(part) for part in error.get("path", ()))
        place = f" ({path})" if path else ""
        typer.echo(f"{error.get('extensions', {}).get('code', 'ERROR')}: {error['message']}{place}", err=True)
    for refused in answer.get("extensions", {}).get("consents", ()):
        typer.echo(f"{refused['code']}: consent {refused['index'] + 1}: {refused['message']}", err=True)


def _tables(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """What an object holds itself as a table of one row, then its lists, as deep as they are."""
    own = {key: item for key, item in value.items() if not _holds_objects(item)}
    if own:
        yield path or "data", [_row(own)]
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if key in own:
            continue
        if isinstance(item, dict):
            yield from _tables(place, item)
        elif any(_holds_objects(part) for one in item if one for part in one.values()):
            for index, one in enumerate(item):
                yield from _tables(f"{place}[{index}]", one or {"value": None})
        else:
            yield place, [_row(one or {}) for one in item]


def _holds_objects(value: object) -> bool:
    """Whether a list of objects is in the value, however deep."""
    if isinstance(value, dict):
        return any(_holds_objects(part) for part in value.values())
    return isinstance(value, list) and any(isinstance(part, dict) for part in value)


def _row(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    row: dict[str, str] = {}
    for key, item in value.items():
        row.update(_row(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": _text(item)})
    return row


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
