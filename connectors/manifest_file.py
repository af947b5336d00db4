"""Manifests from their files, with every mistake at once; and the JSON Schema by which editors help to write them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from connectors.contract import RecordShape
from connectors.errors import Finding, ManifestInvalid
from connectors.kinds import kinds
from connectors.lookups import IDENTIFIERS, LEGACY_IDENTIFIERS, LOOKUPS
from connectors.manifest import DIRECTORY, Manifest
from connectors.manifest_checks import Mistake, check_decided, check_mappings, check_names, suggestion
from connectors.own_record import own_shapes
from connectors.own_record_checks import check_own_records
from connectors.yaml_lines import LinedDocument, read_yaml

_REFERENCE_HINT: Final = (
    "addresses and secrets are written ${NAME} and come from the environment; a secret may be file:PATH"
)


def load_manifest(path: Path, shapes: Mapping[str, RecordShape]) -> Manifest:
    """The manifest in the file, checked against the nation's record types, `shapes`, and its own.

    Its `${NAME}`s are not looked up yet.

    Raises `ManifestInvalid` with all its mistakes.
    """
    document = read_yaml(path)
    findings = list(document.findings)
    manifest: Manifest | None = None
    if document.data is not None or not findings:
        manifest, mistakes = _check(document.data, shapes, path.parent)
        findings += [_finding(document, mistake) for mistake in mistakes]
    if findings or manifest is None:
        raise ManifestInvalid(str(path), findings)
    return manifest


def check_manifest(path: Path, shapes: Mapping[str, RecordShape]) -> Manifest:
    """As `load_manifest`, with the files that the manifest names read as well; and a draft is none yet, where something
    of how the agency is asked is still to be decided. Blocks.
    """
    manifest = load_manifest(path, shapes)
    document = read_yaml(path)
    mistakes = list(kinds().usable[manifest.kind].check(manifest)) or list(check_decided(document.data))
    findings = [_finding(document, (place, message, "")) for place, message in mistakes]
    if findings:
        raise ManifestInvalid(str(path), findings)
    return manifest


def load_manifests(directory: Path, shapes: Mapping[str, RecordShape]) -> Mapping[Path, Manifest]:
    """Every manifest of a directory, in the order of their files. Raises `ManifestInvalid` for the first bad one."""
    manifests = {path: load_manifest(path, shapes) for path in manifest_paths(directory)}
    for path, finding in clashes(directory, tuple(manifests.values())):
        raise ManifestInvalid(str(path), [finding])
    return manifests


def manifest_paths(directory: Path) -> tuple[Path, ...]:
    """The manifests' files, `*.yaml`. Raises `ManifestInvalid` where there is none, or a file that looks like one."""
    odd = sorted(directory.glob("*.yml"))
    if odd:
        raise ManifestInvalid(str(odd[0]), [Finding(1, "", "would not be read", "name it *.yaml")])
    paths = tuple(sorted(directory.glob("*.yaml")))
    if not paths:
        raise ManifestInvalid(str(directory), [Finding(1, "", "there is no manifest (*.yaml)", "check the directory")])
    return paths


def clashes(directory: Path, manifests: Sequence[Manifest]) -> Iterator[tuple[Path, Finding]]:
    """A finding for each manifest whose agency another one has already, and for each dataset that is keyed by an
    identifier which no crosswalk tells.
    """
    seen: set[str] = set()
    for manifest in manifests:
        if manifest.agency in seen:
            message = f"a second manifest of the agency {manifest.agency!r}"
            yield directory, Finding(1, "agency", message, "an agency has one manifest")
        seen.add(manifest.agency)
    told = {
        field
        for manifest in manifests
        for dataset in manifest.datasets
        if dataset.record == LEGACY_IDENTIFIERS
        for field in dataset.fields
    }
    for manifest in manifests:
        for dataset in manifest.datasets:
            field = IDENTIFIERS.get(dataset.key.kind)
            if field is not None and field not in told and dataset.record not in LOOKUPS:
                place = f"{manifest.agency}/{dataset.record}: key.kind"
                hint = f"some agency must supply {LEGACY_IDENTIFIERS} with {field}"
                yield directory, Finding(1, place, f"no crosswalk tells a company's {field}", hint)


