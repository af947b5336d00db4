"""Trips to a store that speaks as Redis does: one at a time, and what is asked meanwhile leaves with the next.

What many requests ask costs little more than what one does, and is done in the order in which it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from redis.asyncio import Connection
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from connectors.outage import Outages

Command = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A script in Lua that the store runs as a whole, and answers with a number."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Script:
        """The script of this text, whose SHA-1 names it in the store."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    def call(self, keys: Sequence[str], arguments: Sequence[str | int]) -> Command:
        """The command that runs it."""
        return ("EVALSHA", self.digest, len(keys), *keys, *arguments)


class Trips:
    """Asks what is answered by whole numbers. `scripts` are all that are called; `deadline` is that of each trip, in
    seconds. After a failure nothing is asked for a while (`Outages`).
    """

    def __init__(self, connection: Connection, scripts: Sequence[Script], deadline: float) -> None:
        self._connection = connection
        self._load: Final[Sequence[Command]] = [("SCRIPT", "LOAD", script.text) for script in scripts]
        self._deadline = deadline
        self._outages = Outages("the store of quotas")
        self._waiting: list[tuple[Command, asyncio.Future[int | None]]] = []
        self._traveller: asyncio.Task[None] | None = None

    def ask(self, command: Command) -> asyncio.Future[int | None]:
        """What the store answers, None where it does not. It is asked, whoever waits for the answer or not."""
        answered = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answered))
        if self._traveller is None:
            self._traveller = asyncio.create_task(self._travel(), name="quotas")
        return answered

    async def close(self) -> None:
        """Asks what waits, where that takes no longer than a trip may, and closes the connection."""
        if (traveller := self._traveller) is not None:
            await asyncio.wait([traveller], timeout=self._deadline)
            traveller.cancel()
            await asyncio.gather(traveller, return_exceptions=True)
        await self._connection.disconnect()

    async def _travel(self) -> None:
        while self._waiting:
            boarded, self._waiting = self._waiting, []
            answers = await self._answers([command for command, _ in boarded])
            for (_, answered), answer in zip(boarded, answers, strict=True):
                if not answered.done():  # done: whoever waited was cancelled
                    answered.set_result(answer)
        self._traveller = None

    async def _answers(self, commands: Sequence[Command]) -> Sequence[int | None]:
        if not self._outages.admit():
            return [None] * len(commands)
        try:
            async with asyncio.timeout(self._deadline):
                answers = await self._run(commands)
        except Exception as error:  # noqa: BLE001 - whatever a store answers with must not take callers' answers along
            self._outages.failed(error)
            return [None] * len(commands)
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if failed is None:
            self._outages.succeeded()
        else:
            self._outages.failed(failed)
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    async def _run(self, commands: Sequence[Command]) -> Sequence[int | Exception]:
        answers = await self._sent(commands)
        refused = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if refused:
            # The store has been started since, or does not know us yet: it has run none of these.
            again = await self._sent([*self._load, *(commands[index] for index in refused)])
            for index, answer in zip(refused, again[len(self._load) :], strict=True):
                answers[index] = answer
        return [answer if isinstance(answer, int | Exception) else InvalidResponse() for answer in answers]

    async def _sent(self, commands: Sequence[Command]) -> list[object]:
        try:
            return await self._exchanged(commands)
        except ConnectionLost:
            # The store may have closed it while nothing was asked.
            return await self._exchanged(commands)

    async def _exchanged(self, commands: Sequence[Command]) -> list[object]:
        """Sends the commands, over a new connection where there is none; one that fails, or is given up, is closed."""
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)
        return [await self._reply() for _ in commands]

    async def _reply(self) -> object:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error
