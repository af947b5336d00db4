"""Addresses and secrets: a manifest only names them, the environment holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connectors.errors import ConnectionNotConfigured
from connectors.manifest import Manifest, Part

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
        yield from _texts_in(key, value)


def _texts_in(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping | Part):
        for name, part in dict(value).items():
            yield from _texts_in(f"{key}.{name}", part)


def _resolved(manifest: Manifest, environment: Mapping[str, str]) -> Manifest:
    return manifest.model_copy(update={"connection": _filled(manifest.connection, environment)})


def _filled(value: object, environment: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: environment[match[1]], value)
    if isinstance(value, Mapping):
        return {name: _filled(part, environment) for name, part in value.items()}
    if isinstance(value, Part):
        return value.model_copy(update={name: _filled(part, environment) for name, part in value})
    return value
