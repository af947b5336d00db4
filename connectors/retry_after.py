"""The header `Retry-After` (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime


def seconds_until(value: str, now: float | None = None) -> float | None:
    """In how many seconds, of its own or until its date; None where it is neither. `now` is of the Unix epoch."""
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(moment.timestamp() - (time.time() if now is None else now), 0)
