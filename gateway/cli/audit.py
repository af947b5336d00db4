"""`xinqiao audit`: verifies the audit log, reads it, and proves what is in it. Who reads it is recorded in it."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import pwd
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import orjson
import typer
from joserfc.jwk import KeySet

from gateway.assembly import read_secrets
from gateway.audit.keys import load_public_keys
from gateway.audit.notary import Books
from gateway.audit.open import READS, anchor, audit_archive, audit_ledger, audit_log
from gateway.audit.proof import Proof, check_proof, prove
from gateway.audit.reading import Found, Sought, find
from gateway.audit.verify import Report
from gateway.audit.verify import verify as verify_log
from gateway.cli.key_files import KeySetFile, NewKey, make_key_pair
from gateway.cli.output import FAILED, Json, counted, failing_plainly, print_json, print_table
from gateway.errors import AuditUnavailableError, ProofInvalidError
from gateway.receipt import salted_digest
from gateway.settings import Settings, load_settings
from schema.credit_code import CreditCode

READ_SECONDS: Final = 10.0
"""How long a command waits for another that records what it reads."""

_LOGIN_UID: Final = Path("/proc/self/loginuid")
_NOBODY_LOGGED_IN: Final = 2**32 - 1

_SECONDS: Final = len("2026-11-24T12:00:00")

_SPARE: Final = 1_000
"""How many records more than are shown are held at once."""

audit: Final = typer.Typer(
    name="audit",
    help="Verify the audit log, read it, and prove what is in it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Since = Annotated[str | None, typer.Option(help="From this moment on, as 2026-11-24T12:00:00+08:00.")]
Until = Annotated[str | None, typer.Option(help="Before this moment.")]
Keys = Annotated[Path | None, typer.Option(help="The public keys (JWKS); by default those of XINQIAO_AUDIT__KEYS.")]


@audit.command()
def keys(key: NewKey, jwks: KeySetFile, *, json: Json = False) -> None:
    """Make a key pair (Ed25519) for checkpoints and receipts. The set keeps its old keys, for what they signed."""
    make_key_pair(key, jwks, "Ed25519", json=json)


@audit.command()
def verify(
    *,
    keys: Keys = None,
    anchors: Annotated[
        list[str] | None, typer.Option("--anchor", help="An anchor, beside those of the settings; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify every record, checkpoint and copy of one. Exit status 1 where anything is wrong. This is not recorded."""
    with failing_plainly():
        settings = load_settings()
        report = asyncio.run(_verified(settings, _public_keys(settings, keys), anchors or ()))
    if json:
        print_json({**asdict(report), "signed": report.certified_at is not None})
    else:
        _show_report(report)
    if report.findings:
        raise typer.Exit(FAILED)


@audit.command()
def show(  # noqa: PLR0913  # the options of a command
    *,
    request: Annotated[str | None, typer.Option(help="The record of the request with this id, whole.")] = None,
    organisation: Annotated[str | None, typer.Option(help="Records of this organisation alone.")] = None,
    since: Since = None,
    until: Until = None,
    last: Annotated[int, typer.Option(min=1, help="So many of the newest at most.")] = 20,
    json: Json = False,
) -> None:
    """Show the newest records, or those that are asked for."""
    sought = Sought(_moment(since, "--since"), _moment(until, "--until"), organisation, request)
    found: list[Found] = []

    def take(one: Found) -> None:
        found.append(one)
        if len(found) > last + _SPARE:
            found[:] = _newest(found, last)

    _read("show", sought, take)
    found = _newest(found, last)
    if json or request:
        for one in found:
            typer.echo(one.line.decode())
    else:
        print_table("Records", ("at", "organisation", "subject", "purpose", "what", "request"), map(_row, found))
    if request and not found:
        typer.echo(f"There is no record of a request {request}.", err=True)
        raise typer.Exit(FAILED)


@audit.command("who-looked")
def who_looked(
    code: Annotated[str, typer.Argument(help="The company's credit code.")],
    *,
    since: Since = None,
    until: Until = None,
    json: Json = False,
) -> None:
    """Tell who asked about a company, for which purpose, and on which basis."""
    with failing_plainly():
        company = CreditCode.parse(code)
    sought = Sought(_moment(since, "--since"), _moment(until, "--until"), company=company)
    looks: list[dict[str, Any]] = []
    _read("who-looked", sought, lambda one: looks.append(_look(one.record, company)))
    looks.sort(key=lambda look: str(look["at"]))
    if json:
        print_json(looks)
        return
    columns = ("at", "organisation", "subject", "purpose", "bases", "clear", "masked", "withheld", "request")
    print_table(f"Who looked at {company} (fields clear, masked, withheld)", columns, map(_look_row, looks))


