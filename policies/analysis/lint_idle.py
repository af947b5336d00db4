"""Rules that never decide anything: removed, they would change no table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from policies.analysis.lint_space import EVERY_BASIS, Box, Space, bits
from policies.policy import Policy, RuleEffect
from policies.rule import Placed, Rule, band

_MOST_BOXES: Final = 100
"""A rule that others leave in more pieces than this is not looked at further: it is taken to decide."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A rule that never decides: `because` says why, or `others` always decide before it."""

    placed: Placed
    because: str | None
    others: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """What a rule matches by its wide objects, or by the others. `withheld` are the fields of rows that it denies on
    every basis; `reach` is all on which it can have a say.
    """

    placed: Placed
    wide: bool
    rank: tuple[int, str]
    box: Box
    withheld: int
    reach: int

    @property
    def rule(self) -> Rule:
        return self.placed.rule

    @property
    def denies(self) -> bool:
        return self.placed.rule.effect is RuleEffect.DENY


def idle_rules(
    policy: Policy, placed: Iterable[Placed], cells: Mapping[str, Collection[str]], today: date
) -> tuple[Idle, ...]:
    """The rules, of those that have not expired, that decide nothing, from today to their end. `cells` holds the
    coordinates that each agency supplies.

    Each that is named here is idle; not every idle one is named (some combinations of rules are not looked into).
    """
    rules = tuple(placed)
    named = {name for one in rules for name in one.rule.organisations}
    idleness = _Idleness(Space(policy, cells, named), rules, today)
    lasting = (one for one in rules if one.rule.ends is None or one.rule.ends >= today)
    return tuple(idle for one in lasting if (idle := idleness.of(one)))


class _Idleness:
    def __init__(self, space: Space, rules: Sequence[Placed], today: date) -> None:
        self._space = space
        self._today = today
        self._parts = sorted((part for one in rules for part in self._cut(one)), key=lambda part: part.rank)
        self._by_rule: dict[str, list[_Part]] = {}
        for part in self._parts:
            self._by_rule.setdefault(part.rule.id, []).append(part)
        self._touching: dict[int, list[_Part]] = {}
        self._shown = self._showing()

    def _cut(self, placed: Placed) -> Iterator[_Part]:
        for wide in (False, True):
            box = self._space.box(placed.rule, wide=wide)
            withheld = 0
            if placed.rule.effect is RuleEffect.DENY and box.bases == EVERY_BASIS:
                for row in bits(box.cells & self._space.rows):
                    withheld |= self._space.fields_of[row]
            rank = (band(placed.rule), placed.rule.id)
            if box.cells:
                yield _Part(placed, wide, rank, box, withheld, box.cells | withheld)

    def _showing(self) -> dict[tuple[int, int], int]:
        """By act and rows, the askers to whom some rule can show the rows, whichever of their roles it is for."""
        shown: dict[tuple[int, int], int] = {}
        for part in self._parts:
            if part.denies or part.rule.mask:
                continue
            askers = self._space.colleagues(part.box.askers)
            for act in bits(part.box.acts):
                for row in bits(part.box.cells & self._space.rows):
                    shown[act, row] = shown.get((act, row), 0) | askers
        return shown

    def of(self, placed: Placed) -> Idle | None:
        """Why the rule is idle, None where it decides something."""
        parts = self._by_rule.get(placed.rule.id, [])
        if not parts:
            return Idle(placed, "no agency that it speaks of supplies what it names, as far as it can have an effect")
        if not parts[0].box.askers:
            return Idle(placed, self._space.lacking(placed.rule))
        targets = [target for part in parts for target in self._targets(part)]
        if not targets:
            return Idle(placed, "no rule shows them the records themselves")
        before: dict[str, Placed] = {}
        for part, box in targets:
            others = self._before(part, box)
            if others is None:
                return None
            before |= {other.rule.id: other.placed for other in others}
        return Idle(placed, None, tuple(before.values()))

    def _targets(self, part: _Part) -> Iterator[tuple[_Part, Box]]:
        """What the part can decide: what it shows clear and what it shows through a mask apart."""
        for act in bits(part.box.acts):
            cells = part.box.cells
            for row, fields in self._space.fields_of.items():
                if cells & fields and not self._shown.get((act, row), 0) & part.box.askers:
                    cells &= ~fields
            masked = cells & self._masked(part)
            for some in (masked, cells & ~masked):
                if some:
                    yield part, part.box._replace(cells=some, acts=act)

    def _masked(self, part: _Part) -> int:
        """The cells that the part shows through a mask at most."""
        if part.denies:
            return 0
        if part.rule.mask:
            return part.box.cells
        return part.box.cells & self._space.floored if part.wide else 0

    def _before(self, part: _Part, box: Box) -> list[_Part] | None:
        """The parts of other rules that always decide before this one does; None where it decides something."""
        # Most rules decide already for their first cell, and few others touch that.
        first = box.cells & -box.cells
        if self._left(part, box._replace(cells=first), self._on(first)) is None:
            return None
        return self._left(part, box, [other for other in self._parts if other.reach & box.cells])

    def _on(self, cell: int) -> list[_Part]:
        if cell not in self._touching:
            self._touching[cell] = [part for part in self._parts if part.reach & cell]
        return self._touching[cell]

    def _left(self, part: _Part, box: Box, others: Iterable[_Part]) -> list[_Part] | None:
        """Those of the others that together leave nothing of the box; None where they leave something."""
        wins = [(other, self._wins(other, part, box)) for other in others if self._lasts(other.rule, part.rule)]
        for other, won in wins:
            if box.within(won):
                return [other]
        left, used = [box], []
        for other, won in wins:
            rest = [piece for one in left for piece in one.without(won)]
            if rest != left:
                used.append(other)
            if not rest:
                return used
            if len(rest) > _MOST_BOXES:
                return None
            left = rest
        return None

    def _lasts(self, other: Rule, rule: Rule) -> bool:
        """Whether the other rule holds on each day, from today on, on which this one does."""
        begins = max(rule.starts or date.min, self._today)
        if other.id == rule.id or (other.starts and other.starts > begins):
            return False
        return other.ends is None or (rule.ends is not None and rule.ends <= other.ends)

    def _wins(self, other: _Part, part: _Part, box: Box) -> Box:
        """Where the other part decides, and this one therefore does not."""
        return other.box._replace(cells=self._won(other, part, box) & box.cells)

    def _won(self, other: _Part, part: _Part, box: Box) -> int:
        earlier = other.rank < part.rank if other.wide == part.wide else False
        if other.denies:
            # Any deny beats every grant. Of two denies the one that names the coordinate is told.
            told = earlier or not part.denies or part.wide > other.wide
            return (other.box.cells if told else 0) | other.withheld
        if part.denies:
            return 0
        if other.wide == part.wide:
            return other.box.cells if earlier else 0
        # A clear grant beats a masked one, of whichever width; wide ones are clear where there is no default mask.
        clear = other.box.cells & ~self._masked(other)
        return clear if box.cells & self._masked(part) else 0
