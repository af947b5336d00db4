"""The tests beside the rules: each row a sentence (as this role, at this organisation, for this purpose, given this
basis, of this agency, one sees these things so), checked against everything that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from policies.compile import WHOLE_SCOPE
from policies.decision import Basis, CallerClass, Effect
from policies.errors import Finding
from policies.load import PolicyFiles
from policies.located import Findings, Located, read
from policies.masks import MASKS
from policies.policy import NO_BASIS, Act, Organisation, Policy, is_wide
from policies.rule import NATION
from policies.rulebook import exists, note_unknown
from policies.tree import ROOT
from policies.vocabulary import check_keys, known, near
from schema.catalogue import Catalogue

FOLDER: Final = "tests/"

_REQUIRED: Final = ("as", "at", "for", "given", "of", "sees")
_KEYS: Final = (*_REQUIRED, "scope", "act", "note")
_NO_PURPOSE: Final = "none"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a test expects to be seen: `mask` where it is MASKED."""

    effect: Effect
    mask: str | None = None


_EXPECTED: Final[Mapping[str, Expected]] = {
    "clear": Expected(Effect.CLEAR),
    "withheld": Expected(Effect.WITHHELD),
    **{f"masked {mask}": Expected(Effect.MASKED, mask) for mask in MASKS},
}
"""Every decision, as a test writes it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One cell that a test asks for, with the file and the line where it does."""

    file: str
    line: int
    caller: CallerClass
    act: Act
    agency: str
    coordinate: str
    expected: Expected


@dataclass(frozen=True, slots=True)
class _Against:
    """What tests are checked against."""

    policy: Policy
    cells: Mapping[str, Collection[str]]
    catalogue: Catalogue


def read_tests(
    files: PolicyFiles, policy: Policy, cells: Mapping[str, Collection[str]], catalogue: Catalogue
) -> tuple[tuple[Question, ...], tuple[Finding, ...]]:
    """The questions of the sound tests in `tests/*.yaml`, and what is wrong with the others. `cells` holds the
    coordinates that each agency supplies.
    """
    against = _Against(policy, cells, catalogue)
    questions: list[Question] = []
    found: list[Finding] = []
    for name in sorted(name for name in files if name.startswith(FOLDER)):
        findings = Findings(name)
        questions.extend(_file(read(files[name], findings) or Located({}, 1), against, findings))
        found.extend(findings.found)
    return tuple(questions), tuple(found)


def _file(document: Located, against: _Against, findings: Findings) -> Iterable[Question]:
    owner, agencies = PurePosixPath(findings.file).stem, against.policy.agencies
    if owner != NATION and owner not in agencies:
        findings.add(1, "UNKNOWN_AGENCY", f"the file is named after no agency: `{owner}`", near(owner, agencies))
        return
    entries = findings.entries(document, findings.file)
    check_keys(entries, ("tests",), findings)
    for item in findings.items(entries["tests"], "tests") if "tests" in entries else ():
        before = len(findings.found)
        questions = _test(findings.entries(item, "tests"), item.line, owner, against, findings)
        if len(findings.found) == before:
            yield from questions


def _test(
    entries: Mapping[str, Located], line: int, owner: str, against: _Against, findings: Findings
) -> tuple[Question, ...]:
    check_keys(entries, _KEYS, findings)
    missing = ", ".join(f"`{key}`" for key in _REQUIRED if key not in entries)
    if missing:
        findings.add(line, "MISSING_KEY", f"the test lacks {missing}")
        return ()
    caller = _caller(entries, against, findings)
    act = _one("act", entries, tuple(Act), "act", findings) if "act" in entries else Act.READ
    agencies = _agencies(findings.texts(entries["of"], "of"), owner, against, findings)
    seen = findings.entries(entries["sees"], "sees")
    if not entries["sees"].value:
        findings.add(entries["sees"].line, "EMPTY", "`sees` names nothing, so the test would do nothing")
    expected = {Located(name, item.line): _expected(item, name, findings) for name, item in seen.items()}
    return tuple(
        Question(findings.file, name.line, caller, Act(act), agency, str(name.value), wanted)
        for name, wanted in expected.items()
        for agency in agencies
        if _askable(name, agency, against, findings) and caller and act and wanted
    )


def _one(
    key: str, entries: Mapping[str, Located], options: Collection[str], what: str, findings: Findings
) -> str | None:
    """The one name under a key, which must be among the options."""
    text = findings.text(entries[key], key)
    return next(iter(known((Located(text, entries[key].line),) if text else (), options, what, findings)), None)


