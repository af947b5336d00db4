"""What policies mean: the analyses as they run in a process of their own, from files to results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.audit.evidence import LogPlace, read_log
from policies.analysis.blocks import Change
from policies.analysis.caller import named_caller
from policies.analysis.diff import Difference, diff
from policies.analysis.lint import lint
from policies.analysis.rule_tests import TestReport, run_tests
from policies.analysis.simulate import Simulation, simulate
from policies.analysis.suggest import Standing, Suggestion, suggest
from policies.analysis.why import Explanation, explain
from policies.decision import Basis
from policies.errors import Finding
from policies.judgement import Judgement
from policies.load import PolicyFiles, PolicyReader, load_policy, placed_rules
from policies.policy import Act, Policy
from policies.store.model import changed, loadable
from schema.catalogue import Catalogue

PUBLICITY: Final = "publicity/"
"""The folder of publicity periods."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """What policies are about. `cells` are the coordinates that each agency supplies; `reach` are those of them that
    whoever asks may look into.
    """

    catalogue: Catalogue
    cells: Mapping[str, frozenset[str]]
    reach: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody whose decisions are explained: `role` or `role@organisation`, the purpose, the bases that hold, and what
    a consent names (None: everything).
    """

    who: str
    purpose: str | None
    bases: frozenset[Basis]
    scope: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Stage:
    """What changes from a moment on (None: at once) that did not change before: a day on which some rule's validity
    begins or ends.
    """

    begins: dt.datetime | None
    difference: Difference


@dataclass(frozen=True, slots=True)
class Compared:
    """Two policies, stage by stage; the files of publicity periods that differ; and the agencies whose data is opened
    wider to anybody by any of it, now or later.
    """

    stages: tuple[Stage, ...]
    publicity: tuple[str, ...]
    widened: frozenset[str]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A simulation, with the moments between which its requests were made (None where there were none), and how many
    lines of the audit log could not be read.
    """

    simulation: Simulation
    begins: dt.datetime | None
    ends: dt.datetime | None
    unread: int


def findings(files: PolicyFiles, supplied: Supplied) -> tuple[Finding, ...]:
    """What is wrong with a policy's files, or worth a look."""
    return lint(files, supplied.catalogue, supplied.cells, supplied.cells)


def tested(files: PolicyFiles, supplied: Supplied) -> TestReport:
    """The policy's own tests, run. Raises `PolicyInvalid`."""
    return run_tests(_loaded(files, supplied), files, supplied.cells, supplied.catalogue)


def difference(before: PolicyFiles, after: PolicyFiles, supplied: Supplied) -> Compared:
    """What changes from one policy to the other, within reach, now and later. Raises `PolicyInvalid`."""
    now = dt.datetime.now(dt.UTC)
    publicity = tuple(name for name in changed(before, after) if name.startswith(PUBLICITY))
    widened = Judgement(supplied.catalogue, supplied.cells).widened(before, after, now)
    return Compared(tuple(_stages(before, after, supplied, now)), publicity, widened & supplied.reach.keys())


def _stages(before: PolicyFiles, after: PolicyFiles, supplied: Supplied, now: dt.datetime) -> Iterator[Stage]:
    reader = PolicyReader(supplied.catalogue, supplied.cells)
    begins: dt.datetime | None = None
    told: frozenset[Change] = frozenset()
    while True:
        was, is_ = (reader.load(loadable(files, now), begins or now) for files in (before, after))
        found = diff(was, is_, supplied.reach)
        yield Stage(begins, replace(found, changes=tuple(one for one in found.changes if one not in told)))
        told |= frozenset(found.changes)
        begins = min((change for change in (was.next_change, is_.next_change) if change), default=None)
        if begins is None:
            return


def replayed(
    before: PolicyFiles, after: PolicyFiles, supplied: Supplied, log: LogPlace, since: dt.datetime
) -> Replayed:
    """What the change from one policy to the other would have done to the requests since a moment that asked for
    something within reach.

    Raises `PolicyInvalid`.
    """
    evidence = read_log(log, since)
    asking = [shape for shape in evidence.shapes if not supplied.reach.keys().isdisjoint(shape.agencies)]
    simulation = simulate(_loaded(before, supplied), _loaded(after, supplied), supplied.reach, asking)
    return Replayed(simulation, evidence.begins, evidence.ends, evidence.unread)


def explained(
    files: PolicyFiles, supplied: Supplied, asker: Asker, coordinate: str, act: Act
) -> tuple[Explanation, ...]:
    """Why somebody gets to see what it sees of a coordinate, at each agency within reach. Raises `PolicyInvalid`, and
    the errors of `named_caller` and `explain`.
    """
    policy = _loaded(files, supplied)
    caller = named_caller(policy, asker.who, asker.purpose, asker.bases, asker.scope)
    return explain(policy, supplied.reach, caller, coordinate, act=act)


def suggested(
    files: PolicyFiles, supplied: Supplied, log: LogPlace, now: dt.datetime, days: int
) -> tuple[Suggestion, ...]:
    """How the rules could be narrowed to what was used of them in the last `days`. Raises `PolicyInvalid`."""
    policy = _loaded(files, supplied)
    standing = Standing(placed_rules(files, policy, supplied.catalogue), policy, supplied.catalogue, supplied.reach)
    return suggest(standing, read_log(log, now - dt.timedelta(days=days)), now, days)


def _loaded(files: PolicyFiles, supplied: Supplied) -> Policy:
    now = dt.datetime.now(dt.UTC)
    return load_policy(loadable(files, now), supplied.catalogue, supplied.cells, now=now)
