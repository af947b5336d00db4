"""Fields with arguments, and without resolvers.

strawberry takes a field's arguments from its resolver's signature. The gateway runs no resolver: federated fields run
through the plan, the few others through graphql-core. A body for each would be code that never runs, so the arguments
are given to the field as data.
"""

from __future__ import annotations

from dataclasses import dataclass

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from schema.catalogue import Tier
from schema.tiers import Classified


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a field. `type` is as strawberry reads annotations; without a `default` it has none."""

    name: str
    type: object
    description: str
    default: object = strawberry.UNSET


def declared(
    name: str, graphql_type: object, description: str, *arguments: Argument, tier: Tier | None = None
) -> StrawberryField:
    """A field by its GraphQL name; `graphql_type` is as strawberry reads annotations. The SDL tells its `tier`."""
    field = StrawberryField(
        python_name=name, graphql_name=name, type_annotation=StrawberryAnnotation(graphql_type), description=description
    )
    field.directives = [] if tier is None else [Classified(tier=tier)]
    field.arguments = [
        StrawberryArgument(
            python_name=argument.name,
            graphql_name=argument.name,
            type_annotation=StrawberryAnnotation(argument.type),
            description=argument.description,
            default=argument.default,
        )
        for argument in arguments
    ]
    return field