@audit.command()
def export(
    *,
    output: Annotated[Path, typer.Option(help="Where to: a new file, one JSON record a line, for its owner alone.")],
    organisation: Annotated[str | None, typer.Option(help="Records of this organisation alone.")] = None,
    since: Since = None,
    until: Until = None,
    json: Json = False,
) -> None:
    """Write records to a file, each with the chain that it is in."""
    sought = Sought(_moment(since, "--since"), _moment(until, "--until"), organisation)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be made: {error.strerror}", param_hint="--output") from None
    number = 0
    with os.fdopen(descriptor, "wb") as file:

        def take(one: Found) -> None:
            nonlocal number
            file.write(b'{"chain":"%b",%b\n' % (one.chain.encode(), one.line[1:]))
            number += 1

        _read("export", sought, take)
    if json:
        print_json({"records": number})
    else:
        typer.echo(f"{counted(number, 'record')} in {output}.")


@audit.command()
def proof(
    request: Annotated[str, typer.Argument(help="The id of the request whose record is to be proved.")],
    *,
    keys: Keys = None,
) -> None:
    """Print the proof of one record, as JSON: the record, its checkpoint, and the way from one to the other."""
    with failing_plainly():
        settings = load_settings()
        public = _needed_keys(settings, keys)
    found: list[Found] = []
    _read("proof", Sought(request=request), found.append)
    if not found:
        typer.echo(f"There is no record of a request {request}.", err=True)
        raise typer.Exit(FAILED)
    with failing_plainly():
        # Of a request that was not answered, the last record says why.
        made = asyncio.run(_proved(settings, found[-1], public))
    print_json(asdict(made))


@audit.command("check-answer")
def check_answer(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    body: Annotated[Path, typer.Argument(help="The response's body, byte for byte.")],
    *,
    json: Json = False,
) -> None:
    """Say whether this is what was answered to a request, receipt or none. Exit status 1 where it is not."""
    with failing_plainly():
        salt = read_secrets(load_settings()).salt
        digest = salted_digest(salt.nonce(request), body.read_bytes())
    found: list[Found] = []
    _read("check-answer", Sought(request=request), found.append)
    same = any(one.record.get("response") == digest for one in found)
    if json:
        print_json({"answered": same, "records": len(found)})
    else:
        typer.echo("This was the answer." if same else "This was not the answer, by the log and XINQIAO_SECRET.")
    if not same:
        raise typer.Exit(FAILED)


@audit.command("check-proof")
def check(
    file: Annotated[Path, typer.Argument(help="The proof.")],
    *,
    keys: Annotated[Path, typer.Option(help="The public keys (JWKS) of whoever keeps the log.")],
    json: Json = False,
) -> None:
    """Check a proof, with nothing but the public keys, and show its record. Exit status 1 where it proves nothing."""
    with failing_plainly():
        public = load_public_keys(keys)
        content = file.read_bytes()
    try:
        made = msgspec.json.decode(content, type=Proof)
        checkpoint = check_proof(made, public)
    except (ProofInvalidError, msgspec.DecodeError) as error:
        typer.echo(f"{ProofInvalidError.code}: {error}", err=True)
        raise typer.Exit(FAILED) from None
    if json:
        print_json({"certified": checkpoint.at, "checkpoint": checkpoint.number, "record": orjson.loads(made.record)})
    else:
        typer.echo(f"Checkpoint {checkpoint.number} of {checkpoint.at.isoformat()} names this record:")
        typer.echo(made.record)


def _read(command: str, sought: Sought, take: Callable[[Found], None]) -> None:
    """Takes each record that is sought, once it is recorded who seeks them."""
    with failing_plainly():
        asyncio.run(_recorded_and_read(load_settings(), command, sought, take))


async def _recorded_and_read(settings: Settings, command: str, sought: Sought, take: Callable[[Found], None]) -> None:
    record = {
        "at": dt.datetime.now(dt.UTC),
        "outcome": "READ",
        "subject": _user(os.getuid()),
        "onBehalfOf": _logged_in(),
        "command": command,
        "sought": {name: value for name, value in asdict(sought).items() if value is not None},
    }
    async with _books(settings) as books:
        await _append(settings, record)
        async for one in find(books.archive, sought):
            take(one)


