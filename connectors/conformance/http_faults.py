"""Cases of bad days for systems that are asked by HTTP: the stand-in takes the system's place, and misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final

from connectors.conformance.bad_days import PATIENT, QUICK, expect_failure, expect_truth
from connectors.conformance.stand_in import Behaviour, Heard, StandIn, head, reset, standing_in
from connectors.conformance.stand_in import repeat as as_ever
from connectors.conformance.trial import PATIENT_BREAKER, Broken, Case, Subject, Trial, Unfit
from connectors.contract import FailureCode, Supply
from connectors.kindness.declared import Breaker
from connectors.kinds import Transport
from connectors.tls import Tls

_DRIP_SECONDS: Final = 0.02
_CHUNK: Final = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
"""A chunk of spaces, which any format may begin with."""

_ELSEWHERE: Final = "/elsewhere"
_WAIT_SECONDS: Final = 1
_LATER: Final = f"Retry-After: {_WAIT_SECONDS}\r\n"
_BREAKER: Final = Breaker(failures=3, seconds=1)

_TIMEOUT: Final = frozenset({FailureCode.AGENCY_TIMEOUT})
_UNAVAILABLE: Final = frozenset({FailureCode.AGENCY_UNAVAILABLE})
_OVERLOADED: Final = frozenset({FailureCode.AGENCY_OVERLOADED})
_BAD: Final = frozenset({FailureCode.AGENCY_BAD_RESPONSE})
_LIMIT: Final = frozenset({FailureCode.LIMIT})


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave, what the gateway may call it, and how many seconds a call is given meanwhile."""

    name: str
    what: str
    behaviour: Behaviour
    called: frozenset[FailureCode]
    timeout: float = PATIENT


async def silent(_heard: Heard, _writer: asyncio.StreamWriter) -> bool:
    """Takes the call, and never answers."""
    await asyncio.Event().wait()
    return False


