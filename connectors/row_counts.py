"""What is counted of a dataset's rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RowCounts:
    """Since the dataset was opened: rows that were mapped; those that were dropped, for their company was not told;
    values that could not be read; companies that were wanted where rows may be kept, and how many of these the agency
    was asked about.
    """

    mapped: int = 0
    dropped: int = 0
    unreadable: int = 0
    wanted: int = 0
    asked: int = 0
