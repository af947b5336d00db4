"""`xinqiao receipt`: verifies what a gateway signed, without the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.audit.keys import load_public_keys
from gateway.cli.output import FAILED, Json, failing_plainly, print_json, print_table
from gateway.errors import ReceiptInvalidError
from gateway.receipt import HEADER, salted_digest, verify_receipt

receipt: Final = typer.Typer(
    name="receipt",
    help="Verify receipts, offline.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@receipt.callback()
def group() -> None:
    """Verify receipts, offline."""


@receipt.command()
def verify(
    body: Annotated[Path, typer.Argument(help="The response's body, byte for byte as it came.")],
    receipt_file: Annotated[
        Path,
        typer.Option("--receipt", help="A file with the header Xinqiao-Receipt, or all headers."),
    ],
    keys: Annotated[Path, typer.Option(help="The gateway's public keys (JWKS), from /.well-known/jwks.json.")],
    *,
    json: Json = False,
) -> None:
    """Verify a receipt, and show what it states. Exit status 1 where it is not by these keys, or for another body."""
    with failing_plainly():
        public = load_public_keys(keys)
        content, text = body.read_bytes(), _told(receipt_file.read_text(errors="replace"))
    try:
        stated = verify_receipt(text, content, public)
        digest = salted_digest(bytes.fromhex(stated["nonce"]), content)
    except (ReceiptInvalidError, KeyError, ValueError, TypeError) as error:
        reason = error if isinstance(error, ReceiptInvalidError) else "its nonce cannot be read"
        typer.echo(f"{ReceiptInvalidError.code}: {reason}", err=True)
        raise typer.Exit(FAILED) from None
    if json:
        print_json({**stated, "response": digest})
        return
    rows = [(name, str(value)) for name, value in stated.items() if name != "sources"]
    print_table("The receipt is good.", ("it states", ""), [*rows, ("response (as in the audit log)", digest)])
    names = ("dataset", "status", "asOf")
    sources = [tuple(str(source.get(name) or "") for name in names) for source in stated["sources"]]
    print_table("Sources", ("dataset", "status", "as of"), sources)


def _told(text: str) -> str:
    """What the header said, where the text is a response's headers as they came (`curl -D`); else the text."""
    headers = [line.partition(":") for line in text.splitlines()]
    return next((value for name, _, value in headers if name.lower() == HEADER.lower()), text)
