"""The circuit breaker: an agency that keeps failing is left alone, and then tried by one call at a time."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import structlog

from connectors.kindness.declared import Breaker

_log = structlog.get_logger(__name__)


class BreakerState(StrEnum):
    """Whether calls are let through: all, none, or one that tries."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CircuitBreaker:
    """The breaker of one agency, which is named in the log.

    It opens once `failures` of the last twice as many calls have failed. After `seconds` one call is let through: does
    it succeed, all are again. Times are in seconds of the event loop's clock.
    """

    __slots__ = ("_agency", "_declared", "_failed", "_last", "_opened_at", "_probing", "is_closed", "opened")

    def __init__(self, agency: str, declared: Breaker) -> None:
        self.opened = 0
        self._agency = agency
        self._declared = declared
        # Whether each of the last calls failed; left empty while none has, which is as good as all successes.
        self._last: deque[bool] = deque(maxlen=2 * declared.failures)
        self._failed = 0
        self.is_closed = True
        self._opened_at = 0.0
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """Its state."""
        if self.is_closed:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._opened_at + self._declared.seconds else BreakerState.HALF_OPEN

    def refuses(self, now: float) -> bool:
        """Whether no call may be sent now."""
        return not self.is_closed and (self._probing or self.state(now) is BreakerState.OPEN)

    def begin(self) -> bool:
        """A call that was not refused is sent. Whether it is one that tries: its end must be told as such."""
        if self.is_closed:
            return False
        self._probing = True
        return True

    def succeeded(self, *, probe: bool) -> None:
        """A call was answered."""
        if probe:
            self._close()
        elif self._failed:
            self._note(failed=False)

    def failed(self, now: float, *, probe: bool) -> None:
        """A call failed in a way that shows that the agency is ill."""
        if probe:
            self._probing = False
            self._opened_at = now
        elif self.is_closed:
            self._note(failed=True)
            if self._failed >= self._declared.failures:
                self._open(now)

    def undecided(self, *, probe: bool) -> None:
        """A call ended without telling anything of the agency's health."""
        if probe:
            self._probing = False

    def change(self, declared: Breaker) -> None:
        """It opens, and lets a call through, as is declared now, by all that it knows."""
        self._declared = declared
        self._last = deque(self._last, maxlen=2 * declared.failures)
        self._failed = sum(self._last)

    def forget(self) -> None:
        """What it knows is of another system."""
        self.is_closed, self._probing = True, False
        self._last.clear()
        self._failed = 0

    def _note(self, *, failed: bool) -> None:
        last = self._last
        if len(last) == last.maxlen:
            self._failed -= last[0]
        last.append(failed)
        self._failed += failed
        if not self._failed:
            last.clear()

    def _open(self, now: float) -> None:
        self.is_closed = False
        self._opened_at = now
        self.opened += 1
        _log.warning("agency is left alone", agency=self._agency, failures=self._failed, calls=len(self._last))

    def _close(self) -> None:
        self.forget()
        _log.info("agency answers again", agency=self._agency)