def manifest_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a manifest."""
    models: Any = functools.reduce(operator.or_, (kind.manifest for kind in kinds().usable.values()))
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[models, Field(discriminator="kind")])
    schema = adapter.json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest of an agency",
        "description": "How an agency describes its system and datasets to Xinqiao.",
        **schema,
    }


def _check(data: object, shapes: Mapping[str, RecordShape], directory: Path) -> tuple[Manifest | None, list[Mistake]]:
    if not isinstance(data, dict):
        return None, [("", "no manifest: it has no keys", "begin with `agency: ...`")]
    kind, known, national = data.get("kind"), kinds(), shapes
    shapes = {**own_shapes(data), **national}
    if isinstance(kind, str) and kind in known.broken:
        return None, [("kind", known.broken[kind], ""), *check_names(data, shapes)]
    if not isinstance(kind, str) or kind not in known.usable:
        what = "missing key 'kind'" if kind is None else f"unknown kind {kind!r}"
        return None, [("kind", what, suggestion(str(kind), known.usable)), *check_names(data, shapes)]
    model = known.usable[kind].manifest
    mistakes = list(check_names(data, shapes))
    try:
        manifest = model.model_validate(data, context={DIRECTORY: directory})
    except ValidationError as error:
        return None, mistakes + _form_mistakes(error, model, data)
    return manifest, [*mistakes, *check_mappings(manifest, shapes), *check_own_records(manifest, national)]


def _form_mistakes(error: ValidationError, model: type[BaseModel], data: object) -> list[Mistake]:
    """One mistake a place: a value of several possible forms fails each of them."""
    found: dict[str, Mistake] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _written_path(data, detail["loc"])
        if detail["type"] == "too_short" and any(place.startswith(f"{path}.") for place in found):
            continue  # pydantic counts only the items that are in order
        found.setdefault(path, _mistake(path, detail["type"], detail["msg"], detail["loc"], model))
    return list(found.values())


def _mistake(path: str, kind: str, message: str, location: Sequence[int | str], model: type[BaseModel]) -> Mistake:
    match kind:
        case "extra_forbidden":
            return path, f"unknown key {location[-1]!r}", suggestion(str(location[-1]), _keys_at(model, location[:-1]))
        case "missing":
            return path, f"missing key {location[-1]!r}", ""
        case "string_pattern_mismatch" if path.startswith("connection."):
            return path, "not a reference", _REFERENCE_HINT
        case "string_type":
            return path, message, "put it in quotation marks"
        case _:
            return path, message.removeprefix("Value error, "), ""


def _written_path(data: object, location: Sequence[int | str]) -> str:
    """The location as the file has it: pydantic also names the alternatives of a union on the way."""
    steps: list[str] = []
    for index, step in enumerate(location):
        if (isinstance(data, Mapping) and step in data) or (isinstance(data, list) and isinstance(step, int)):
            data = data[step]  # type: ignore[index]
        elif index != len(location) - 1 or not isinstance(data, Mapping):
            continue
        steps.append(str(step))
    return ".".join(steps)


def _keys_at(model: type[BaseModel], location: Sequence[int | str]) -> frozenset[str]:
    """The keys that the part of the manifest at a location may have."""
    for step in location:
        field = next((field for name, field in model.model_fields.items() if step in {name, field.alias}), None)
        inner = None if field is None else _model_in(field.annotation)
        model = inner or model
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _finding(document: LinedDocument, mistake: Mistake) -> Finding:
    path, message, hint = mistake
    return Finding(document.line(path), path, message, hint)
