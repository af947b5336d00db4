"""The nation's contract in GraphQL's schema definition language (SDL)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import strawberry.federation
from strawberry.schema.config import StrawberryConfig

from schema.query import Query
from schema.scalars import SCALARS


@cache
def sdl() -> str:
    """The whole contract, Apollo Federation's roots included. It is checked in as `schema/schema.graphql`."""
    return printed(Query)


def printed(query: type, more: Iterable[type] = ()) -> str:
    """The contract that starts at this query type, made by `schema.query.query_type`, with `more` types that it does
    not lead to.
    """
    config = StrawberryConfig(scalar_map=SCALARS)
    return tidy(strawberry.federation.Schema(query=query, types=list(more), config=config).as_str())


def tidy(text: str) -> str:
    """Without the spaces that the printers leave on empty lines of descriptions; one newline at the end."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"
