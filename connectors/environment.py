"""Addresses and secrets: a manifest only names them, the environment holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from connectors.errors import ConnectionNotConfigured
from connectors.manifest import Manifest
from connectors.secret import FILE

_REFERENCE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class Filled(str):
    """A text whose references were replaced: itself where it is used, hidden where its part of a manifest is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Nothing of it."""
        return "'**********'"


def resolve(manifests: Sequence[Manifest], environment: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The manifests with each `${NAME}` of their connections replaced by its value.

    Raises `ConnectionNotConfigured` with everything that is missing or empty, by agency, key and variable.
    """
    reasons = [reason for manifest in manifests for reason in missing_references(manifest, environment)]
    if reasons:
        raise ConnectionNotConfigured(reasons)
    return tuple(_resolved(manifest, environment) for manifest in manifests)


def references(manifest: Manifest) -> frozenset[str]:
    """The names of the variables that the manifest's connection refers to."""
    return frozenset(name for _, text in _texts("connection", manifest.connection) for name in _REFERENCE.findall(text))


def secret_files(manifest: Manifest) -> frozenset[str]:
    """The paths of the files in which a manifest, whose references were resolved, finds its secrets."""
    texts = (text for _, text in _texts("connection", manifest.connection))
    return frozenset(text.removeprefix(FILE) for text in texts if text.startswith(FILE))


def missing_references(manifest: Manifest, environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each reference of the manifest that the environment has no value for."""
    for key, text in _texts("connection", manifest.connection):
        yield from _missing(text, environment, f"agency {manifest.agency}: {key}")


def fill(text: str, environment: Mapping[str, str], what: str) -> str:
    """The text with each `${NAME}` replaced by its value.

    Raises `ConnectionNotConfigured`, which says `what` the text is for, where one is missing or empty.
    """
    reasons = list(_missing(text, environment, what))
    if reasons:
        raise ConnectionNotConfigured(reasons)
    return _filled(text, environment)


def _missing(text: str, environment: Mapping[str, str], what: str) -> Iterator[str]:
    """A sentence for each reference of the text that the environment has no value for."""
    for name in _REFERENCE.findall(text):
        if not environment.get(name):
            yield f"{what}: the environment variable {name} is not set"


def _filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with its references, none of them missing, replaced."""
    return _REFERENCE.sub(lambda match: environment[match[1]], text)


def _texts(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text in a part of a manifest, with its key as the manifest has it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, BaseModel):
        for name, inner in value:
            yield from _texts(f"{key}.{type(value).model_fields[name].alias or name}", inner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(f"{key}.{number}", inner)


def _resolved(manifest: Manifest, environment: Mapping[str, str]) -> Manifest:
    return manifest.model_copy(update={"connection": _replaced(manifest.connection, environment)})


def _replaced(value: object, environment: Mapping[str, str]) -> object:
    """A part of a manifest with its references replaced."""
    match value:
        case str():
            filled = _filled(value, environment)
            return value if filled == value else Filled(filled)
        case Mapping():
            return {name: _replaced(inner, environment) for name, inner in value.items()}
        case BaseModel():
            return value.model_copy(update={name: _replaced(inner, environment) for name, inner in value})
        case list() | tuple():
            return type(value)(_replaced(inner, environment) for inner in value)
        case _:
            return value
