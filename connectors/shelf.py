"""The shelf on which the rows of one question are kept, at each level of the cache."""

from __future__ import annotations

from connectors.contract import FetchRequest


def shelf_of(request: FetchRequest) -> str:
    """What tells kept rows apart beside the company: the partition, the dataset and the filters."""
    filters = ",".join(f"{name}={day.isoformat()}" for name, day in sorted(request.filters.items()))
    return f"{request.partition}\x1f{request.dataset}\x1f{filters}\x1f"
