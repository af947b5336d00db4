"""Who lends the places of an agency that bears fewer calls at once than there are processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.errors import ConnectionNotConfigured
from connectors.kindness.lender import Lender
from connectors.kindness.worker_places import WorkerPlaces
from connectors.manifest import Manifest
from connectors.second_level import SecondLevel
from connectors.settings import SupplySettings


def lenders(manifest: Manifest, settings: SupplySettings, second: SecondLevel | None) -> Sequence[Lender]:
    """The lenders from whom a call needs a place: none, where each process has one to itself; else the workers, where
    they are more than their instance's part; and all instances by the `second` level, where they are too many as well.

    Raises `ConnectionNotConfigured` where there is nothing by which to lend.
    """
    share, most = settings.share, manifest.concurrency
    chosen: list[Lender] = []
    # An instance does not know which it is: what is left over by the division is nobody's.
    here = max(1, most // share.instances)
    if share.workers > here:
        if settings.places is None:
            raise ConnectionNotConfigured([f"agency {manifest.agency}: the workers have nowhere to lend it"])
        chosen.append(WorkerPlaces(settings.places, manifest.agency, here))
    for reason in store_wanted(manifest, share.instances):
        if second is None:
            raise ConnectionNotConfigured([reason])
        chosen.append(second.places(manifest.agency, most, settings.longest))
    return chosen


def store_wanted(manifest: Manifest, instances: int) -> Iterator[str]:
    """A sentence, where so many instances have to lend each other places at the agency."""
    if manifest.concurrency < instances:
        yield (
            f"agency {manifest.agency}: it bears {manifest.concurrency} calls at once (concurrency), and there are "
            f"{instances} instances (XINQIAO_INSTANCES): they need XINQIAO_CACHE_URL, where they lend each other places"
        )
