"""How agencies are shared out among organisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.contract import Supply
from connectors.kindness.share import WHOLE, Share
from connectors.manifest import Manifest
from gateway.quotas.day_share import DayShares, DaySupply, day_parts
from gateway.quotas.fair import FairSupply, Held
from gateway.settings import QuotaSettings


@dataclass(frozen=True, slots=True)
class Sharing:
    """What one organisation may have of any agency. `share` is that of this process; `days` is what organisations have
    had of each day, whatever manifests have changed since.
    """

    quotas: QuotaSettings
    share: Share
    days: DayShares

    def shared_out(self, supply: Supply, manifests: Sequence[Manifest], held: Held) -> Supply:
        """The supply, of which no organisation may have more than its part, where there is one, together with the
        places that are `held` yet.
        """
        if (part := self.quotas.agency_day_share) is not None:
            counting = self.share if self.quotas.url is None else WHOLE
            supply = DaySupply(supply, day_parts(manifests, part, counting), self.days)
        if (part := self.quotas.agency_share) is not None:
            concurrency = {manifest.agency: self.share.of(manifest.concurrency) for manifest in manifests}
            supply = FairSupply(supply, concurrency, part, held)
        return supply
