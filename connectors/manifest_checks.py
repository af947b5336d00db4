"""What a manifest's form cannot tell: whether its records, fields and filters exist, and whether a field can be so filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from connectors.contract import RecordShape
from connectors.manifest import CodeEntry, DatasetManifest, FieldMapping, Manifest
from connectors.mapping import compile_field
from connectors.text import NOTHINGS
from schema.values import Kind

Mistake = tuple[str, str, str]
"""A mistake's path, message and hint."""

PROVINCES: Final = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82".split()
)
"""The first two digits of every division (GB/T 2260)."""

_KINDS_OF: Final[Mapping[str, frozenset[Kind]]] = {
    "join": frozenset({Kind.TEXT}),
    "formats": frozenset({Kind.DATE, Kind.DATE_SPAN}),
    "unit": frozenset({Kind.MONEY}),
    "currency": frozenset({Kind.MONEY}),
    "codes": frozenset({Kind.CODE, Kind.TEXT, Kind.BOOLEAN}),
    "label": frozenset({Kind.CODE}),
}
"""The kinds of field that each option of a mapping is for."""

_ENTRIES: Final[Mapping[Kind, tuple[type, ...]]] = {
    Kind.CODE: (CodeEntry, str),
    Kind.TEXT: (str,),
    Kind.BOOLEAN: (bool,),
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint with the near name, or with all of them where they are few; empty where neither helps."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6) or [name for name in names if name.lower() == word.lower()]
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if len(names) <= 40 else ""  # noqa: PLR2004  (a line of names, not a page)


def check_manifest(manifest: Manifest, shapes: Mapping[str, RecordShape]) -> Iterator[Mistake]:
    """Every mistake that needs the canonical record types to be seen."""
    seen: set[str] = set()
    for index, dataset in enumerate(manifest.datasets):
        path = f"datasets.{index}"
        if dataset.record in seen:
            yield f"{path}.record", f"a second dataset of {dataset.record}", "an agency has one dataset a record type"
        seen.add(dataset.record)
        shape = shapes.get(dataset.record)
        if shape is None:
            yield f"{path}.record", f"unknown record type {dataset.record!r}", suggestion(dataset.record, shapes)
        else:
            yield from _check_dataset(dataset, shape, path)
        for number, division in enumerate(dataset.coverage.divisions):
            if division[:2] not in PROVINCES:
                yield f"{path}.coverage.divisions.{number}", f"no division begins with {division[:2]}", "see GB/T 2260"


def _check_dataset(dataset: DatasetManifest, shape: RecordShape, path: str) -> Iterator[Mistake]:
    for name in sorted(dataset.filters.keys() - shape.filters.keys()):
        hint = suggestion(name, shape.filters) if shape.filters else f"{shape.name} has no filters"
        yield f"{path}.filters.{name}", f"unknown argument {name!r} of {shape.name}", hint
    for name, mapping in dataset.fields.items():
        place = f"{path}.fields.{name}"
        kind = shape.fields.get(name)
        if kind is None:
            yield place, f"{shape.name} has no field {name!r}", suggestion(name, shape.fields)
        else:
            yield from _check_mapping(mapping, kind, place, nested=dataset.nested)


def _check_mapping(mapping: FieldMapping, kind: Kind, place: str, *, nested: bool) -> Iterator[Mistake]:
    wrong = [
        option
        for option, kinds in _KINDS_OF.items()
        if option in mapping.model_fields_set and kind not in kinds
    ]
    for option in wrong:
        kinds = ", ".join(sorted(_KINDS_OF[option]))
        yield f"{place}.{option}", f"{option} does not go with a {kind} field", f"it is for {kinds}"
    entries = _ENTRIES.get(kind, (object,))
    for code, entry in (mapping.codes or {}).items():
        if not isinstance(entry, entries) and not wrong:
            yield f"{place}.codes.{code}", f"no value of a {kind} field", "see the manifest's documentation on codes"
            wrong.append("codes")
    if wrong:
        return
    try:
        compile_field(mapping, kind, NOTHINGS, nested=nested)
    except (ValueError, ArithmeticError):
        option = "const" if mapping.const is not None else "default"
        yield f"{place}.{option}", f"no value of a {kind} field", "write it as the agency would"
