"""Why a decision is as it is, and what would have to change for another: for those who answer for a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from policies.analysis.caller import check_caller
from policies.analysis.matching import Cell, RuleIndex
from policies.analysis.question import Question
from policies.analysis.remedies import Denial, NearMiss, Remedies, Remedy, denial, near_misses
from policies.compile import compile_table
from policies.decision import CallerClass, Decision, Effect
from policies.errors import CoordinateUnknown
from policies.policy import Act, Policy, RuleEffect
from policies.vocabulary import near


class Standing(StrEnum):
    """What became of a rule that matches but does not decide: others come before it in casbin's order (`OUTRANKED`), or
    it was heard, and a deny or what others grant won (`BEATEN`).
    """

    OUTRANKED = "OUTRANKED"
    BEATEN = "BEATEN"


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """A rule that matches, by the thing that it names (`Penalty.*`), and what it alone would give."""

    rule: str
    thing: str
    effect: RuleEffect
    gives: Decision
    standing: Standing


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one agency's coordinate is decided so. `decision` has the deciding rule's id, None where no rule gives
    anything.

    Where `by_rows` is true the decision is that on the records as such, and the runners-up and near misses are rules on
    them. Runners-up stand in casbin's order, near misses the nearest first (none where a deny decides: nothing helps
    against it).
    """

    agency: str
    coordinate: str
    act: Act
    decision: Decision
    by_rows: bool
    runners_up: tuple[RunnerUp, ...]
    remedies: tuple[Remedy, ...]
    denial: Denial | None
    near_misses: tuple[NearMiss, ...]


def explain(
    policy: Policy, cells: Mapping[str, frozenset[str]], caller: CallerClass, coordinate: str, *, act: Act = Act.READ
) -> tuple[Explanation, ...]:
    """Why this class of caller gets what it gets of a coordinate: one explanation for each agency that supplies it, by
    the agencies' ids. `cells` holds the coordinates that each agency supplies.

    Raises `CallerUnknown`, `PurposeRefused` and `CoordinateUnknown`, which name what is near.
    """
    check_caller(policy, caller)
    _check_coordinate(policy, cells, coordinate)
    wanted = frozenset({coordinate, _record(coordinate)})
    asked = {agency: wanted for agency in sorted(cells) if coordinate in cells[agency]}
    table = compile_table(policy, asked, caller, act=act)
    remedies = Remedies(policy, asked, caller, act)
    index = RuleIndex(policy)
    return tuple(
        _explained(
            Question(policy, index, caller, Cell(agency, coordinate, act)),
            table.at(agency, coordinate),
            remedies.of(agency, coordinate, table.at(agency, coordinate)),
            rows=table.at(agency, _record(coordinate)),
        )
        for agency in asked
    )


def _explained(question: Question, decision: Decision, remedies: tuple[Remedy, ...], *, rows: Decision) -> Explanation:
    cell = question.cell
    # A field is withheld where its rows are.
    by_rows = cell != cell.rows and (cell.decided_as == cell.rows or rows.effect is not Effect.CLEAR)
    decided = replace(question, cell=cell.rows) if by_rows else question
    denied = denial(question, decision)
    return Explanation(
        cell.agency,
        cell.coordinate,
        cell.act,
        decision,
        by_rows,
        tuple(_runners_up(decided, decision)),
        remedies,
        denied,
        () if denied else near_misses(decided, decision),
    )


def _runners_up(question: Question, decision: Decision) -> Iterator[RunnerUp]:
    rules = question.rules()
    heard = {(row.rule, row.object) for names in question.each() for row in rules.heard(names) if row}
    told: set[tuple[str, str]] = set()
    for row in question.matching():
        key = (row.rule, row.object)
        if row.rule != decision.rule and key not in told:
            told.add(key)
            standing = Standing.BEATEN if key in heard else Standing.OUTRANKED
            yield RunnerUp(row.rule, row.object, row.effect, question.gives(row), standing)


def _check_coordinate(policy: Policy, cells: Mapping[str, frozenset[str]], coordinate: str) -> None:
    supplied = sorted(frozenset().union(*cells.values()) & policy.tiers.keys())
    if coordinate in supplied:
        return
    what = "no agency supplies" if coordinate in policy.tiers else "unknown coordinate"
    beside = [name for name in supplied if _record(name) == _record(coordinate)]
    others = beside or [name for name in supplied if "." not in name]
    hint = near(coordinate, supplied) or f"there are: {', '.join(f'`{name}`' for name in others)}"
    raise CoordinateUnknown(f"{what} `{coordinate}`; {hint}")


def _record(coordinate: str) -> str:
    return coordinate.partition(".")[0]
