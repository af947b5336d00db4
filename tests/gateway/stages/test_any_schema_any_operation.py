"""Whatever the schema and the operation, the gateway answers what graphql-core executes, and a plain interpreter reads.

Record types, agencies, what these say, decisions and publicity rules are drawn, and operations over the schema made of
them. Each is answered by the stages (federated roots through the plan, which is the one way that they have, and the
others, introspection, `me` and `agencies`, by graphql-core), executed whole by graphql-core over the reference's
values, and read by an interpreter that knows neither plan nor graphql-core. The three agree in data, in the order of
keys, and in errors with their paths. An error has one location, that of the first field of its response key, where
graphql-core gives all of them.

The contract has one interface, `Answer`, which answers implement, and one union, `_Entity`, of enterprises alone; no
position of it is of several concrete types. Not drawn: limits, which are `test_pipeline.py`'s, and `_service`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.messages import Principal, Received
from tests.gateway.stages.conftest import HANGZHOU, SHENZHEN
from tests.gateway.stages.core import executed
from tests.gateway.stages.interpreter import interpreted
from tests.gateway.stages.random_operations import operations
from tests.gateway.stages.random_worlds import PURPOSE, RandomWorld, worlds

CALLERS = st.builds(
    Principal,
    st.just("officer"),
    st.just("bank"),
    st.just(frozenset({"officer"})),
    company=st.sampled_from([None, HANGZHOU, SHENZHEN]),
)
PURPOSES = st.sampled_from([None, PURPOSE])


def answered(
    world: RandomWorld, text: str, variables: Mapping[str, Any], principal: Principal, purpose: str | None
) -> dict[str, Any]:
    async def ask() -> bytes:
        deadline = asyncio.get_running_loop().time() + 20.0
        received = Received("test", text, None, variables, principal, purpose, (), deadline, read_only=False)
        return (await world.gateway.answer(received)).body

    return orjson.loads(asyncio.run(ask()))


def told(answer: Mapping[str, Any]) -> tuple[bytes, list[bytes]]:
    """An answer's data as text, so that the order of keys counts, and its errors, whose order does not."""
    errors = [
        {**error, "locations": error["locations"][:1]} if "locations" in error else error
        for error in answer.get("errors", ())
    ]
    return orjson.dumps(answer["data"]), sorted(orjson.dumps(error, option=orjson.OPT_SORT_KEYS) for error in errors)


@pytest.mark.timeout(600)  # to make a failing example small takes minutes
@given(st.data())
@settings(
    max_examples=110,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_gateway_graphql_core_and_a_plain_interpreter_give_the_same(data: st.DataObject) -> None:
    world = data.draw(worlds())
    for operation in data.draw(
        st.lists(operations(world.view.schema, world.catalogue, world.today), min_size=1, max_size=2)
    ):
        # Asked again, plans and operations come from the gateway's caches.
        for variables in data.draw(st.lists(operation.values, min_size=1, max_size=3)):
            principal, purpose = data.draw(CALLERS), data.draw(PURPOSES)
            reference = world.reference(principal, purpose)
            ours = answered(world, operation.text, variables, principal, purpose)
            plain = interpreted(reference, operation.text, variables)
            assert "data" in ours, ours
            assert told(ours) == told(plain)
            core = executed(world.view, reference, operation.text, variables)
            core["data"] = {key: core["data"][key] for key in plain["data"]}
            assert told(core) == told(plain)
