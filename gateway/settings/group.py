"""Settings that belong together, and are set under one name."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """What every group has in common: nothing unknown in it, and it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
