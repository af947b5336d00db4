"""What is replaced is closed, once and only when nobody uses it any more."""

from __future__ import annotations

import asyncio
from typing import Any

from connectors.cache import RowCache
from connectors.open_agency import OpenAgency
from connectors.supply import AgencySupply
from gateway.editions.provision import Provisions, Users
from tests.connectors.memory import settled


class Named(OpenAgency):
    """An agency that notes its closing."""

    def __init__(self, name: str, closed: list[str], error: Exception | None = None) -> None:
        super().__init__({})
        self.name, self.closed, self.error = name, closed, error

    async def close(self) -> None:
        self.closed.append(self.name)
        if self.error:
            raise self.error


def supplies(closed: list[str], *names: str, **errors: Exception) -> list[AgencySupply]:
    """Supplies of the agencies with these letters; what two of them name is one agency."""
    agencies = {letter: Named(letter, closed, errors.get(letter)) for name in names for letter in name}
    first = AgencySupply([agencies[letter] for letter in names[0]], RowCache(1))
    return [first, *(first.renewed([agencies[letter] for letter in name]) for name in names[1:])]


async def test_what_a_successor_has_stays_open_and_the_rest_is_closed_after_its_last_user() -> None:
    closed: list[str] = []
    first, second = supplies(closed, "ab", "bc")
    users, provisions = Users(), Provisions(first)
    with users:
        provisions.replace(users, second)
        await settled()
        assert closed == []
    await settled()
    assert closed == ["a"]
    await provisions.close()
    assert sorted(closed) == ["a", "b", "c"]


async def test_what_two_of_the_past_have_is_closed_after_the_users_of_both() -> None:
    closed: list[str] = []
    first, second, third = supplies(closed, "ab", "ac", "d")
    of_first, of_second, provisions = Users(), Users(), Provisions(first)
    with of_first:
        with of_second:
            provisions.replace(of_first, second)
            provisions.replace(of_second, third)
        await settled()
        assert closed == []
    await settled()
    assert sorted(closed) == ["a", "b", "c"]
    await provisions.close()
    assert sorted(closed) == ["a", "b", "c", "d"]


async def test_closing_ends_what_is_still_in_use_and_leaves_no_task() -> None:
    closed: list[str] = []
    first, second = supplies(closed, "ab", "b")
    users, provisions, before = Users(), Provisions(first), asyncio.all_tasks()
    with users:
        provisions.replace(users, second)
        await provisions.close()
    assert sorted(closed) == ["a", "b"]
    assert asyncio.all_tasks() == before


async def test_a_connection_that_cannot_be_closed_does_not_keep_the_next_open() -> None:
    closed: list[str] = []
    supplied: Any = supplies(closed, "a", "b", "c", a=OSError("gone"))
    provisions = Provisions(supplied[0])
    for successor in supplied[1:]:
        provisions.replace(Users(), successor)
    await settled()
    assert closed == ["a", "b"]
    await provisions.close()
