"""Whether edited decisions can be had, and whether the rules made for them change these and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Final

from policies.errors import Finding
from policies.masks import widest
from policies.rule import NATION
from policies.rulebook import OBJECTION
from policies.spreadsheet.cell import finding_at
from policies.spreadsheet.decision_edits import Edit
from policies.spreadsheet.decisions import DecisionSheets
from policies.spreadsheet.matrix import CLEAR, MASKED, WITHHELD, Matrix, Place
from policies.spreadsheet.matrix_rules import MadeRule
from policies.spreadsheet.sheet import RULES

_CLOSED: Final = frozenset({"", WITHHELD})


def refused(edits: Collection[Edit], now: Matrix) -> Iterator[Finding]:
    """The edits that edited rules or closed records gainsay. `now` is the matrix with the edited rules alone."""
    wanted = {place: edit.after for edit in edits for place in edit.places()}
    for edit in edits:
        words = {now.word(place) for place in edit.places()}
        if edit.after not in _CLOSED and edit.coordinate.partition(".")[0] in now.policy.unreleased:
            yield _unreleased(edit)
        elif not words <= {edit.before, edit.after}:
            yield _ambiguous(edit, words)
        elif (place := unmet(edit, now)) and not _rows_allow(edit, place, wanted, now):
            yield _rows_closed(edit)


def unreachable(edits: Iterable[Edit], made: Collection[MadeRule], matrix: Matrix) -> Iterator[Finding]:
    """The edits that no rule besides those of the matrix can bring about; `made` are those among them that were made
    for edits.
    """
    for edit in edits:
        place = next((place for place in edit.places() if matrix.word(place) != edit.after), None)
        if place and not _reachable(matrix.word(place), edit):
            yield _not_reached(edit, place, matrix, made)


def unmet(edit: Edit, matrix: Matrix) -> Place | None:
    """A place where the matrix has not what was edited. What is to be empty may be withheld as well."""
    meant = {edit.after} if edit.after else _CLOSED
    return next((place for place in edit.places() if matrix.word(place) not in meant), None)


def unwanted(
    edits: Collection[Edit], made: Collection[MadeRule], matrices: tuple[Matrix, Matrix], sheets: DecisionSheets
) -> Iterator[Finding]:
    """What the rules that were made change otherwise than was edited, each by its cell. `matrices` are those without
    and with these rules.
    """
    _, after = matrices
    for edit in edits:
        if place := unmet(edit, after):
            yield _not_reached(edit, place, after, made)
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
    changed: dict[Place, tuple[str, str]] = {}
    for place in before.places_unlike(after):
        words = before.word(place), after.word(place)
        if not (place in edited or _CLOSED.issuperset(words) or _follows(place, words[1], by_data, after)):
            changed[place] = words
    topmost: dict[str, Place] = {}
    for place in changed:
        if changed.keys().isdisjoint(_places_above(place, after)):
            topmost.setdefault(sheets.where(place), place)
    for where, place in topmost.items():
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


def _rows_allow(edit: Edit, place: Place, wanted: Mapping[Place, str], now: Matrix) -> bool:
    """Whether a field's decision can be as edited, for what becomes of its records: where these are closed, nothing is
    shown, and where no rule speaks of them, none can be heard on the field.
    """
    rows = place_of_rows(place)
    before = now.word(rows)
    after = wanted.get(rows, before)
    if rows == place or edit.after == "" or after == CLEAR:
        return True
    return edit.after == WITHHELD and (before, after) != ("", "")


def _reachable(word: str, edit: Edit) -> bool:
    """Whether a further rule can lead from this decision to the edited one. What is denied stays denied."""
    wanted = edit.after
    if word == WITHHELD:
        return edit.before not in _CLOSED and not wanted
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


def _unreleased(edit: Edit) -> Finding:
    record = edit.coordinate.partition(".")[0]
    message = f"`{record}`, a record type of this agency's own, is not released, so that nothing of it can be shown"
    return edit.finding("UNRELEASED", message, f"release it first: a rule in {NATION}.yaml that allows `{record}`")


def _rows_closed(edit: Edit) -> Finding:
    record = edit.coordinate.partition(".")[0]
    message = f"the records of `{record}` are not shown to `{edit.column.heading}`, nor are any of their fields"
    hint = f"make the cell of `{record}` itself, in this column, `{CLEAR}` as well"
    if edit.after == WITHHELD:
        hint = f"put the cell back, or make that of `{record}` itself `{WITHHELD}` as well"
    return edit.finding("ROWS_CLOSED", message, hint)


def _not_reached(edit: Edit, place: Place, matrix: Matrix, made: Collection[MadeRule]) -> Finding:
    word, rules = matrix.word(place), matrix.deciding(place)
    if edit.coordinate.rpartition(".")[2] == OBJECTION:
        record = edit.coordinate.partition(".")[0]
        message = f"the dispute mark is shown whenever the record is: here it is {_quoted(word)}"
        return edit.finding("FOLLOWS_RECORD", message, f"edit the cell of `{record}` itself")
    message = f"this cannot become {_quoted(edit.after)} by a further rule; it is {_quoted(word)} by"
    written = _named(set(rules) - {rule.texts["id"] for rule in made}, ())
    hint = f"change or remove {written} in the sheet `{RULES}`" if written else "put one of these cells back"
    return edit.finding("NOT_REACHED", f"{message} {_named(rules, made)}", hint)


def _changed_too(where: str, words: tuple[str, str], rules: str) -> Finding:
    message = f"this would change too, from {_quoted(words[0])} to {_quoted(words[1])}, by {rules}"
    return finding_at(where, "ALSO_CHANGED", message, f"edit it likewise, or say what you mean in the sheet `{RULES}`")


def _quoted(word: str) -> str:
    return f"`{word}`" if word else "empty"


def _named(rules: Iterable[str], made: Iterable[MadeRule]) -> str:
    """The rules by their ids, those that were made by the cell that they come from."""
    cells = {rule.texts["id"]: rule.edits[0].where for rule in made}
    return ", ".join(f"the edit of {cells[rule]}" if rule in cells else f"`{rule}`" for rule in sorted(rules))
