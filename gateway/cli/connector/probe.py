"""`xinqiao connector probe`: asks a real system, and shows everything on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from msgspec.json import Encoder

from connectors.contract import Outcome, SourceAnswer, SourceCall
from connectors.errors import AgencyFailure, ConnectionNotConfigured
from connectors.hiding import Hiding
from connectors.manifest import Manifest
from connectors.paths import MISSING
from connectors.probe import FieldSeen, Probed, RowSeen
from connectors.probe import probe as ask
from connectors.watch import Exchange
from gateway.cli.connector.asking import (
    Organisation,
    Purpose,
    asker,
    company_keys,
    good_manifest,
    nobody_known_by,
    not_configured,
    shapes_of,
    supply_settings,
)
from gateway.cli.output import FAILED, Json, counted, failing_plainly, plain, print_json, print_table
from schema.values import Code, Count, DateSpan, Money, Value

_encode: Final = Encoder(enc_hook=str, decimal_format="number").encode

_SHOWN: Final = 300
"""How many characters of a body are shown, unless all are wanted."""


def probe(  # noqa: PLR0913 - the options of a command
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest's file.")],
    codes: Annotated[
        list[str],
        typer.Argument(
            metavar="CODE...",
            help="Companies to ask about: credit codes; numbers or names where these are the keys.",
        ),
    ],
    *,
    record: Annotated[list[str] | None, typer.Option(help="Only this record type; may be repeated.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; may be repeated.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="How many rows to show of each dataset.")] = 3,
    whole: Annotated[bool, typer.Option("--whole", help="Show bodies in full.")] = False,
    organisation: Organisation = "xinqiao-connector-probe",
    purpose: Purpose = None,
    json: Json = False,
) -> None:
    """Ask the real system about companies, and show what was sent, what came, and what each field became.

    The agency's values are printed here, on your terminal, for that is what the command is for. None of them goes into
    a log, and secrets are not shown. The system is asked once, as the gateway would.
    """
    with failing_plainly():
        read = good_manifest(manifest)
        settings = supply_settings()
        asked = company_keys(codes)
        who = asker(organisation, purpose)
        try:
            hiding = Hiding(read, settings.environment)
            probed = asyncio.run(
                ask(read, shapes_of(read), settings, asked, records=record or (), fields=field or (), asker=who)
            )
        except ConnectionNotConfigured as error:
            raise not_configured(error) from None
    if not probed:
        raise nobody_known_by(codes)
    if json:
        print_json([_document(one, hiding) for one in probed])
    for one in () if json else probed:
        _show(one, read, hiding, rows, None if whole else _SHOWN)
    if any(answer.outcome is Outcome.FAILED for one in probed for answer in one.answers.values()):
        raise typer.Exit(FAILED)


def _show(probed: Probed, manifest: Manifest, hiding: Hiding, rows: int, shown: int | None) -> None:
    typer.secho(probed.dataset, bold=True)
    for call, _ in probed.calls:
        typer.echo(f"  asked for {counted(len(call.keys), 'key')}: {' '.join(call.keys[:5])}")
        typer.echo(f"            {counted(len(call.columns), 'column')}: {' '.join(sorted(call.columns))}")
    for exchange in probed.exchanges:
        _show_exchange(exchange, manifest, hiding, shown)
    for statement, parameters in probed.statements:
        typer.echo(_indented("sent", hiding.hide(f"{statement}\n{parameters}"), shown))
    for _, answer in probed.calls:
        typer.echo(f"  came      {_came(answer, hiding)}")
    for remark in probed.remarks:
        typer.echo(f"  look      {hiding.hide(remark)}")
    for number, row in enumerate(probed.rows[:rows], 1):
        _show_row(row, f"row {number} of {len(probed.rows)}")
    if len(probed.rows) > rows:
        typer.echo(f"  (and {counted(len(probed.rows) - rows, 'row')} more: --rows)")
    for code, company in probed.answers.items():
        told = [str(company.outcome), counted(len(company.rows), "row")]
        told += [str(company.failure)] if company.failure else []
        told += [f"{counted(company.unmapped, 'value')} or rows not mapped"] if company.unmapped else []
        told += [f"as of {company.as_of.isoformat()}"] if company.as_of else []
        typer.echo(f"  {code}: {', '.join(told)}")
    typer.echo("")


def _show_exchange(exchange: Exchange, manifest: Manifest, hiding: Hiding, shown: int | None) -> None:
    connection: Any = manifest.connection
    sent = [f"{exchange.method} {_address(exchange, connection.url, hiding)}"]
    sent += [f"{name}: {value}" for name, value in connection.headers.items()]
    sent += [f"(shows whose it is by {connection.auth.scheme})"] if connection.auth else []
    sent += [f"(tells the caller by {', '.join(sorted(manifest.forward.headers))})"] if manifest.forward else []
    sent += [_text(exchange.body)] if exchange.body else []
    typer.echo(_indented("sent", hiding.hide("\n".join(sent)), shown))
    if exchange.status is None:
        typer.echo(f"  came      nothing: {exchange.failure}")
    else:
        came = f"status {exchange.status}, {counted(len(exchange.content), 'byte')}\n{_text(exchange.content)}"
        typer.echo(_indented("came", hiding.hide(came), shown))


def _address(exchange: Exchange, url: str, hiding: Hiding) -> str:
    """Where it was sent, with the address as the manifest has it: its path may be a secret, too."""
    own = urlsplit(hiding.filled(url)).path.rstrip("/")
    return url + exchange.target.removeprefix(own) if exchange.target.startswith(own) else exchange.target


def _came(answer: SourceAnswer | AgencyFailure, hiding: Hiding) -> str:
    if isinstance(answer, AgencyFailure):
        return hiding.hide(f"no answer: {answer.failure}: {answer}")
    told = [counted(len(answer.rows), "row")]
    told += [f"{counted(len(answer.unknown), 'key')} unknown"] if answer.unknown else []
    told += ["cut off by a limit"] if answer.truncated else []
    told += [f"{counted(answer.dropped, 'row')} that cannot be read"] if answer.dropped else []
    reasons = "; ".join(sorted({str(failure) for failure in answer.failed.values()}))
    told += [f"{counted(len(answer.failed), 'key')} failed: {hiding.hide(reasons)}"] if answer.failed else []
    return ", ".join(told)


def _show_row(row: RowSeen, title: str) -> None:
    whose = ", ".join(row.owners) if row.owners else "nobody that was asked for"
    title += ", whose key is no code: it may be anybody's" if row.anybodys else f", of {whose}"
    title += "" if row.counts else ", which does not count (only, except)"
    print_table(title, ("field", "from", "came", "became"), [_field(field) for field in row.fields])
    if row.unread:
        typer.echo(f"  read by no field: {plain(' '.join(row.unread))}")


def _field(field: FieldSeen) -> tuple[str, str, str, str]:
    came = [_raw(raw) for raw in field.raws.values()]
    became = f"NOT MAPPED: {field.why}" if field.why else _value(field.value)
    return field.name, "\n".join(field.raws) or "(constant)", "\n".join(came), became


def _raw(raw: object) -> str:
    if raw is MISSING:
        return "(no such place)"
    if isinstance(raw, str | date):
        return str(raw)
    return _encode(raw).decode()


def _value(value: Value) -> str:  # noqa: PLR0911  (one for each kind of value)
    match value:
        case None:
            return "nothing"
        case Money(amount=amount, currency=currency):
            return f"{amount.normalize():f} {currency}" if amount is not None else "nothing"
        case DateSpan(date=day):
            return str(day)
        case Count(value=number):
            return str(number)
        case Code(code=code, label=label):
            return code if label is None else f"{code} ({label})"
        case bool():
            return "yes" if value else "no"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _text(content: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _indented(label: str, text: str, shown: int | None) -> str:
    cut = text if shown is None or len(text) <= shown else f"{text[:shown]}... (--whole shows all)"
    first, *others = plain(cut).splitlines() or [""]
    return "\n".join([f"  {label:<10}{first}", *(f"            {line}" for line in others)])


def _document(probed: Probed, hiding: Hiding) -> Mapping[str, Any]:
    return {
        "dataset": probed.dataset,
        "seconds": round(probed.seconds, 3),
        "calls": [_call(call, answer, hiding) for call, answer in probed.calls],
        "exchanges": [
            {
                "sent": hiding.hide(f"{exchange.method} {exchange.target}"),
                "body": hiding.hide(_text(exchange.body)),
                "status": exchange.status,
                "came": hiding.hide(_text(exchange.content)),
                "failure": exchange.failure,
            }
            for exchange in probed.exchanges
        ],
        "remarks": [hiding.hide(remark) for remark in probed.remarks],
        "statements": [hiding.hide(f"{statement} {parameters}") for statement, parameters in probed.statements],
        "rows": [
            {
                "companies": row.owners,
                "anybodys": row.anybodys,
                "counts": row.counts,
                "fields": {field.name: _field_document(field) for field in row.fields},
                "unread": row.unread,
            }
            for row in probed.rows
        ],
        "answers": {
            str(code): {
                "outcome": answer.outcome,
                "failure": answer.failure,
                "rows": len(answer.rows),
                "unmapped": answer.unmapped,
                "asOf": answer.as_of.isoformat() if answer.as_of else None,
            }
            for code, answer in probed.answers.items()
        },
    }


def _call(call: SourceCall, answer: SourceAnswer | AgencyFailure, hiding: Hiding) -> Mapping[str, Any]:
    return {"keys": list(call.keys), "columns": sorted(call.columns), "came": _came(answer, hiding)}


def _field_document(field: FieldSeen) -> Mapping[str, Any]:
    came: Sequence[str] = [_raw(raw) for raw in field.raws.values()]
    return {"from": list(field.raws), "came": came, "became": _value(field.value), "why": field.why or None}
