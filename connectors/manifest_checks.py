"""What a manifest's form cannot tell: whether its names exist, and whether its fields can be filled so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from connectors.contract import RecordShape
from connectors.lookups import key_kinds
from connectors.manifest import CodeEntry, FieldMapping, Manifest
from connectors.mapping import compile_field
from connectors.text import NOTHINGS
from schema.credit_code import CATEGORIES
from schema.values import Kind

Mistake = tuple[str, str, str]
"""A mistake's path, message and hint."""

PROVINCES: Final = frozenset(
    str(number)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 82))
    for number in range(first, last + 1)
)
"""The first two digits of every division (GB/T 2260)."""

_ASKED_BY: Final = frozenset({"request", "lookup", "query", "table", "file", "key"})
_MARK: Final = re.compile(r"/?TODO(\.wsdl)?")
"""What `connector new` writes where it found nothing."""

_KINDS_OF: Final[Mapping[str, frozenset[Kind]]] = {
    "join": frozenset(Kind) - {Kind.BOOLEAN, Kind.CREDIT_CODE},
    "formats": frozenset({Kind.DATE, Kind.DATE_SPAN}),
    "unit": frozenset({Kind.MONEY}),
    "scale": frozenset({Kind.DECIMAL}),
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


def check_decided(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and message for each place of a manifest, as written, that says how the agency is asked, or whose a row is,
    and has nothing but a draft's mark.
    """
    for index, dataset in enumerate(manifest["datasets"]):
        for name in sorted(_ASKED_BY & dataset.keys()):
            for place in _marked(dataset[name], f"datasets.{index}.{name}"):
                yield place, "TODO: to be decided"


def _marked(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _marked(inner, f"{path}.{name}")
    elif isinstance(value, str) and _MARK.fullmatch(value):
        yield path


def check_names(manifest: Mapping[str, Any], shapes: Mapping[str, RecordShape]) -> Iterator[Mistake]:
    """Every name in a manifest, as written, that no record type has. Works on one whose form has mistakes, too."""
    seen: set[str] = set()
    datasets = manifest.get("datasets")
    for index, dataset in enumerate(datasets if isinstance(datasets, list) else ()):
        record = dataset.get("record") if isinstance(dataset, Mapping) else None
        if not isinstance(record, str):
            continue
        path = f"datasets.{index}"
        if record in seen:
            yield f"{path}.record", f"a second dataset of {record}", "an agency has one dataset a record type"
        seen.add(record)
        shape = shapes.get(record)
        if shape is None:
            yield f"{path}.record", f"unknown record type {record!r}", suggestion(record, shapes)
            continue
        for part, known in (("fields", shape.fields), ("filters", shape.filters)):
            names = dataset.get(part)
            for name in names if isinstance(names, Mapping) else ():
                if name not in known:
                    hint = suggestion(name, known) if known else f"{record} has no {part}"
                    yield f"{path}.{part}.{name}", f"{record} has no {part[:-1]} {name!r}", hint


def check_mappings(manifest: Manifest, shapes: Mapping[str, RecordShape]) -> Iterator[Mistake]:
    """Every mapping that its field's kind does not allow, and every division that does not exist."""
    for index, dataset in enumerate(manifest.datasets):
        path = f"datasets.{index}"
        shape = shapes.get(dataset.record)
        possible = key_kinds(dataset.record)
        if shape is not None and dataset.key.kind not in possible:
            hint = f"it is keyed by {' or '.join(sorted(kind.value for kind in possible))}"
            yield f"{path}.key.kind", f"{dataset.record} cannot be keyed by {dataset.key.kind.value}", hint
        if shape is not None and not shape.single and "precedence" in dataset.model_fields_set:
            yield f"{path}.precedence", "goes with single records only", "of a list, all suppliers' records are shown"
        for name, mapping in dataset.fields.items():
            if shape is not None and name in shape.fields:
                yield from _check_mapping(mapping, shape.fields[name], f"{path}.fields.{name}", nested=dataset.nested)
        for number, division in enumerate(dataset.coverage.divisions):
            if division[:2] not in PROVINCES:
                yield f"{path}.coverage.divisions.{number}", f"no division begins with {division[:2]}", "see GB/T 2260"
        for number, pair in enumerate(dataset.coverage.categories):
            if pair[1] not in CATEGORIES.get(pair[0], ""):
                known = ", ".join(f"{authority}{one}" for authority, ones in CATEGORIES.items() for one in ones)
                yield f"{path}.coverage.categories.{number}", f"no credit code begins with {pair}", f"known: {known}"


def _check_mapping(mapping: FieldMapping, kind: Kind, place: str, *, nested: bool) -> Iterator[Mistake]:
    wrong = [option for option, kinds in _KINDS_OF.items() if option in mapping.model_fields_set and kind not in kinds]
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
