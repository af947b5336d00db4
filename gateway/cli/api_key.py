"""`xinqiao api-key`: the keys of systems that cannot fetch tokens, made, looked at, rotated and revoked."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from gateway.cli.output import Json, failing_plainly, print_json, print_table
from gateway.errors import SettingsInvalidError
from gateway.identity.api_key_file import ApiKey, locked, read_api_keys, write_api_keys
from gateway.identity.api_keys import digest, new_secret
from gateway.settings import PREFIX, load_settings

api_key: Final = typer.Typer(
    name="api-key",
    help="Make, list, rotate and revoke API keys, in the file that the settings name. A gateway that runs takes note of"
    " each change within seconds.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_ID_BYTES: Final = 5

Id = Annotated[str, typer.Argument(help="The key's id: what stands between xq_ and the next _.")]
Days = Annotated[int, typer.Option(min=1, max=3_660, help="How long it is good.")]


@api_key.command()
def make(  # noqa: PLR0913 - one option for each thing that a key says
    *,
    subject: Annotated[str, typer.Option(help="The system that it is for.")],
    organisation: Annotated[str, typer.Option(help="The system's organisation.")],
    role: Annotated[list[str], typer.Option(help="A role that it has; may be repeated.")],
    purpose: Annotated[
        list[str] | None, typer.Option(help="A purpose that it is good for, and all below; may be repeated; none: any.")
    ] = None,
    company: Annotated[str | None, typer.Option(help="The credit code of the company itself.")] = None,
    days: Days = 365,
    id_: Annotated[str | None, typer.Option("--id", help="Its id; by default a new one.")] = None,
    json: Json = False,
) -> None:
    """Make a key, and print it. It is shown this once: the file holds no more than its digest."""
    with failing_plainly(), _changing() as file:
        now, secret = dt.datetime.now(dt.UTC), new_secret()
        try:
            key = ApiKey(
                id=id_ or _new_id(),
                digest=digest(secret, file.pepper),
                subject=subject,
                organisation=organisation,
                roles=frozenset(role),
                company=company,
                purposes=frozenset(purpose) if purpose else None,
                created=now,
                expires=now + dt.timedelta(days=days),
            )
        except ValidationError as error:
            raise typer.BadParameter(_faults(error)) from None
        if any(known.id == key.id for known in file.keys):
            raise typer.BadParameter(f"there is a key {key.id} already", param_hint="--id")
        file.keys.append(key)
    _show(key, secret, json=json)


@api_key.command("list")
def list_(*, json: Json = False) -> None:
    """List all keys: whom they stand for, and until when. Their secrets are nowhere."""
    now = dt.datetime.now(dt.UTC)
    with failing_plainly():
        path, _ = _configured()
        keys = read_api_keys(path)
    if json:
        print_json([{**key.model_dump(mode="json", exclude={"digest"}), "state": _state(key, now)} for key in keys])
        return
    rows = [
        (
            key.id,
            key.subject,
            key.organisation,
            ", ".join(sorted(key.roles)),
            ", ".join(sorted(key.purposes)) if key.purposes else "any",
            key.expires.isoformat(timespec="seconds"),
            _state(key, now),
        )
        for key in keys
    ]
    print_table("API keys", ("id", "for", "organisation", "roles", "purposes", "expires", "is"), rows)


@api_key.command()
def rotate(
    id_: Id,
    *,
    hours: Annotated[
        int, typer.Option(min=0, max=8_760, help="How long the old key stays good beside the new one.")
    ] = 24,
    days: Days = 365,
    json: Json = False,
) -> None:
    """Make a key like an old one, and print it; the old one soon expires."""
    with failing_plainly(), _changing() as file:
        now, secret = dt.datetime.now(dt.UTC), new_secret()
        old = file.find(id_)
        if _state(old, now) != "good":
            raise typer.BadParameter(f"the key {id_} is {_state(old, now)}; make a new one", param_hint="ID")
        expires = now + dt.timedelta(days=days)
        new = {"id": _new_id(), "digest": digest(secret, file.pepper), "created": now, "expires": expires}
        key = old.model_copy(update=new)
        file.replace(old.model_copy(update={"expires": min(old.expires, now + dt.timedelta(hours=hours))}))
        file.keys.append(key)
    _show(key, secret, json=json)


@api_key.command()
def revoke(id_: Id, *, json: Json = False) -> None:
    """Revoke a key. It stays on record."""
    with failing_plainly(), _changing() as file:
        old = file.find(id_)
        key = old.model_copy(update={"revoked": old.revoked or dt.datetime.now(dt.UTC)})
        file.replace(key)
    if json:
        print_json({"id": key.id, "revoked": key.revoked})
    else:
        typer.echo(f"{key.id} is revoked.")


class _Changing:
    """The keys of the file while a command changes them."""

    def __init__(self, keys: Sequence[ApiKey], pepper: str) -> None:
        self.keys = list(keys)
        self.pepper = pepper

    def find(self, id_: str) -> ApiKey:
        for key in self.keys:
            if key.id == id_:
                return key
        raise typer.BadParameter("there is no key of this id; `xinqiao api-key list` shows all", param_hint="ID")

    def replace(self, key: ApiKey) -> None:
        self.keys = [key if known.id == key.id else known for known in self.keys]


@contextmanager
def _changing() -> Iterator[_Changing]:
    """The file's keys, written back when the context ends well; by one command at a time."""
    path, pepper = _configured()
    with locked(path):
        file = _Changing(read_api_keys(path) if path.exists() else (), pepper)
        yield file
        write_api_keys(path, file.keys)


def _configured() -> tuple[Path, str]:
    """The file and the pepper of the settings. Raises `SettingsInvalidError`."""
    settings = load_settings()
    if settings.api_keys_file is None or settings.api_keys_pepper is None:
        raise SettingsInvalidError(
            f"{PREFIX}API_KEYS_FILE and {PREFIX}API_KEYS_PEPPER are not set: where the keys' digests are kept, and the"
            " secret that they are made with."
        )
    return settings.api_keys_file, settings.api_keys_pepper.get_secret_value()


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES)


def _state(key: ApiKey, now: dt.datetime) -> str:
    if key.revoked is not None:
        return "revoked"
    return "good" if now < key.expires else "expired"


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)


def _show(key: ApiKey, secret: str, *, json: bool) -> None:
    text = f"xq_{key.id}_{secret}"
    if json:
        print_json({"key": text, "id": key.id, "expires": key.expires})
        return
    typer.echo(text)
    typer.echo(f"It is good until {key.expires.isoformat(timespec='seconds')}, and is not shown again.", err=True)
