"""`xinqiao sdl`: the public contract."""

from __future__ import annotations

from typing import Annotated

import typer
from graphql import introspection_from_schema

from gateway.admin.schema import SCHEMA
from gateway.cli.output import Json, print_json
from schema import sdl as contract
from schema.graphql_schema import executable_schema


def sdl(
    *,
    subgraph: Annotated[
        bool, typer.Option(help="As a router that composes subgraphs gets it: without SEALED fields.")
    ] = False,
    admin: Annotated[bool, typer.Option("--admin", help="The administration's own schema.")] = False,
    json: Json = False,
) -> None:
    """Print the schema (SDL; with --json the result of the introspection query)."""
    if admin and json:
        print_json(SCHEMA.introspect())
    elif admin:
        typer.echo(contract.tidy(SCHEMA.as_str()), nl=False)
    elif json:
        print_json(introspection_from_schema(executable_schema(contract.sealed() if subgraph else frozenset())))
    else:
        typer.echo(contract.subgraph_sdl() if subgraph else contract.sdl(), nl=False)
