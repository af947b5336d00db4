"""Whether edited decisions can be had, and whether the rules made for them change these and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Final

from policies.errors import Finding
from policies.masks import widest
from policies.rulebook import OBJECTION
from policies.spreadsheet.decision_edits import Edit
from policies.spreadsheet.decisions import DecisionSheets
from policies.spreadsheet.matrix import CLEAR, MASKED, WITHHELD, Matrix, Place
from policies.spreadsheet.matrix_rules import MadeRule
from policies.spreadsheet.sheet import RULES

_CLOSED: Final = frozenset({"", WITHHELD})


def refused(edits: Collection[Edit], now: Matrix) -> Iterator[Finding]:
    """The edits that no further rule can bring about. `now` is the matrix before it, edits of rules included."""
    wanted = {place: edit.after for edit in edits for place in edit.places()}
    for edit in edits:
        words = {place: now.word(place) for place in edit.places()}
        if any(word not in {edit.before, edit.after} for word in words.values()):
            yield _ambiguous(edit, words.values())
            continue
        unlike = [place for place, word in words.items() if word != edit.after]
        if not unlike:
            continue
        place, word = unlike[0], words[unlike[0]]
        rows = place_of_rows(place)
        if edit.after and rows != place and wanted.get(rows, now.word(rows)) != CLEAR:
            yield _rows_closed(edit)
        elif not _reachable(word, edit.after):
            yield _not_reached(edit, word, _named(now.deciding(place), ()))


def unwanted(
    edits: Collection[Edit], made: Collection[MadeRule], matrices: tuple[Matrix, Matrix], sheets: DecisionSheets
) -> Iterator[Finding]:
    """What the rules that were made change otherwise than was edited, each by its cell. `matrices` are those without
    and with these rules.
    """
    before, after = matrices
    for edit in edits:
        for place in edit.places():
            word = after.word(place)
            if word != edit.after and not (edit.after == "" and word == WITHHELD and before.word(place) != WITHHELD):
                yield _not_reached(edit, word, _named(after.deciding(place), made))
                break
    yield from _also_changed(edits, made, matrices, sheets)


def _also_changed(
    edits: Collection[Edit], made: Collection[MadeRule], matrices: tuple[Matrix, Matrix], sheets: DecisionSheets
) -> Iterator[Finding]:
    """What was not edited and does not lie below an edit. Of several that lie below each other, the topmost."""
    before, after = matrices
    edited = {place for edit in edits for place in edit.places()}
    by_data: dict[tuple[str, str], list[Edit]] = {}
    for edit in edits:
        by_data.setdefault((edit.agency, edit.coordinate), []).append(edit)
    changed = {
        place: words
        for place in before.places_unlike(after)
        if place not in edited
        and not _CLOSED.issuperset(words := (before.word(place), after.word(place)))
        and not _follows(place, words[1], by_data, after)
    }
    cells = {
        sheets.where(place): place
        for place in reversed(changed)
        if changed.keys().isdisjoint(_places_above(place, after))
    }
    for where, place in cells.items():
        yield _changed_too(where, changed[place], _named(after.deciding(place), made))


def _places_above(place: Place, matrix: Matrix) -> Iterator[Place]:
    roles = matrix.policy.roles.lineage(place.role)
    purposes = (*matrix.policy.purposes.lineage(place.purpose)[:-1], None) if place.purpose else (None,)
    for role, purpose in product(roles, purposes):
        if (role, purpose) != (place.role, place.purpose):
            yield replace(place, role=role, purpose=purpose)


def place_of_rows(place: Place) -> Place:
    """The decision on whether the records exist."""
    record = place.coordinate.partition(".")[0]
    return Place(place.purpose, place.agency, record, place.role, place.basis)


def _reachable(word: str, wanted: str) -> bool:
    """Whether a further rule can lead from one decision to the other. What is denied stays denied."""
    if word == WITHHELD:
        return False
    if wanted.startswith(MASKED) and word.startswith(MASKED):
        masks = {text.removeprefix(MASKED) for text in (word, wanted)}
        return widest(masks) == wanted.removeprefix(MASKED)
    return not (word == CLEAR and wanted.startswith(MASKED))


def _follows(place: Place, word: str, by_data: dict[tuple[str, str], list[Edit]], matrix: Matrix) -> bool:
    """Whether a decision lies below an edited one: that of a role or purpose above, or of its records, with which the
    dispute mark goes, and without which nothing is shown.
    """
    rows = place_of_rows(place)
    if any(_covers(edit, place, matrix) for edit in by_data.get((place.agency, place.coordinate), ())):
        return True
    if word not in _CLOSED and place.coordinate.rpartition(".")[2] != OBJECTION:
        return False
    return any(_covers(edit, rows, matrix) for edit in by_data.get((rows.agency, rows.coordinate), ()))


def _covers(edit: Edit, place: Place, matrix: Matrix) -> bool:
    policy = matrix.policy
    if edit.column.role not in policy.roles.lineage(place.role) or place.basis not in edit.column.bases:
        return False
    if edit.purpose is None:
        return True
    return place.purpose is not None and edit.purpose in policy.purposes.lineage(place.purpose)


def _ambiguous(edit: Edit, words: Iterable[str]) -> Finding:
    now = " or ".join(sorted({_quoted(word) for word in words}))
    message = f"edited rules make this {now}, and the cell says {_quoted(edit.after)}: which of the two is meant?"
    return edit.finding("AMBIGUOUS", message, "import the edited rules first, export anew, then edit this cell")


def _rows_closed(edit: Edit) -> Finding:
    record = edit.coordinate.partition(".")[0]
    message = f"the records of `{record}` are not shown to `{edit.column.heading}`, so none of its fields can be"
    return edit.finding(
        "ROWS_CLOSED", message, f"make the cell of `{record}` itself, in this column, `{CLEAR}` as well"
    )


def _not_reached(edit: Edit, word: str, rules: str) -> Finding:
    if edit.coordinate.rpartition(".")[2] == OBJECTION:
        record = edit.coordinate.partition(".")[0]
        message = f"the dispute mark is shown whenever the record is: here it is {_quoted(word)}"
        return edit.finding("FOLLOWS_RECORD", message, f"edit the cell of `{record}` itself")
    message = f"this cannot become {_quoted(edit.after)} by a further rule; it is {_quoted(word)} by {rules}"
    return edit.finding("NOT_REACHED", message, f"change or remove {rules} in the sheet `{RULES}`")


def _changed_too(where: str, words: tuple[str, str], rules: str) -> Finding:
    message = f"this would change too, from {_quoted(words[0])} to {_quoted(words[1])}, by {rules}"
    row = int("".join(filter(str.isdigit, where.rpartition("!")[2])))
    return Finding(
        where, row, "ALSO_CHANGED", message, f"edit it likewise, or say what you mean in the sheet `{RULES}`"
    )


def _quoted(word: str) -> str:
    return f"`{word}`" if word else "empty"


def _named(rules: Iterable[str], made: Iterable[MadeRule]) -> str:
    """The rules by their ids, those that were made by the cell that they come from."""
    cells = {rule.texts["id"]: rule.edits[0].where for rule in made}
    return ", ".join(f"the edit of {cells[rule]}" if rule in cells else f"`{rule}`" for rule in rules) or "no rule"
