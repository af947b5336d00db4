"""The names that a policy may use, read from `trees.yaml` and `organisations.yaml` and checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from policies.located import Findings, Located
from policies.policy import Organisation
from policies.tree import MAX_LEVELS, ROOT, Tree, cycle_through

HINTED: Final = 50
"""How many mistakes of a file come with the likely name, which takes a look at every name that there is."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
_DIVISION: Final = re.compile(r"\d{2}(?:\d{2}){0,2}")
_TREES: Final = ("roles", "purposes", "agencies")
_ORGANISATION_KEYS: Final = ("name", "name_zh", "parent", "division", "roles", "purposes", "administers")


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of roles, purposes and agencies."""

    roles: Tree
    purposes: Tree
    agencies: Tree


def near(name: str, options: Iterable[str]) -> str | None:
    """A hint that names the likeliest of `options`, None where nothing is near."""
    by_folded = {option.casefold(): option for option in options}
    found = get_close_matches(name.casefold(), by_folded, n=1)
    return f"did you mean `{by_folded[found[0]]}`?" if found else None


def check_name(name: Located, what: str, findings: Findings) -> bool:
    """Whether a new name is well-formed: lower-case words joined by dots, hyphens or underscores."""
    text = str(name.value)
    if text == ROOT or not _NAME.fullmatch(text):
        findings.add(
            name.line, "BAD_NAME", f"`{text}` cannot name one of `{what}`", "use lower-case words, as in `bank.officer`"
        )
        return False
    return True


def check_keys(entries: Mapping[str, Located], allowed: Collection[str], findings: Findings) -> None:
    """Notes each key that is not among those allowed."""
    for key, item in entries.items():
        if key not in allowed:
            hint = near(key, allowed) or f"allowed here: {', '.join(allowed)}"
            findings.add(item.line, "UNKNOWN_KEY", f"unknown key `{key}`", hint)


def known(
    names: Iterable[Located], options: Collection[str] | Tree, what: str, findings: Findings, *, root: bool = False
) -> tuple[str, ...]:
    """Those of `names` that are among `options` (where `root` is true, also `any`). `what` ("role") names the kind of
    thing in the findings.
    """
    found = []
    for name in names:
        text = str(name.value)
        if text in options or (root and text == ROOT):
            found.append(text)
        else:
            hint = near(text, (ROOT, *options) if root else options) if len(findings.found) < HINTED else None
            findings.add(name.line, f"UNKNOWN_{what.upper()}", f"unknown {what} `{text}`", hint)
    return tuple(found)


def read_trees(document: Located, agencies: Collection[str], findings: Findings) -> Trees:
    """The trees of `trees.yaml`; `agencies` are the ids that must be in the tree of agencies."""
    entries = findings.entries(document, findings.file)
    check_keys(entries, _TREES, findings)
    nothing = Located({}, document.line)
    trees = [_tree(entries.get(what, nothing), what, findings) for what in _TREES]
    made = Trees(*trees)
    for agency in sorted(set(agencies) - set(made.agencies)):
        line = entries.get("agencies", nothing).line
        findings.add(line, "AGENCY_NOT_IN_TREE", f"the agency `{agency}` has a manifest but is not in `agencies`")
    return made


def _tree(located: Located, what: str, findings: Findings) -> Tree:
    entries = findings.entries(located, what)
    parents: dict[str, str] = {}
    for child, parent in entries.items():
        if check_name(Located(child, parent.line), what, findings):
            parents[child] = findings.text(parent, child) or ROOT
    return checked_tree(parents, {name: item.line for name, item in entries.items()}, what, findings)


def checked_tree(parents: Mapping[str, str], lines: Mapping[str, int], what: str, findings: Findings) -> Tree:
    """A tree without unknown parents or cycles (each a finding, the name then hangs below the root)."""
    sound = dict(parents)
    for name, parent in parents.items():
        if parent != ROOT and parent not in parents:
            likely = near(parent, parents) if len(findings.found) < HINTED else None
            hint = likely or f"the topmost names have the parent `{ROOT}`"
            findings.add(lines[name], "UNKNOWN_PARENT", f"`{name}` in `{what}`: unknown parent `{parent}`", hint)
            sound[name] = ROOT
    for name in parents:
        if cycle := cycle_through(sound, name):
            findings.add(lines[name], "CYCLE", f"`{what}` run in a circle: {' -> '.join(cycle)}")
            sound[name] = ROOT
    tree = Tree(sound)
    for name in parents:
        if len(tree.lineage(name)) > MAX_LEVELS:
            message = f"`{name}` in `{what}` lies deeper than {MAX_LEVELS} levels, `{ROOT}` included"
            findings.add(lines[name], "TOO_DEEP", message, "casbin would not see what it inherits")
    return tree


def read_organisations(document: Located, trees: Trees, findings: Findings) -> tuple[Tree, dict[str, Organisation]]:
    """The organisations of `organisations.yaml`, and their tree."""
    entries = findings.entries(document, findings.file)
    check_keys(entries, ("organisations",), findings)
    listed = findings.entries(entries.get("organisations", Located({}, document.line)), "organisations")
    made = {
        name: _organisation(Located(name, item.line), item, trees, findings)
        for name, item in listed.items()
        if check_name(Located(name, item.line), "organisations", findings)
    }
    parents = {name: organisation.parent for name, organisation in made.items()}
    lines = {name: item.line for name, item in listed.items()}
    return checked_tree(parents, lines, "organisations", findings), made


def _organisation(name: Located, item: Located, trees: Trees, findings: Findings) -> Organisation:
    entries = findings.entries(item, str(name.value))
    check_keys(entries, _ORGANISATION_KEYS, findings)
    for key in ("name", "name_zh", "roles", "purposes"):
        if key not in entries:
            findings.add(name.line, "MISSING_KEY", f"the organisation `{name.value}` lacks `{key}`")
    texts = {
        key: findings.text(entries[key], key) for key in ("name", "name_zh", "parent", "division") if key in entries
    }
    division = texts.get("division")
    if division is not None and not _DIVISION.fullmatch(division):
        findings.add(entries["division"].line, "BAD_DIVISION", f"`{division}` is not a division of 2, 4 or 6 digits")
    columns = {key: findings.texts(entries[key], key) if key in entries else () for key in ("roles", "purposes")}
    return Organisation(
        id=str(name.value),
        name=texts.get("name") or "",
        name_zh=texts.get("name_zh") or "",
        parent=texts.get("parent") or ROOT,
        division=division,
        roles=frozenset(known(columns["roles"], trees.roles.parents, "role", findings)),
        purposes=frozenset(known(columns["purposes"], trees.purposes.parents, "purpose", findings)),
        administers=_administered(entries.get("administers"), trees, findings),
    )


def _administered(item: Located | None, trees: Trees, findings: Findings) -> str | None:
    if item is None:
        return None
    names = findings.texts(item, "administers")
    if len(names) > 1:
        findings.add(item.line, "SEVERAL_AGENCIES", "`administers` holds one agency", "name one that lies above them")
    found = known(names, (ROOT, *trees.agencies), "agency", findings)
    return found[0] if found else None
