"""Whether the agencies can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Final

from connectors.contract import RecordShape
from connectors.environment import missing_references
from connectors.lending import store_wanted
from connectors.manifest import Manifest
from connectors.open_agency import try_agency
from connectors.reach import Reach
from connectors.settings import SupplySettings
from gateway.assembly import record_shapes
from gateway.cli.doctor.finding import Finding, Trouble, attempt, fault, good
from gateway.editions.own_records import contract_of
from gateway.settings import PREFIX, Settings

_UNSET: Final = "give the gateway's environment what the manifest refers to"
_STORE_UNSET: Final = f"set {PREFIX}CACHE_URL, or let there be fewer instances or more calls at once"


async def agencies(settings: Settings, manifests: Sequence[Manifest], environment: Mapping[str, str]) -> list[Finding]:
    """What is found of each agency: it is connected to as calls would be, and asked nothing."""
    shapes = record_shapes(contract_of(manifests).catalogue)
    supply = SupplySettings(environment, reach=Reach(settings.networks, settings.plain_networks))
    instances = settings.instances if settings.cache_url is None else 1
    found = await asyncio.gather(*(_agency(one, shapes, supply) for one in manifests))
    return [*found, *(finding for one in manifests for finding in _lacking_store(one, instances))]


def _lacking_store(manifest: Manifest, instances: int) -> Iterator[Finding]:
    subject = f"agency {manifest.agency}"
    for reason in store_wanted(manifest, instances):
        yield fault(subject, reason.removeprefix(f"{subject}: "), _STORE_UNSET)


async def _agency(manifest: Manifest, shapes: Mapping[str, RecordShape], settings: SupplySettings) -> Finding:
    subject = f"agency {manifest.agency}"
    unset = list(missing_references(manifest, settings.environment))
    if unset:
        return fault(subject, "; ".join(reason.removeprefix(f"{subject}: ") for reason in unset), _UNSET)
    begun = monotonic()
    connected = await attempt(try_agency(manifest, shapes, settings))
    if isinstance(connected, Trouble):
        return fault(subject, connected, _remedy(connected))
    if not connected:
        return good(subject, "there is nothing to connect to")
    return good(subject, f"it can be reached, in {(monotonic() - begun) * 1_000:.0f} ms")


def _remedy(reason: str) -> str:
    if "may be reached" in reason:
        return f"name its network in {PREFIX}NETWORKS, or in {PREFIX}PLAIN_NETWORKS where it is asked without TLS"
    return "see to its address, the way there, and its credentials; then xinqiao connector probe"
