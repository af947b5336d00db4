"""Edited decisions as rules, as few as say them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Final

from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.cell import coordinate_from_string

from policies.policy import Policy, RuleEffect
from policies.rule import NATION
from policies.rulebook import OBJECTION
from policies.spreadsheet.decision_edits import Edit
from policies.spreadsheet.matrix import BASES, MASKED, WITHHELD
from policies.spreadsheet.sheet import KEYS, RuleTexts
from policies.tree import ROOT, Tree

_NOTE: Final = "From the matrix: "


@dataclass(frozen=True, slots=True)
class MadeRule:
    """A rule with the edits that it says."""

    texts: RuleTexts
    edits: tuple[Edit, ...]


_BASES, _COORDINATES, _AGENCIES, _ROLES, _PURPOSES = "bases", "coordinates", "agencies", "roles", "purposes"
_LISTS: Final = (_BASES, _COORDINATES, _AGENCIES, _ROLES, _PURPOSES)


@dataclass(frozen=True, slots=True)
class _Saying:
    """A rule in the making: each name in its lists holds with each in the others. Lists are sorted."""

    decision: str
    lists: Mapping[str, tuple[str, ...]]
    edits: tuple[Edit, ...]

    def key(self, *but: str) -> tuple[object, ...]:
        """What it says, leaving out some lists."""
        return (self.decision, *(self.lists[name] for name in _LISTS if name not in but))


def rules_for(edits: Iterable[Edit], policy: Policy, taken: Collection[str]) -> tuple[MadeRule, ...]:
    """The rules that say these edits: an allow that names the field, or a deny where nothing is to be shown.

    `taken` holds the ids of the rules that there are. The dispute mark follows its record, so no rule is made for it.
    """
    sayings = [_saying(edit) for edit in edits if edit.coordinate.rpartition(".")[2] != OBJECTION]
    for name in _LISTS:
        sayings = [_joined(group, name) for group in _alike(sayings, name)]
        if name == _BASES:
            sayings = _without_implied(sayings, policy)
    used = set(taken)
    made = []
    for saying in sayings:
        new = _new_id(saying, used)
        used.add(new)
        made.append(MadeRule(_texts(saying, new, policy), saying.edits))
    return tuple(made)


def _saying(edit: Edit) -> _Saying:
    lists = {
        _BASES: edit.column.bases,
        _COORDINATES: (edit.coordinate,),
        _AGENCIES: (edit.agency,),
        _ROLES: (edit.column.role,),
        _PURPOSES: (edit.purpose or ROOT,),
    }
    return _Saying(edit.after or WITHHELD, lists, (edit,))


def _alike(sayings: Iterable[_Saying], name: str) -> Iterator[list[_Saying]]:
    """Those that differ in this list at most."""
    groups: dict[tuple[object, ...], list[_Saying]] = {}
    for saying in sayings:
        groups.setdefault(saying.key(name), []).append(saying)
    yield from groups.values()


def _joined(group: list[_Saying], name: str) -> _Saying:
    names = tuple(sorted({item for saying in group for item in saying.lists[name]}))
    edits = tuple(edit for saying in group for edit in saying.edits)
    return replace(group[0], lists={**group[0].lists, name: names}, edits=edits)


def _without_implied(sayings: list[_Saying], policy: Policy) -> list[_Saying]:
    """Without those that another says of a role or purpose above; that one takes on their edits."""
    by_key = {saying.key(_BASES): saying for saying in sayings}
    followers: dict[tuple[object, ...], list[Edit]] = {}
    kept = []
    for saying in sayings:
        if (above := _above(saying, by_key, policy)) is None:
            kept.append(saying)
        else:
            followers.setdefault(above.key(), []).extend(saying.edits)
    return [replace(saying, edits=(*saying.edits, *followers.get(saying.key(), ()))) for saying in kept]


def _above(saying: _Saying, by_key: Mapping[tuple[object, ...], _Saying], policy: Policy) -> _Saying | None:
    """The topmost other that says the same of a role or purpose above."""
    roles, purposes = (
        tree.lineage(*saying.lists[name]) for tree, name in ((policy.roles, _ROLES), (policy.purposes, _PURPOSES))
    )
    for role, purpose in product(reversed(roles), reversed(purposes)):
        wider = replace(saying, lists={**saying.lists, _ROLES: (role,), _PURPOSES: (purpose,)})
        other = by_key.get(wider.key(_BASES))
        if other and other is not saying and set(other.lists[_BASES]) >= set(saying.lists[_BASES]):
            return other
    return None


def _texts(saying: _Saying, name: str, policy: Policy) -> RuleTexts:
    mask = saying.decision.removeprefix(MASKED) if saying.decision.startswith(MASKED) else ""
    bases = [basis for basis in BASES if basis in saying.lists[_BASES]]
    return dict.fromkeys(KEYS, "") | {
        "file": _file(saying.lists[_AGENCIES], policy.agencies),
        "id": name,
        "effect": str(RuleEffect.DENY if saying.decision == WITHHELD else RuleEffect.ALLOW),
        "things": ", ".join(saying.lists[_COORDINATES]),
        "of": ", ".join(saying.lists[_AGENCIES]),
        "to": ", ".join(saying.lists[_ROLES]),
        "for": ", ".join(saying.lists[_PURPOSES]),
        "given": ROOT if len(bases) == len(BASES) else ", ".join(bases),
        "masked": mask,
        "note": f"{_NOTE}{'; '.join(_cells(saying.edits))}.",
    }


def _file(agencies: tuple[str, ...], tree: Tree) -> str:
    """The rule file of the agency, or of the nearest one above all of them."""
    for agency in tree.lineage(agencies[0]):
        if agency != ROOT and all(tree.covers(agency, other) for other in agencies):
            return agency
    return NATION


def _new_id(saying: _Saying, used: Collection[str]) -> str:
    """`sheet-bank.officer-taxarrears-balance`, after the first role and thing; numbered, where that is taken."""
    thing = re.sub(r"[^a-z0-9]+", "-", saying.lists[_COORDINATES][0].lower()).strip("-")
    name = f"sheet-{saying.lists[_ROLES][0]}-{thing}"
    number = 1
    while (numbered := name if number == 1 else f"{name}-{number}") in used:
        number += 1
    return numbered


def _cells(edits: Iterable[Edit]) -> Iterator[str]:
    """By sheet, the cells, runs within a column as `H12:H14`."""
    places: dict[str, set[tuple[int, int]]] = {}
    for edit in edits:
        sheet, _, cell = edit.where.rpartition("!")
        letters, row = coordinate_from_string(cell)
        places.setdefault(sheet, set()).add((column_index_from_string(letters), row))
    for sheet, cells in sorted(places.items()):
        yield f"{sheet}!{', '.join(_runs(sorted(cells)))}"


def _runs(cells: list[tuple[int, int]]) -> Iterator[str]:
    for _, group in groupby(enumerate(cells), lambda item: (item[1][0], item[1][1] - item[0])):
        run = [cell for _, cell in group]
        names = [f"{get_column_letter(column)}{row}" for column, row in (run[0], run[-1])]
        yield names[0] if len(run) == 1 else ":".join(names)
