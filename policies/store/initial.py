"""The first version of a store."""

from __future__ import annotations

from datetime import datetime

from policies.load import PolicyFiles
from policies.store.contract import Store
from policies.store.model import Version, authored, new_version


async def initialise(store: Store, files: PolicyFiles, *, by: str, why: str, at: datetime) -> Version:
    """Publishes these files as version 1; a `version.yaml` among them is replaced. Load them first: nothing is checked
    here but their names. Raises `VersionConflict` where the store holds a version already.
    """
    version = new_version(1, authored(files), published_at=at, by=by, why=why)
    await store.publish(version, expected=0)
    return version
