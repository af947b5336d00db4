"""`xinqiao sdl`: the public contract."""

from __future__ import annotations

from typing import Annotated

import typer
from graphql import introspection_from_schema

from gateway.admin.schema import SCHEMA
from gateway.assembly import read_installation
from gateway.cli.output import Json, failing_plainly, print_json
from gateway.settings import load_settings
from schema.contract import Contract, national
from schema.sdl import tidy


def sdl(
    *,
    subgraph: Annotated[
        bool, typer.Option(help="As a router that composes subgraphs gets it: without SEALED fields.")
    ] = False,
    own: Annotated[
        bool, typer.Option("--own", help="With the record types that the manifests declare, as if they were released.")
    ] = False,
    admin: Annotated[bool, typer.Option("--admin", help="The administration's own schema.")] = False,
    json: Json = False,
) -> None:
    """Print the schema (SDL; with --json the result of the introspection query)."""
    if admin and json:
        print_json(SCHEMA.introspect())
    elif admin:
        typer.echo(tidy(SCHEMA.as_str()), nl=False)
    else:
        contract = _with_own() if own else national()
        if json:
            hidden = contract.catalogue.sealed() if subgraph else frozenset[str]()
            print_json(introspection_from_schema(contract.schema(hidden)))
        else:
            typer.echo(contract.subgraph_sdl(()) if subgraph else contract.text, nl=False)


def _with_own() -> Contract:
    with failing_plainly():
        return read_installation(load_settings()).contract
