"""The keys that checkpoints and receipts are signed with, and those that verify them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey, import_key

from gateway.errors import SettingsInvalidError
from gateway.identity.key_sets import load_key_set
from gateway.settings import PREFIX, AuditSettings, SignerSettings


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The private key in use (Ed25519, with a `kid`), and the public halves of all that ever were."""

    key: OKPKey
    public: KeySet


def load_signing_keys(settings: AuditSettings) -> SigningKeys | None:
    """The keys of the settings, None where there are none. Raises `SettingsInvalidError`."""
    if settings.signing_key is None or settings.keys is None:
        return None
    key = _private_key(settings.signing_key)
    public = load_public_keys(settings.keys)
    if not any(one.kid == key.kid and one.thumbprint() == key.thumbprint() for one in public.keys):
        raise SettingsInvalidError(
            f"{PREFIX}AUDIT__KEYS: the public half of {PREFIX}AUDIT__SIGNING_KEY is not in it, so nobody could verify "
            "what is signed; `xinqiao audit keys` puts it there"
        )
    return SigningKeys(key, public)


def load_public_keys(path: Path) -> KeySet:
    """A set of public keys (JWKS). Raises `SettingsInvalidError`, which quotes nothing of the file."""
    keys = load_key_set(SignerSettings(id="the audit log", jwks=path))
    if not keys.keys or not all(isinstance(key, OKPKey) and key.kid for key in keys):
        raise SettingsInvalidError(f"{path} must hold public Ed25519 keys alone, each with its `kid`")
    return keys


def _private_key(path: Path) -> OKPKey:
    try:
        key = import_key(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise SettingsInvalidError(f"{path} cannot be read: {error.strerror}") from None
    except (JoseError, ValueError, KeyError, TypeError):
        raise SettingsInvalidError(f"{path} holds no JWK (RFC 7517)") from None
    if not isinstance(key, OKPKey) or not key.is_private or not key.kid or key.as_dict().get("crv") != "Ed25519":
        raise SettingsInvalidError(
            f"{path} must hold a private Ed25519 key with a `kid`; `xinqiao audit keys` makes one"
        )
    return key
