"""The files of a sandbox's issuer of consents: its private key, and its revocation list."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import orjson
import typer
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey, import_key

from gateway.cli.output import failing_plainly
from gateway.identity.key_sets import load_key_set
from gateway.settings import SignerSettings
from policies.errors import RevocationsInvalid
from policies.revocation import RevocationList, read_revocations
from policies.signature import SigningKey

_CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}


def signing_key(path: Path) -> SigningKey:
    """The private key in a file. Its text is part of no message."""
    hint = "`xinqiao consent keys` makes one"
    try:
        key = import_key(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}; {hint}", param_hint="--key") from None
    except (JoseError, ValueError, KeyError, TypeError):
        raise typer.BadParameter(f"{path} holds no JWK (RFC 7517); {hint}", param_hint="--key") from None
    if isinstance(key, OctKey) or not key.is_private or key.as_dict().get("crv") != _CURVES.get(key.key_type):
        message = f"{path} must hold a private key: EC (P-256), Ed25519 or RSA; {hint}"
        raise typer.BadParameter(message, param_hint="--key")
    return key


def existing_list(path: Path, issuer: str, key: SigningKey, jwks: Path | None, now: dt.datetime) -> RevocationList:
    """The issuer's list so far, checked with the key set at `jwks`, or else with the key. It may be past its time."""
    with failing_plainly():
        keys = load_key_set(SignerSettings(id=issuer, jwks=jwks)) if jwks else KeySet([key])
    try:
        return read_revocations(path.read_bytes(), issuer, keys, now.timestamp())
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--list") from None
    except RevocationsInvalid as error:
        message = f"{path}: {error}. If another key of the issuer signed it, give the key set with --jwks"
        raise typer.BadParameter(message, param_hint="--list") from None
