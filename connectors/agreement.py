"""The store in which instances agree on calls to agencies that bear fewer than they are: on places, and on turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.pace_store import RESERVE
from connectors.place_store import GIVE_BACK, LEND
from connectors.trips import Trips, open_trips

TRIP: Final = 1.0
"""Seconds that a trip may take, of the time that the call has."""


def open_agreement(address: str, environment: Mapping[str, str]) -> Trips:
    """Trips to the store at an address, as by `open_trips`."""
    what = "the store in which instances agree on calls to agencies"
    return open_trips(address, environment, what, (LEND, GIVE_BACK, RESERVE), TRIP)
