"""The shelf on which the rows of one question are kept, at each level of the cache."""

from __future__ import annotations

from connectors.contract import FetchRequest


def shelf_of(request: FetchRequest) -> str:
    """What tells kept rows apart beside the company: the dataset, the partition and the filters."""
    return f"{request.dataset}\x1f{question_of(request)}"


def question_of(request: FetchRequest) -> str:
    """What tells kept rows of one dataset apart beside the company."""
    filters = ",".join(f"{name}={day.isoformat()}" for name, day in sorted(request.filters.items()))
    return f"{request.partition}\x1f{filters}\x1f"
