"""`xinqiao serve`: the gateway over the agencies of an installation."""

from __future__ import annotations

import os
from typing import Annotated

import typer
import uvloop

from gateway.cli.output import Json, failing_plainly, print_json
from gateway.edge.server import address, interrupted, listening, running_server
from gateway.edge.workers import run_workers
from gateway.logs import configure_logging
from gateway.settings import Settings, load_settings


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on, instead of the setting.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=99, help="How many processes answer, instead of the setting.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve the gateway that the settings describe (environment variables XINQIAO_..., docs/settings.md)."""
    with failing_plainly():
        given = {
            name: value for name, value in {"host": host, "port": port, "workers": workers}.items() if value is not None
        }
        settings = load_settings().model_copy(update=given)
        configure_logging(settings.log_format, settings.log_level)
        uvloop.run(_serve_with_workers(settings, json=json) if settings.workers > 1 else _serve(settings, json=json))


async def _serve(settings: Settings, *, json: bool) -> None:
    async with running_server(settings, os.environ) as where:
        _tell(where, json=json)
        await interrupted()


async def _serve_with_workers(settings: Settings, *, json: bool) -> None:
    with listening(settings) as listener:
        await run_workers(settings, listener, lambda: _tell(address(listener, settings), json=json))


def _tell(where: str, *, json: bool) -> None:
    if json:
        print_json({"url": f"{where}/graphql"})
    else:
        typer.echo(f"Xinqiao answers at {where}/graphql, and has a page at {where}/graphiql.")
