"""A policy's rules as a workbook (xlsx), and back: for those who answer for the data and do not program.

The sheet `Rules` holds one rule a row. The sheets of decisions, one a purpose, are worked out from the rules; a
decision edited in them becomes a rule. An import refuses what it cannot do exactly so, cell by cell: no edit is
silently lost, and nothing opens that was not edited.
"""

from policies.spreadsheet.reader import from_workbook
from policies.spreadsheet.writer import to_workbook

__all__ = ["from_workbook", "to_workbook"]
