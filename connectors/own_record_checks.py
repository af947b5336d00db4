"""What the form of own record types cannot tell: whether their names are the agency's, and whose dates they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from connectors.contract import RecordShape
from connectors.manifest import Manifest
from connectors.manifest_checks import Mistake
from connectors.own_record import COMMON, OwnRecord, prefix
from schema.values import Kind

_TAKEN: Final = frozenset({*COMMON, "source"})
"""The fields that every record type has."""

_PAGING: Final = frozenset({"first", "after"})
"""The arguments that every list has."""


def check_own_records(manifest: Manifest, shapes: Mapping[str, RecordShape]) -> Iterator[Mistake]:
    """What is wrong with a manifest's own record types. `shapes` are the nation's."""
    begins, seen = prefix(manifest.agency), set[str]()
    supplied = {dataset.record for dataset in manifest.datasets}
    for index, record in enumerate(manifest.records):
        path = f"records.{index}"
        yield from _check_names(record, begins, path)
        if record.name in shapes:
            yield f"{path}.name", f"the nation has a record type {record.name} already", "declare none, or rename it"
        elif record.name in seen:
            yield f"{path}.name", f"a second record type {record.name}", "rename one"
        elif record.name not in supplied:
            yield f"{path}.name", f"no dataset has the record {record.name}", "supply it, or declare it later"
        seen.add(record.name)
        yield from _check_dates(record, path)


def _check_names(record: OwnRecord, begins: str, path: str) -> Iterator[Mistake]:
    small = begins[0].lower() + begins[1:]
    for key, name, begin in (("name", record.name, begins), ("field", record.on_enterprise, small)):
        rest = name.removeprefix(begin)
        if rest == name or not rest[:1].isupper():
            hint = f"as in {begin}{(rest or 'Record')[0].upper()}{(rest or 'Record')[1:]}"
            yield f"{path}.{key}", f"{name!r} does not begin with the agency's name and a further word", hint
            return
    for name in sorted(record.fields.keys() & _TAKEN):
        yield f"{path}.fields.{name}", f"every record type has {name!r} anyway", "map it in the dataset, undeclared"


def _check_dates(record: OwnRecord, path: str) -> Iterator[Mistake]:
    if record.single and record.filters:
        yield f"{path}.filters", "a single record has no arguments", "leave it out"
    for name in sorted(record.filters.keys() & _PAGING):
        yield f"{path}.filters.{name}", f"every list has the argument {name!r} anyway", "rename it"
    for argument, bound in record.filters.items():
        field = record.fields.get(bound.test[0])
        if field is not None and field.tier == "SEALED":
            message = f"{bound.test[0]!r} is SEALED: everybody would see by the argument that it is there"
            yield f"{path}.filters.{argument}", message, "leave the argument out, or give the date another tier"
    named = {f"filters.{argument}": bound.test[0] for argument, bound in record.filters.items()}
    if record.ordered_by is not None:
        named["orderedBy"] = record.ordered_by
    kinds = {**COMMON, **{name: field.type for name, field in record.fields.items()}}
    for place, name in named.items():
        if kinds.get(name) is not Kind.DATE:
            known = sorted(name for name, kind in kinds.items() if kind is Kind.DATE)
            yield f"{path}.{place}", f"{record.name} has no date {name!r}", f"dates: {', '.join(known)}"