def _user(number: int) -> str:
    """The user's name, as the machine knows it: what the environment says anybody can set."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _logged_in() -> str | None:
    """Who logged in to become the user that runs this, as the kernel keeps it (`loginuid`); else as sudo says, which
    whoever does not use sudo could say too; None where neither says anything.
    """
    try:
        number = int(_LOGIN_UID.read_text())
    except (OSError, ValueError):
        number = _NOBODY_LOGGED_IN
    return _user(number) if number != _NOBODY_LOGGED_IN else os.environ.get("SUDO_USER")


async def _append(settings: Settings, record: dict[str, Any]) -> None:
    """Records it; another command that does so at this moment is waited for."""
    end = asyncio.get_running_loop().time() + READ_SECONDS
    while True:
        try:
            async with audit_log(settings, READS) as log:
                await log.append(record)
                return
        except AuditUnavailableError:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _books(settings: Settings, anchors: Iterable[str] = ()) -> AsyncIterator[Books]:
    addresses = [*(one.get_secret_value() for one in settings.audit.anchors), *anchors]
    opened = {f"anchor {place}": anchor(address, settings) for place, address in enumerate(addresses, 1)}
    books = Books(audit_archive(settings), audit_ledger(settings), opened)
    try:
        yield books
    finally:
        await books.archive.close()
        await books.ledger.close()
        for one in opened.values():
            await one.close()


async def _verified(settings: Settings, public: KeySet | None, anchors: Iterable[str]) -> Report:
    async with _books(settings, anchors) as books:
        return await verify_log(settings.audit.instance, books, public)


async def _proved(settings: Settings, one: Found, public: KeySet) -> Proof:
    async with _books(settings) as books:
        return await prove(one.chain, one.line, books, public)


def _public_keys(settings: Settings, keys: Path | None) -> KeySet | None:
    path = keys or settings.audit.keys
    return load_public_keys(path) if path else None


def _needed_keys(settings: Settings, keys: Path | None) -> KeySet:
    public = _public_keys(settings, keys)
    if public is None:
        raise typer.BadParameter("there are no public keys; set XINQIAO_AUDIT__KEYS, or name them", param_hint="--keys")
    return public


def _show_report(report: Report) -> None:
    rows = [(one.chain, str(one.first), str(one.last), str(one.certified)) for one in report.chains]
    print_table("Chains", ("chain", "first record", "last", "under a checkpoint up to"), rows)
    if report.certified_at is None:
        typer.echo("No checkpoint was verified: whoever can write the log can write it anew.")
    else:
        typer.echo(f"{counted(report.checkpoints, 'checkpoint')}, the last of {report.certified_at.isoformat()}.")
    if not report.anchored:
        typer.echo("No anchor was asked: an end that was cut off, checkpoints and all, cannot be seen.")
    for name, number in report.anchored.items():
        typer.echo(f"{name} has {counted(number, 'checkpoint')}.")
    if report.findings:
        rows = [(one.fault, one.where, _text(one.number), one.message) for one in report.findings]
        print_table("What is wrong", ("fault", "where", "number", "how"), rows)
    else:
        typer.echo("Nothing is wrong.")


def _newest(found: list[Found], number: int) -> list[Found]:
    return sorted(found, key=lambda one: str(one.record["at"]))[-number:]


def _row(one: Found) -> tuple[str, ...]:
    record = one.record
    what = " ".join(str(record[name]) for name in ("outcome", "act", "code", "command") if record.get(name))
    names = ("organisation", "subject", "purpose")
    request = _text(record.get("requestId"))
    return (record["at"][:_SECONDS], *(_text(record.get(name)) for name in names), what, request)


def _look(record: dict[str, Any], company: str) -> dict[str, Any]:
    """One look at a company: what was decided for the classes that it may have been in."""
    classes = [one for one in record.get("classes", ()) if company in one.get("codes", (company,))]
    decided = [decision for one in classes for decision in one["decisions"]]
    coordinates = {
        kind.lower(): sorted({one["coordinate"] for one in decided if one["decision"] == kind})
        for kind in ("CLEAR", "MASKED", "WITHHELD")
    }
    return {
        "at": record["at"],
        "organisation": record.get("organisation"),
        "subject": record.get("subject"),
        "purpose": record.get("purpose"),
        "bases": sorted({basis for one in classes for basis in one["bases"]}),
        **coordinates,
        "request": record.get("requestId"),
    }


def _look_row(look: dict[str, Any]) -> tuple[str, ...]:
    bases = ", ".join(look["bases"])
    return tuple(
        bases if name == "bases" else str(len(value)) if isinstance(value, list) else _text(value)
        for name, value in {**look, "at": look["at"][:_SECONDS]}.items()
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _moment(text: str | None, option: str) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "must be a moment with its offset, as 2026-11-24T12:00:00+08:00"
        raise typer.BadParameter(message, param_hint=option)
    return moment
