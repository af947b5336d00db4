"""Administrative divisions (GB/T 2260), as far as the public table knows them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from stdnum import numdb

_NATION: Final = "100000"
"""The division of what is registered with a national authority (GB 32100-2015); not in GB/T 2260's table."""

_TABLE: Final = numdb.get("cn/loc")
"""Read when the module is imported: it takes some 70 ms, too long for the event loop."""


@lru_cache(maxsize=10_000)
def is_known_division(division: str) -> bool:
    """Whether the table lists this 6-digit division, be it a present or a former one."""
    return division == _NATION or all(properties for _, properties in _TABLE.info(division))
