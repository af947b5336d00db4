"""Which names in a sample are names, and which are values by which something is keyed: these stay out of drafts."""

from __future__ import annotations

from connectors.amounts import read_decimal
from connectors.dates import read_date
from connectors.keys import is_some_company, normal_key
from schema.legacy_id import is_registration_number


def is_name(name: str) -> bool:
    """Whether this can be a step of a path, and is no value: no number, no date and no code of a company."""
    return name.lstrip("@#")[:1].isidentifier() and name.isprintable() and "." not in name and not has_code(name)


def is_heading(name: str) -> bool:
    """Whether this can head a column, and is no value: as `is_name`, with whatever else people write there."""
    return bool(name) and name.isprintable() and not has_code(name) and not _is_value(name)


def has_code(value: object) -> bool:
    """Whether a value is a company's code."""
    key = normal_key(value) if isinstance(value, str) else None
    return key is not None and (is_registration_number(key) or (is_some_company(key) and any(map(str.isdigit, key))))


def _is_value(text: str) -> bool:
    for read in (read_decimal, read_date):
        try:
            read(text)
        except (ValueError, ArithmeticError):
            continue
        return True
    return False
