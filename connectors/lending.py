"""What processes agree on before they ask an agency that bears fewer calls than they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.errors import ConnectionNotConfigured
from connectors.kindness.lender import Lender
from connectors.kindness.pacer import Pacer
from connectors.kindness.rate import beyond_instances
from connectors.kindness.share import Share
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
    if share.instances > most:
        chosen.append(_needed(second, manifest, share).places(manifest.agency, most, settings.longest))
    return chosen


def pacer(manifest: Manifest, settings: SupplySettings, second: SecondLevel | None) -> Pacer | None:
    """Who gives calls their turns, where instances cannot divide what the agency bears in a second or a minute.

    Raises `ConnectionNotConfigured` where there is no `second` level.
    """
    share = settings.share
    between = beyond_instances(manifest.rate, share.instances) if manifest.rate else None
    if between is None:
        return None
    return _needed(second, manifest, share).pace(manifest.agency, between, settings.longest)


def store_wanted(manifest: Manifest, instances: int) -> Iterator[str]:
    """A sentence, where so many instances are too many for the agency unless they have a store in common."""
    bears: dict[str, int | None] = {"at once (concurrency)": manifest.concurrency}
    if manifest.rate is not None:
        bears |= {"in a second (rate)": manifest.rate.second, "in a minute (rate)": manifest.rate.minute}
    if fewer := [f"{calls} {when}" for when, calls in bears.items() if calls is not None and calls < instances]:
        yield (
            f"agency {manifest.agency}: it bears too few calls, {' and '.join(fewer)}, to divide them among "
            f"{instances} instances (XINQIAO_INSTANCES): these need XINQIAO_CACHE_URL, to agree on whose is next"
        )


def _needed(second: SecondLevel | None, manifest: Manifest, share: Share) -> SecondLevel:
    if second is None:
        raise ConnectionNotConfigured(list(store_wanted(manifest, share.instances)))
    return second
