"""What a change of a policy's files does, as far as the rules of changing it ask: pure, and picklable, so that it can
run in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from policies.analysis.widening import widens
from policies.emergency import only_denies
from policies.errors import PolicyInvalid
from policies.load import PolicyFiles, PolicyReader, placed_rules
from policies.policy import Policy
from policies.publicity import CHINA, Publicity, load_publicity, publicity_widens
from policies.rule import Rule
from policies.store.model import loadable
from schema.catalogue import Catalogue

Cells = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Judges changes. `cells` are the coordinates that each agency supplies, of each that has a manifest. `widens`
    gives the agencies whose data the second of two policies opens wider.
    """

    catalogue: Catalogue
    cells: Cells
    widens: Callable[[Policy, Policy, Cells], frozenset[str]] = field(default=widens)

    def widened(self, base: PolicyFiles, draft: PolicyFiles, now: datetime) -> frozenset[str]:
        """The agencies whose data the draft opens wider, now or when a rule's validity begins or ends later.

        Raises `PolicyInvalid` where the draft does not load.
        """
        reader = PolicyReader(self.catalogue, self.cells)
        today = now.astimezone(CHINA).date()
        moment: datetime | None = now
        widened: frozenset[str] = frozenset()
        while moment:
            after, shows = self._load(reader, draft, moment)
            try:
                before, showed = self._load(reader, base, moment)
            except PolicyInvalid:
                # Nobody can tell what is in force where it does not load any more, so all agencies must agree.
                return frozenset(after.agencies)
            widened |= self.widens(before, after, self.cells)
            widened |= publicity_widens(showed, shows, self.catalogue, self.cells, today)
            moment = min((change for change in (before.next_change, after.next_change) if change), default=None)
        return widened

    def only_denies(self, base: PolicyFiles, files: PolicyFiles, now: datetime) -> bool:
        """Whether these files hold one more rule than the base, which denies from this moment on.

        Raises `PolicyInvalid`.
        """
        reader = PolicyReader(self.catalogue, self.cells)
        before, after = (self._rules(reader, one, now) for one in (base, files))
        return only_denies(before, after, now)

    def _rules(self, reader: PolicyReader, files: PolicyFiles, now: datetime) -> Iterator[Rule]:
        policy, _ = self._load(reader, files, now)
        return (placed.rule for placed in placed_rules(files, policy, self.catalogue))

    def _load(self, reader: PolicyReader, files: PolicyFiles, now: datetime) -> tuple[Policy, Publicity]:
        """What these files say, loaded just as a gateway loads it."""
        named = loadable(files, now)
        return reader.load(named, now), load_publicity(named, self.catalogue)
