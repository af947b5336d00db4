"""`xinqiao connector new`: drafts a manifest out of a sample, or of a table."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from connectors.drafting.draft import KINDS, Wishes, draft
from connectors.drafting.sample import LARGEST, Form, Sample, read_sample
from connectors.drafting.tables import read_table
from connectors.errors import ConnectionNotConfigured
from gateway.cli.connector.asking import SHAPES, supply_settings
from gateway.cli.output import failing_plainly
from schema.records import catalogue

_WORDS: Final = {
    record.name: {field.name: field.description_zh for field in record.fields.values()}
    for record in catalogue().records.values()
}
_AGENCY: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_OF: Final = {
    "rest": {Form.JSON, Form.XML},
    "graphql": {Form.JSON},
    "soap": {Form.SOAP},
    "file": {Form.DELIMITED, Form.JSON_LINES, Form.XLSX},
    "sql": {Form.TABLE},
}
"""What samples each kind may have."""


def new(  # noqa: PLR0913 - the options of a command
    sample: Annotated[
        str | None,
        typer.Argument(
            metavar="[SAMPLE]",
            help="A file with what the system answers about a company (JSON, XML, SOAP), or a drop (CSV, JSON lines, "
            "XLSX), also packed by gzip or zip; - reads standard input.",
        ),
    ] = None,
    *,
    table: Annotated[str | None, typer.Option(help="Instead of a sample: a table or view, also schema.table.")] = None,
    agency: Annotated[str | None, typer.Option(help="The agency's id: court, tax-hangzhou.")] = None,
    english: Annotated[str | None, typer.Option("--en", help="The agency's English name.")] = None,
    chinese: Annotated[str | None, typer.Option("--zh", help="The agency's Chinese name.")] = None,
    record: Annotated[str | None, typer.Option(help="The record type that the rows are; guessed otherwise.")] = None,
    kind: Annotated[str | None, typer.Option(help="rest, soap, graphql, file or sql; guessed otherwise.")] = None,
    variable: Annotated[
        str | None,
        typer.Option(
            help="The variable with the address; by default COURT_URL for court, or COURT_DROP of a directory."
        ),
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="rest: the path of the call. file: the drop's name or pattern.")
    ] = None,
    wsdl: Annotated[str | None, typer.Option(help="soap: the copy of the WSDL, from the manifest's directory.")] = None,
    operation: Annotated[str | None, typer.Option(help="soap: the operation.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the draft; printed otherwise.")] = None,
) -> None:
    """Draft a manifest, out of a sample of what the system answers, or of a table's columns and first rows.

    The draft guesses the key, dates, money, which column fills which field, and the code by which the system says how
    it went; TODO marks what has to be decided. It holds names, of columns and elements, and no value of any row. At a
    terminal, what is missing is asked for.
    """
    if table is None and sample is None:
        sample, table = _asked_source()
    agency = _checked(
        agency or _asked("The agency's id (a-z, 0-9, hyphens)"), _AGENCY, "--agency", "an id: a-z, 0-9, -"
    )
    prefix = agency.upper().replace("-", "_")
    address = _checked(variable or f"{prefix}_URL", _VARIABLE, "--variable", "a name in capitals: COURT_URL")
    if record is not None and record not in SHAPES:
        raise typer.BadParameter(f"no record type: there are {', '.join(SHAPES)}", param_hint="--record")
    if out is not None and out.exists():
        raise typer.BadParameter("is there already", param_hint="--out")
    with failing_plainly():
        found = _table(address, table) if table is not None else _sample(sample or "-")
    kind = kind or KINDS[found.form]
    if found.form not in _OF.get(kind, set()):
        raise typer.BadParameter(f"no kind with such a sample ({found.form})", param_hint="--kind")
    english, chinese = english or _maybe("Its English name"), chinese or _maybe("Its Chinese name")
    record = record or _maybe(f"The record type ({', '.join(SHAPES)}; empty: guess)", SHAPES)
    place = table or path or (Path(sample or "").name if kind == "file" and sample != "-" else None)
    if kind == "file" and variable is None:
        address = f"{prefix}_DROP"
    wishes = Wishes(agency, english, chinese, kind, record, address, place, wsdl, operation)
    text = draft(found, wishes, SHAPES, _WORDS)
    if out is None:
        typer.echo(text, nl=False)
        return
    with failing_plainly():
        out.write_text(text, encoding="utf-8")
    typer.echo(f"{out} is drafted, with {text.count('TODO')} things to decide. Then: xinqiao connector check {out}")


def _asked_source() -> tuple[str | None, str | None]:
    """A sample, or a table."""
    sample = _maybe("A file with a sample (empty: a table)")
    if sample:
        return sample, None
    table = _maybe("The table")
    if not table:
        raise typer.BadParameter("a sample, or --table", param_hint="SAMPLE")
    return None, table


def _sample(place: str) -> Sample:
    if place == "-":
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(place).open("rb") as file:
            content = file.read(LARGEST + 1)
    return asyncio.run(read_sample(content))


def _table(variable: str, table: str) -> Sample:
    try:
        return asyncio.run(read_table(variable, table, supply_settings()))
    except ValidationError:
        raise typer.BadParameter("no table's name", param_hint="--table") from None
    except ConnectionNotConfigured as error:
        raise typer.BadParameter(f"{variable} is not set to the database's address", param_hint="--variable") from error


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _asked(what: str) -> str:
    if not _at_terminal():
        raise typer.BadParameter("is needed", param_hint="--agency")
    return str(typer.prompt(what))


def _maybe(what: str, known: object = None) -> str | None:
    """What is typed, where there is somebody to type; None for nothing."""
    while _at_terminal():
        said = str(typer.prompt(what, default="", show_default=False)).strip()
        if not said or known is None or said in known:  # type: ignore[operator]
            return said or None
    return None


def _checked(text: str, pattern: re.Pattern[str], option: str, wanted: str) -> str:
    if not pattern.fullmatch(text):
        raise typer.BadParameter(f"is not {wanted}", param_hint=option)
    return text
