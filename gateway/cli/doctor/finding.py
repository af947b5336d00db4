"""What an examination finds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from connectors.errors import ConnectorError
from gateway.errors import GatewayError
from policies.errors import PolicyError

SECONDS: Final = 10.0
"""How long anything on the network may take to answer."""


Result = TypeVar("Result")


class Verdict(StrEnum):
    """`FAULT`: it does not work, or not safely. `WARNING`: it works, and may not be what was meant."""

    GOOD = "good"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a subject, and what to do about it (nothing, where it is good). Holds no secret."""

    verdict: Verdict
    subject: str
    message: str
    remedy: str = ""


def good(subject: str, message: str) -> Finding:
    """There is nothing to do."""
    return Finding(Verdict.GOOD, subject, message)


def warning(subject: str, message: str, remedy: str) -> Finding:
    """It works, and may not be what was meant."""
    return Finding(Verdict.WARNING, subject, message, remedy)


def fault(subject: str, message: str, remedy: str) -> Finding:
    """It does not work, or not safely."""
    return Finding(Verdict.FAULT, subject, message, remedy)


class Trouble(str):
    """What keeps work from being done, in words that hold no secret."""

    __slots__ = ()


async def attempt(work: Awaitable[Result]) -> Result | Trouble:
    """What comes of the work, where it is done within `SECONDS`."""
    try:
        async with asyncio.timeout(SECONDS):
            return await work
    except (GatewayError, ConnectorError, PolicyError) as error:
        return Trouble(f"{error.code}: {error}")
    except TimeoutError:
        return Trouble(f"no answer within {SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - whatever a library says of an address or a key, its text may quote it
        return Trouble(type(error).__name__)
