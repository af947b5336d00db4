"""What the commands print: tables for people, one JSON document for programs, errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from connectors.errors import ConnectorError
from gateway.errors import GatewayError
from policies.errors import PolicyError
from schema.errors import SchemaError

FAILED: Final = 1
"""The exit status where what was looked at has errors."""

UNUSABLE: Final = 2
"""The exit status where a command cannot be carried out."""

PAGE_WIDTH: Final = 120
"""How wide a table may be where the output is no terminal, in characters."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]


def counted(number: int, noun: str) -> str:
    """A number of things, whose plural is in -s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_json(document: object) -> None:
    """One JSON document on one line of standard output."""
    typer.echo(orjson.dumps(document).decode())


def plain(text: str) -> str:
    """The text with what could steer the terminal, or hide what stands there, made visible as replacement characters:
    others wrote it.
    """
    return "".join(one if one.isprintable() or one in "\n\t\u3000" else "\ufffd" for one in text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output, as wide as the terminal, or as a page where there is none."""
    table = Table()
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*map(plain, row))
    console = Console(width=None if sys.stdout.isatty() else PAGE_WIDTH, highlight=False, markup=False)
    console.print(plain(title), style="bold")
    console.print(table)


@contextmanager
def failing_plainly() -> Iterator[None]:
    """Turns the packages' errors, and files that cannot be read or written, into a message on standard error and the
    exit status `UNUSABLE`.
    """
    try:
        yield
    except (GatewayError, ConnectorError, PolicyError, SchemaError) as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"{error.filename} cannot be read or written: {error.strerror}", err=True)
        raise typer.Exit(UNUSABLE) from None
