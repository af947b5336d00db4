"""The administration's schema: strawberry's own, resolvers and all, for no agency's data passes through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import strawberry
from graphql import GraphQLError, GraphQLResolveInfo
from strawberry.extensions import MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gateway.admin.mutation import Mutation
from gateway.admin.query import Query

_DEPTH: Final = 12
_ALIASES: Final = 20
_TOKENS: Final = 2_000


class RootFields(SchemaExtension):
    """Notes which root fields are run, for the record."""

    def resolve(
        self, _next: Callable[..., Any], root: object, info: GraphQLResolveInfo[Any], *args: object, **kwargs: object
    ) -> Any:  # noqa: ANN401 - whatever the resolver gives
        """Notes the field where it is a root's, then resolves it."""
        if info.path.prev is None:
            info.context.fields.append(info.field_name)
        return _next(root, info, *args, **kwargs)


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log them with their messages."""


SCHEMA: Final = _Schema(
    query=Query,
    mutation=Mutation,
    extensions=[
        RootFields,
        lambda: QueryDepthLimiter(max_depth=_DEPTH),
        lambda: MaxAliasesLimiter(max_alias_count=_ALIASES),
        lambda: MaxTokensLimiter(max_token_count=_TOKENS),
    ],
    config=StrawberryConfig(disable_field_suggestions=False),
)
"""The schema. It is checked in as `gateway/admin/schema.graphql`."""
