"""What changes for those who ask, from one version of a manifest to another.

How the agency is called is between it and us, and no change to anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from connectors.manifest import Coverage, DatasetManifest, FieldMapping, Manifest
from connectors.own_record import OwnField, OwnRecord

_CLOSENESS: Final = ("PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED")
"""The tiers, the widest first."""

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `place` is whose and what (`tax/TaxCredit.grade`), `breaking` whether somebody's queries or rules,
    which are sound today, give something else than they were written for.
    """

    place: str
    message: str
    breaking: bool


def changes(old: Mapping[str, Manifest], new: Mapping[str, Manifest]) -> tuple[Change, ...]:
    """Every change from the manifests `old` to `new`, both by agency; breaking ones first, then by place."""
    found = [change for agency, before, after in _pairs(old, new) for change in _agency(agency, before, after)]
    return tuple(sorted(found, key=lambda change: (not change.breaking, change.place, change.message)))


def _pairs(old: Mapping[str, _Part], new: Mapping[str, _Part]) -> Iterator[tuple[str, _Part | None, _Part | None]]:
    return ((name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()))


def _new_or_gone(place: str, what: str, old: object) -> Change:
    """The change that something came, where there was no old one, or else went."""
    return Change(place, f"the {what} is {'new' if old is None else 'gone'}", breaking=old is not None)


def _agency(agency: str, old: Manifest | None, new: Manifest | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _new_or_gone(agency, "agency", old)
        return
    before, after = ({record.name: record for record in one.records} for one in (old, new))
    for name, was, becomes in _pairs(before, after):
        yield from _record(f"{agency}/{name}", was, becomes)
    supplied, supplies = ({dataset.record: dataset for dataset in one.datasets} for one in (old, new))
    for name, held, holds in _pairs(supplied, supplies):
        if name not in before.keys() ^ after.keys():
            yield from _dataset(f"{agency}/{name}", held, holds)


def _record(place: str, old: OwnRecord | None, new: OwnRecord | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _new_or_gone(place, "record type", old)
        return
    if old.on_enterprise != new.on_enterprise:
        yield Change(place, f"on Enterprise it is {new.on_enterprise}, no more {old.on_enterprise}", breaking=True)
    if old.single != new.single:
        yield Change(place, "a single record, no more a list" if new.single else "a list, no more one", breaking=True)
    if old.tier != new.tier:
        yield Change(place, _moved(old.tier, new.tier), breaking=True)
    if old.ordered_by != new.ordered_by:
        words = (one.ordered_by or "no date" for one in (new, old))
        yield Change(place, "sorted by {}, no more by {}".format(*words), breaking=True)
    yield from _arguments(place, old, new)
    for name, was, is_now in _pairs(old.fields, new.fields):
        yield from _field(f"{place}.{name}", was, is_now)
    if old.description != new.description:
        yield Change(place, "described otherwise", breaking=False)


def _arguments(place: str, old: OwnRecord, new: OwnRecord) -> Iterator[Change]:
    for name, bound, becomes in _pairs(old.filters, new.filters):
        if bound is None or becomes is None:
            yield _new_or_gone(f"{place}({name})", "argument", bound)
        elif bound != becomes:
            yield Change(f"{place}({name})", "the argument means another date", breaking=True)


def _field(place: str, old: OwnField | None, new: OwnField | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _new_or_gone(place, "field", old)
        return
    if old.type != new.type:
        yield Change(place, f"holds {new.type}, no more {old.type}", breaking=True)
    if old.tier != new.tier:
        yield Change(place, _moved(old.tier, new.tier), breaking=True)
    if old.mask != new.mask:
        yield Change(place, f"masked by {new.mask or 'nothing'}, no more by {old.mask or 'nothing'}", breaking=True)
    if old.description != new.description:
        yield Change(place, "described otherwise", breaking=False)


def _moved(old: str, new: str) -> str:
    opens = _CLOSENESS.index(new) < _CLOSENESS.index(old)
    return f"{new}, no more {old}: rules on tiers show {'more' if opens else 'less'}"


def _dataset(place: str, old: DatasetManifest | None, new: DatasetManifest | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _new_or_gone(place, "dataset", old)
        return
    if old.key.kind != new.key.kind:
        yield Change(place, f"companies are known by {new.key.kind}, no more by {old.key.kind}", breaking=True)
    if old.coverage != new.coverage:
        narrower = _narrowed(old.coverage, new.coverage)
        yield Change(place, "covers fewer companies" if narrower else "covers other companies", breaking=narrower)
    if old.missing_means != new.missing_means:
        words = (one.missing_means or "nothing, for there is no batch" for one in (new, old))
        yield Change(place, "that a company is missing means {}, no more {}".format(*words), breaking=True)
    if old.as_of is not None and new.as_of is None:
        yield Change(place, "tells no more as of when its data is", breaking=True)
    if old.precedence != new.precedence:
        yield Change(place, f"its precedence is {new.precedence}, no more {old.precedence}", breaking=False)
    yield from _kept(place, old, new)
    for name, was, is_now in _pairs(old.fields, new.fields):
        yield from _filled(f"{place}.{name}", was, is_now)


def _kept(place: str, old: DatasetManifest, new: DatasetManifest) -> Iterator[Change]:
    """For how long rows are kept, and for whom."""
    if old.time_to_live != new.time_to_live:
        yield Change(place, f"rows are kept for {new.time_to_live:g} s, no more {old.time_to_live:g} s", breaking=False)
    if old.stale_if_error != new.stale_if_error:
        what = f"rows stand in for {new.stale_if_error:g} s, no more {old.stale_if_error:g} s, where it fails"
        yield Change(place, what, breaking=False)
    if old.shared != new.shared:
        what = "may" if new.shared else "no longer"
        yield Change(place, f"kept rows {what} serve other organisations", breaking=False)


def _filled(place: str, old: FieldMapping | None, new: FieldMapping | None) -> Iterator[Change]:
    if old is None:
        yield Change(place, "filled from now on", breaking=False)
    elif new is None:
        yield Change(place, "filled no more", breaking=True)
    elif old != new:
        yield Change(place, "filled otherwise", breaking=False)


def _narrowed(old: Coverage, new: Coverage) -> bool:
    """Whether some company that was asked about is so no more."""
    if not new.registered:
        return False
    if not old.registered:
        return bool(new.divisions or new.authorities or new.categories)
    lost_category = any(
        becomes and not (was and set(was) <= set(becomes))
        for was, becomes in ((old.authorities, new.authorities), (old.categories, new.categories))
    )
    lost_division = bool(new.divisions) and not (
        old.divisions and all(division.startswith(new.divisions) for division in old.divisions)
    )
    return lost_category or lost_division
