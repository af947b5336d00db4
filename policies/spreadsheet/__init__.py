"""A policy's rules as a workbook (xlsx), and back: for those who answer for the data and do not program.

The sheet `Rules` holds one rule a row, and is the only one that is edited. The sheets of decisions, one a purpose, are
worked out from the rules and protected; an import refuses one that was changed, so that no edit is silently lost.
"""

from policies.spreadsheet.reader import from_workbook
from policies.spreadsheet.writer import to_workbook

__all__ = ["from_workbook", "to_workbook"]