def _caller(entries: Mapping[str, Located], against: _Against, findings: Findings) -> CallerClass | None:
    policy = against.policy
    at = _one("at", entries, policy.organisations, "organisation", findings)
    roles = known(findings.texts(entries["as"], "as"), tuple(policy.roles), "role", findings)
    purpose = _one("for", entries, (_NO_PURPOSE, *policy.purposes), "purpose", findings)
    bases = known(findings.texts(entries["given"], "given"), (NO_BASIS, *Basis), "basis", findings)
    scope = _scope(entries, bases, against.catalogue, findings)
    if at is None or purpose is None or not roles or not bases:
        return None
    _check_possible(policy.organisations[at], roles, bases, entries, findings)
    if purpose != _NO_PURPOSE and not policy.covers_purpose(at, purpose):
        registered = ", ".join(sorted(policy.purposes_of(at))) or "none"
        message = f"`{at}` is not registered for `{purpose}`, so such a request is refused"
        findings.add(entries["for"].line, "NOT_REGISTERED", message, f"registered: {registered}")
    held = frozenset(Basis(basis) for basis in bases if basis != NO_BASIS)
    return CallerClass(frozenset(roles), at, None if purpose == _NO_PURPOSE else purpose, held, scope)


def _check_possible(
    organisation: Organisation,
    roles: Iterable[str],
    bases: Collection[str],
    entries: Mapping[str, Located],
    findings: Findings,
) -> None:
    """Notes what nobody at this organisation can be, or can be given."""
    for role in roles:
        if role not in organisation.roles:
            hint = f"roles there: {', '.join(sorted(organisation.roles)) or 'none'}"
            findings.add(entries["as"].line, "NOT_HELD", f"nobody at `{organisation.id}` is `{role}`", hint)
    line = entries["given"].line
    if NO_BASIS in bases and len(bases) > 1:
        findings.add(line, "UNKNOWN_BASIS", f"`{NO_BASIS}` means that no basis holds, so it stands alone")
    if Basis.JURISDICTION in bases and organisation.division is None:
        findings.add(
            line, "NO_JURISDICTION", f"`{organisation.id}` has no division, so jurisdiction never holds for it"
        )


def _scope(
    entries: Mapping[str, Located], bases: Collection[str], catalogue: Catalogue, findings: Findings
) -> frozenset[str]:
    """What the consent names: everything, unless said."""
    if Basis.CONSENT not in bases:
        if "scope" in entries:
            findings.add(entries["scope"].line, "SCOPE_OF_NOTHING", "a scope is what a consent names; none is given")
        return frozenset()
    if "scope" not in entries:
        return WHOLE_SCOPE
    names = findings.texts(entries["scope"], "scope")
    for name in names:
        if not exists(str(name.value), catalogue):
            note_unknown(name, catalogue, findings)
    scope = frozenset(str(name.value) for name in names)
    return WHOLE_SCOPE if ROOT in scope else scope


def _agencies(names: Collection[Located], owner: str, against: _Against, findings: Findings) -> tuple[str, ...]:
    agencies = against.policy.agencies
    found = known(names, tuple(agencies), "agency", findings)
    for name in names:
        if name.value in found and owner != NATION and not agencies.covers(owner, str(name.value)):
            message = f"this file holds tests on the data of `{owner}` only, not of `{name.value}`"
            findings.add(name.line, "FOREIGN_AGENCY", message, f"write it in {FOLDER}{NATION}.yaml")
    return found


def _expected(item: Located, name: str, findings: Findings) -> Expected | None:
    text = findings.text(item, name)
    written = " ".join(text.split()) if text else ""
    names = known((Located(written, item.line),) if written else (), _EXPECTED, "decision", findings)
    return _EXPECTED[names[0]] if names else None


def _askable(name: Located, agency: str, against: _Against, findings: Findings) -> bool:
    """Whether this is one thing that the agency supplies."""
    text = str(name.value)
    if not exists(text, against.catalogue):
        note_unknown(name, against.catalogue, findings)
    elif is_wide(text):
        hint = "name a record type or a field, as `Penalty.amount`"
        findings.add(name.line, "WIDE", f"`{text}` is more than one thing, each with a decision of its own", hint)
    elif text not in against.cells.get(agency, ()):
        findings.add(name.line, "NOT_SUPPLIED", f"the agency `{agency}` supplies no `{text}`")
    else:
        return True
    return False
