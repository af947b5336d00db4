"""Hides addresses and secrets in a text that an operator is shown, however the text writes them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from connectors.environment import fill, references, resolve, secret_files
from connectors.manifest import Manifest

HIDDEN: Final = "********"


class Hiding:
    """What has to be hidden of one manifest: the values of its variables, and what its files of secrets hold.

    A value is written as the reference to it, what was taken out of one as stars.
    """

    def __init__(self, manifest: Manifest, environment: Mapping[str, str]) -> None:
        """Blocks: files of secrets are read. Raises `ConnectionNotConfigured`."""
        self._environment = environment
        (resolved,) = resolve([manifest], environment)
        found: dict[str, str] = {}
        for name in references(manifest):
            found |= dict.fromkeys(_spellings(environment[name]), f"${{{name}}}")
            found = dict.fromkeys(_within(environment[name]), HIDDEN) | found
        for path in secret_files(resolved):
            found |= dict.fromkeys(_spellings(_read(path)), HIDDEN)
        found.pop("", None)
        # The longest first: a password may be part of an address.
        self._found = sorted(found.items(), key=lambda item: -len(item[0]))

    def filled(self, text: str) -> str:
        """The text of the manifest with its references replaced: not to be shown."""
        return fill(text, self._environment, "the manifest")

    def hide(self, text: str) -> str:
        """The text without any of it."""
        for value, written in self._found:
            text = text.replace(value, written)
        return text


def _spellings(value: str) -> Iterator[str]:
    """The value as it may stand in a URL, in JSON, in XML, or in a header of basic authentication."""
    yield value
    yield quote(value, safe="")
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)
    yield base64.b64encode(value.encode()).decode()


def _within(value: str) -> Iterator[str]:
    """User's password and host of an address."""
    try:
        parts = urlsplit(value)
        password, netloc = parts.password, parts.netloc
    except ValueError:
        return
    if password:
        yield from _spellings(password)
        yield from _spellings(unquote(password))
    yield netloc


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        return ""
