"""Operations that schemathesis makes of what introspection shows: whatever fits that schema is answered, or is too much
or out of bounds; nothing that a caller learns of it is a fault.
"""

from __future__ import annotations

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from tests.connectors.support import CODES
from tests.security.running import GRAPHQL_RESPONSE, PATIENCE, Attacked

ROOTS = {"enterprise", "enterprises", "enterpriseByLegacyId", "findEnterprises", "agencies", "me"}
BEYOND = {"ARGUMENT_INVALID", "LIMIT_EXCEEDED", "SYNTAX_INVALID"}
"""What an operation may be that fits the schema: of values out of bounds, too large, or of too many tokens."""

schemathesis.graphql.scalar("CreditCode", st.sampled_from([*map(str, CODES[:3]), "x", ""]).map(nodes.String))


@pytest.fixture(scope="module")
def operations(gateway: Attacked) -> schemathesis.BaseSchema:
    """All that may be asked, as the gateway tells a caller without credentials."""
    return schemathesis.graphql.from_url(gateway.url, timeout=PATIENCE)


def test_all_roots_that_the_public_is_shown_are_tried(operations: schemathesis.BaseSchema) -> None:
    labels = {operation.ok().label for operation in operations.get_all_operations()}
    assert labels == {f"Query.{root}" for root in ROOTS}


@pytest.mark.parametrize("root", sorted(ROOTS))
def test_what_fits_the_schema_is_answered(gateway: Attacked, operations: schemathesis.BaseSchema, root: str) -> None:
    counted: Counter[int] = Counter()

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(operations["Query"][root].as_strategy())
    def answered(case: schemathesis.Case) -> None:
        answer = case.call(headers={"Accept": GRAPHQL_RESPONSE}, timeout=PATIENCE)
        counted[answer.status_code] += 1
        body = answer.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", ())}
        if answer.status_code == 200:
            assert body["data"].keys() == {root}
            assert "INTERNAL" not in codes
        else:
            assert answer.status_code == 400
            assert codes <= BEYOND, (case.body, body)

    answered()
    assert counted
    assert gateway.lives()
