"""Which coordinates of the policy a dataset supplies."""

from __future__ import annotations

from connectors.contract import Dataset
from connectors.lookups import LOOKUPS


def supplied_coordinates(dataset: Dataset) -> frozenset[str]:
    """The record type and its fields; none of a crosswalk, which only serves to join."""
    if dataset.record in LOOKUPS:
        return frozenset()
    return frozenset({dataset.record, *(f"{dataset.record}.{field}" for field in dataset.fields)})
