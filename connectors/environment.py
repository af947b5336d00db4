"""Addresses and secrets: a manifest only names them, the environment holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connectors.errors import ConnectionNotConfigured
from connectors.manifest import Manifest

_REFERENCE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def resolve(manifests: Sequence[Manifest], environment: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The manifests with each `${NAME}` of their connections replaced by its value.

    Raises `ConnectionNotConfigured` with everything that is missing or empty, by agency, key and variable.
    """
    reasons = [reason for manifest in manifests for reason in missing_references(manifest, environment)]
    if reasons:
        raise ConnectionNotConfigured(reasons)
    return tuple(_resolved(manifest, environment) for manifest in manifests)


def missing_references(manifest: Manifest, environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each reference of the manifest that the environment has no value for."""
    for key, text in _texts(manifest):
        for name in _REFERENCE.findall(text):
            if not environment.get(name):
                yield f"agency {manifest.agency}: connection.{key}: the environment variable {name} is not set"


def fill(text: str, environment: Mapping[str, str], what: str) -> str:
    """The text with each `${NAME}` replaced by its value.

    Raises `ConnectionNotConfigured`, which says `what` the text is for, where one is missing or empty.
    """
    missing = [name for name in _REFERENCE.findall(text) if not environment.get(name)]
    if missing:
        raise ConnectionNotConfigured([f"{what}: the environment variable {name} is not set" for name in missing])
    return _REFERENCE.sub(lambda match: environment[match[1]], text)


def _texts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for key, value in manifest.connection:
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", str(text)) for name, text in value.items())
        else:
            yield key, str(value)


def _resolved(manifest: Manifest, environment: Mapping[str, str]) -> Manifest:
    def replace(text: str) -> str:
        return _REFERENCE.sub(lambda match: environment[match[1]], text)

    values = {
        key: {name: replace(text) for name, text in value.items()}
        if isinstance(value, Mapping)
        else replace(str(value))
        for key, value in manifest.connection
    }
    return manifest.model_copy(update={"connection": manifest.connection.model_copy(update=values)})
