"""Files of keys that commands make: a private key, and the public key set that it is known by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from joserfc.jwk import ECKey, OKPKey

from gateway.cli.output import failing_plainly, print_json
from gateway.identity.key_sets import load_key_set
from gateway.settings import SignerSettings

NewKey = Annotated[
    Path, typer.Option("--key", help="Where the private key goes: a new file, for its owner's eyes alone.")
]
KeySetFile = Annotated[Path, typer.Option("--jwks", help="The public key set: made, or the new key added to it.")]

_ALGORITHMS = {"EC": "ES256", "OKP": "Ed25519"}


def make_key_pair(key: Path, jwks: Path, curve: Literal["P-256", "Ed25519"], *, json: bool) -> None:
    """Makes a key pair, and tells so: what the commands `keys` do."""
    made = new_key_file(key, curve)
    number = add_public_key(jwks, made)
    if json:
        print_json({"kid": made.kid, "keys": number})
    else:
        typer.echo(f"{key} is the private key {made.kid}; public keys in {jwks}: {number}.")


def new_key_file(path: Path, curve: Literal["P-256", "Ed25519"]) -> ECKey | OKPKey:
    """A new private key, written to a new file that its owner alone may read (mode 0600)."""
    key = (
        OKPKey.generate_key("Ed25519", auto_kid=True)
        if curve == "Ed25519"
        else ECKey.generate_key("P-256", auto_kid=True)
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        message = f"{path} is there already, and no key is overwritten; name a new file"
        raise typer.BadParameter(message, param_hint="--key") from None
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--key") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(key.as_dict(private=True)))
    return key


def add_public_key(path: Path, key: ECKey | OKPKey) -> int:
    """Adds the public half to a key set, which is made where there is none. Gives the number of keys in it."""
    entries: list[Any] = []
    if path.exists():
        with failing_plainly():
            entries = list(load_key_set(SignerSettings(id=str(path), jwks=path)).as_dict(private=False)["keys"])
    entries.append({**key.as_dict(private=False), "use": "sig", "alg": _ALGORITHMS[key.key_type]})
    half = path.with_name(f"{path.name}.new")
    try:
        half.write_bytes(orjson.dumps({"keys": entries}, option=orjson.OPT_INDENT_2))
        # A gateway that follows the file must never find half of it.
        half.replace(path)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--jwks") from None
    return len(entries)
