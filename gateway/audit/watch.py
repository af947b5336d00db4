"""Whether what is written comes under checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from joserfc.jwk import KeySet

from gateway.audit.checkpoint import read_checkpoint
from gateway.audit.ledger import Ledger
from gateway.audit.log import AuditLog
from gateway.errors import AuditSinkError, CheckpointInvalidError

SPARE_SECONDS: Final = 60.0
"""How much later than it is due a checkpoint may be."""


class CheckpointWatch:
    """Watches the checkpoints that name one chain, wherever they are made. `seconds` is how often they are; `clock`
    gives seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it compares
        self,
        chain: str,
        log: AuditLog,
        ledger: Ledger,
        keys: KeySet,
        seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._chain = chain
        self._log = log
        self._ledger = ledger
        self._keys = keys
        self._patience = seconds + SPARE_SECONDS
        self._clock = clock
        self._behind: tuple[int, float] | None = None

    async def check(self) -> str | None:
        """What is wrong, as a `gateway.edge.health.Check`: no checkpoint of what is new has come in time."""
        try:
            text = await self._ledger.last()
            spans = read_checkpoint(text, self._keys).spans if text is not None else ()
        except (AuditSinkError, CheckpointInvalidError):
            return "the last checkpoint cannot be read"
        certified = next((span.last for span in spans if span.chain == self._chain), 0)
        if certified == self._log.number:
            self._behind = None
        elif self._behind is None or self._behind[0] != certified:
            self._behind = certified, self._clock()
        if self._behind is not None and self._clock() - self._behind[1] > self._patience:
            return "no checkpoint is made"
        return None