async def drip(heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """Byte by byte, without an end."""
    writer.write(head(None))
    for byte in chain(heard.answer.content, repeat(0x20)):
        writer.write(b"1\r\n" + bytes((byte,)) + b"\r\n")
        await writer.drain()
        await asyncio.sleep(_DRIP_SECONDS)
    return False


async def reset_at_once(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """The connection breaks before anything came."""
    reset(writer)
    return False


async def reset_midway(heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """The connection breaks within the answer."""
    content = heard.answer.content
    writer.write(head(len(content) + 1) + content)
    await writer.drain()
    reset(writer)
    return False


async def break_off(heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """The connection is closed within the answer."""
    content = heard.answer.content
    writer.write(head(len(content)) + content[: len(content) // 2])
    await writer.drain()
    return False


async def no_http(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """Something else listens there."""
    writer.write(b"SSH-2.0-Something\r\n\r\n")
    await writer.drain()
    return False


async def endless_head(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """Headers without an end."""
    writer.write(b"HTTP/1.1 200 X\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
        await writer.drain()


async def endless_body(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
    """A body without an end."""
    writer.write(head(None))
    while True:
        writer.write(_CHUNK)
        await writer.drain()


def body(made: Callable[[bytes], bytes]) -> Behaviour:
    """A whole answer with what is made of the true one."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        content = made(heard.answer.content)
        writer.write(head(len(content)) + content)
        await writer.drain()
        return True

    return behave


def status(number: int, more: str = "", content: bytes = b"{}") -> Behaviour:
    """Another status."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(head(len(content), number, more) + content)
        await writer.drain()
        return True

    return behave


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _spoilt(content: bytes) -> bytes:
    """With bytes in the middle that are no text in any encoding that is read."""
    middle = len(content) // 2
    return content[:middle] + b"\xff\xff\xff" + content[middle:]


FAULTS: Final = (
    Fault("silence", "takes the call and never answers", silent, _TIMEOUT, QUICK),
    Fault("slow-drip", "answers byte by byte", drip, _TIMEOUT, QUICK),
    Fault("reset", "resets the connection", reset_at_once, _UNAVAILABLE | _BAD),
    Fault("reset-midway", "resets the connection within the answer", reset_midway, _UNAVAILABLE | _BAD),
    Fault("broken-off", "closes the connection within the answer", break_off, _UNAVAILABLE | _BAD),
    Fault("no-http", "speaks something else", no_http, _BAD),
    Fault("endless-head", "sends headers without an end", endless_head, _BAD | _LIMIT),
    Fault("oversized", "sends a body without an end", endless_body, _LIMIT),
    Fault("half-an-answer", "leaves out the second half of the answer", body(_half), _BAD),
    Fault("empty-answer", "answers with nothing", body(lambda _: b""), _BAD),
    Fault("wrong-encoding", "answers with bytes that are no text", body(_spoilt), _BAD),
    Fault("maintenance-page", "answers with a web page", body(lambda _: b"<html><body>Soon</body></html>"), _BAD),
    Fault("internal-error", "has an error of its own (500)", status(500), _BAD | _UNAVAILABLE),
    Fault("unavailable", "is overloaded (503)", status(503), _OVERLOADED | _UNAVAILABLE),
    Fault(
        "too-many-requests",
        "wants to be asked later (429, Retry-After)",
        status(429, _LATER),
        _OVERLOADED,
    ),
)
"""Each way to misbehave that is over once it is over."""


def _case(fault: Fault) -> Case:
    async def run(trial: Trial) -> None:
        async with _stand_in(trial, fault.timeout) as (stand_in, subject, supply):
            await stand_in.listen()
            await expect_truth(trial, subject, supply)
            stand_in.behaviour = fault.behaviour
            await expect_failure(trial, subject, supply, fault.called)
            stand_in.behaviour = as_ever
            await expect_truth(trial, subject, supply)

    shows = f"a system that {fault.what} has failed, and is back when it is back"
    return Case(fault.name, shows, run, Transport.HTTP)


async def refused(trial: Trial) -> None:
    """Nothing listens there, and then it does."""
    async with _stand_in(trial, PATIENT) as (stand_in, subject, supply):
        await expect_failure(trial, subject, supply, _UNAVAILABLE)
        await stand_in.listen()
        await expect_truth(trial, subject, supply)


async def redirected(trial: Trial) -> None:
    """A redirect is a failure, and is not followed."""
    async with _stand_in(trial, PATIENT) as (stand_in, subject, supply):
        await stand_in.listen()
        stand_in.behaviour = status(302, f"Location: {_ELSEWHERE}\r\n")
        await expect_failure(trial, subject, supply, _BAD)
        if any(heard.target == _ELSEWHERE for heard in stand_in.heard):
            raise Broken("a redirect was followed")


async def asked_later(trial: Trial) -> None:
    """After a 429 with `Retry-After` there is a pause, whoever asks."""
    async with _stand_in(trial, PATIENT) as (stand_in, subject, supply):
        await stand_in.listen()
        stand_in.behaviour = _once(status(429, _LATER), stand_in)
        await expect_truth(trial, subject, supply)
        await expect_truth(trial, subject, supply)
        first, second, *_ = (heard.moment for heard in stand_in.heard)
        if second - first < _WAIT_SECONDS:
            raise Broken("it was asked again before it wanted to be")


async def left_alone(trial: Trial) -> None:
    """The breaker opens, and closes again."""
    async with _stand_in(trial, PATIENT, _BREAKER) as (stand_in, subject, supply):
        await stand_in.listen()
        stand_in.behaviour = status(500)
        for _ in range(2 * _BREAKER.failures):
            await expect_failure(trial, subject, supply, _BAD | _UNAVAILABLE)
        before = len(stand_in.heard)
        await expect_failure(trial, subject, supply, _UNAVAILABLE)
        if len(stand_in.heard) > before:
            raise Broken("it keeps failing, and is asked all the same")
        stand_in.behaviour = as_ever
        await expect_truth(trial, subject, supply)
        await expect_truth(trial, subject, supply)


async def tried_by_one(trial: Trial) -> None:
    """Once the breaker has been open for its time, one call tries, and no other is sent until it has ended."""
    async with _stand_in(trial, PATIENT, _BREAKER) as (stand_in, subject, supply):
        await stand_in.listen()
        await expect_truth(trial, subject, supply)
        requests = len(stand_in.heard)
        stand_in.behaviour = status(500)
        for _ in range(2 * _BREAKER.failures):
            await expect_failure(trial, subject, supply, _BAD | _UNAVAILABLE)
        came, go_on = asyncio.Event(), asyncio.Event()
        stand_in.behaviour = _held(came, go_on)
        before = len(stand_in.heard)
        trying = asyncio.create_task(expect_truth(trial, subject, supply), name="the call that tries")
        trying.add_done_callback(lambda _: came.set())
        try:
            await came.wait()
            await expect_failure(trial, subject, supply, _UNAVAILABLE)
            go_on.set()
            await trying
        finally:
            trying.cancel()
            await asyncio.gather(trying, return_exceptions=True)
        if len(stand_in.heard) > before + requests:
            raise Broken("another call was sent while one tried")


def _held(came: asyncio.Event, go_on: asyncio.Event) -> Behaviour:
    """Says that a call came, and answers as ever, though only once it may."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        came.set()
        await go_on.wait()
        return await as_ever(heard, writer)

    return behave


def _once(behaviour: Behaviour, stand_in: StandIn) -> Behaviour:
    """Behaves so once, and then as ever."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        stand_in.behaviour = as_ever
        return await behaviour(heard, writer)

    return behave


CASES: Final = (
    *map(_case, FAULTS),
    Case("refused", "a system that is not there has failed, and is back when it is back", refused, Transport.HTTP),
    Case("asked-later", "a system that wants to be asked later is left alone until then", asked_later, Transport.HTTP),
    Case("left-alone", "a system that keeps failing is left alone, and tried again", left_alone, Transport.HTTP),
    Case("tried-by-one", "a system that was left alone is tried by one call at a time", tried_by_one, Transport.HTTP),
    Case("redirected", "a redirect is a failure, and is not followed", redirected, Transport.HTTP),
)


@asynccontextmanager
async def _stand_in(
    trial: Trial, seconds: float, breaker: Breaker = PATIENT_BREAKER
) -> AsyncIterator[tuple[StandIn, Subject, Supply]]:
    """A stand-in, and the supply that asks it instead of the system."""
    if not trial.has_records():
        raise Unfit("none of the companies has a record that could be lost")
    connection: Any = trial.subject.manifest.connection
    async with standing_in(trial.exchanges, connection.url) as stand_in:
        subject = trial.subject.changed({"url": stand_in.url, "auth": None, "tls": Tls()}, seconds, breaker)
        async with subject.opened() as supply:
            yield stand_in, subject, supply
