"""`xinqiao serve`: the gateway over the agencies of an installation."""

from __future__ import annotations

import os
from typing import Annotated

import typer
import uvloop

from gateway.cli.output import Json, failing_plainly, print_json
from gateway.logs import configure_logging
from gateway.server import interrupted, running_server
from gateway.settings import Settings, load_settings


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on, instead of the setting.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free one.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve the gateway that the settings describe (environment variables XINQIAO_..., docs/settings.md)."""
    with failing_plainly():
        given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
        settings = load_settings().model_copy(update=given)
        configure_logging(settings.log_format, settings.log_level)
        uvloop.run(_serve(settings, json=json))


async def _serve(settings: Settings, *, json: bool) -> None:
    async with running_server(settings, os.environ) as address:
        if json:
            print_json({"url": f"{address}/graphql"})
        else:
            typer.echo(f"Xinqiao answers at {address}/graphql, and has a page at {address}/graphiql.")
        await interrupted()
