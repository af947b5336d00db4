"""The environment office: a GraphQL server, `POST /graphql`; see `SDL`. At most 100 codes a field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    Visitor,
    build_schema,
    execute_sync,
    parse,
    validate,
    visit,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies.http import AccessLog, json_response, serve

_MOST: Final = 100

SDL: Final = """
type Query {
  "The enterprises that the office has evaluated; others are left out."
  enterprises(codes: [String!]!): [Enterprise!]!
  dataset: Dataset!
}
type Dataset { updatedAt: String! }
type Enterprise { uscc: String!  name: String  evaluations: [Evaluation!]! }
type Evaluation {
  id: ID!
  evaluationYear: Int!
  colour: Colour
  evaluatedAt: String
  bureau: Bureau
  score: Float
  complaintCount: Int
  underObjection: Boolean
}
type Bureau { name: String!  region: String! }
enum Colour { GREEN BLUE YELLOW RED BLACK }
"""


def build(data: Path) -> Starlette:
    """The office's system over `evaluations.json`."""
    office = orjson.loads((data / "evaluations.json").read_bytes())
    enterprises = {enterprise["uscc"]: enterprise for enterprise in office["enterprises"]}
    schema = build_schema(SDL)
    log = AccessLog()

    @lru_cache(maxsize=256)
    def prepare(text: str) -> tuple[DocumentNode, list[str], list[GraphQLError]]:
        document = parse(text)
        return document, _fields(document), validate(schema, document)

    def resolve_enterprises(_: GraphQLResolveInfo[object], codes: list[str]) -> list[dict[str, object]]:
        if len(codes) > _MOST:
            raise GraphQLError(f"At most {_MOST} codes may be asked for at once.")
        return [enterprises[code] for code in codes if code in enterprises]

    root = {"enterprises": resolve_enterprises, "dataset": {"updatedAt": office["updatedAt"]}}

    async def answer(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        variables = asked.get("variables") or {}
        try:
            document, fields, errors = prepare(asked["query"])
        except GraphQLError as error:
            return _refused([error])
        log.note(request.url.path, _texts(variables), fields)
        if errors:
            return _refused(errors)
        result = execute_sync(schema, document, root, variable_values=variables)
        return json_response(result.formatted)

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"]), log.route()])


def _refused(errors: list[GraphQLError]) -> Response:
    return json_response({"errors": [error.formatted for error in errors]}, 400)


def _texts(variables: Mapping[str, Any]) -> list[str]:
    """The texts among the variables: the codes, however the caller named its variables."""
    values = (value if isinstance(value, list) else [value] for value in variables.values())
    return [text for texts in values for text in texts if isinstance(text, str)]


class _FieldNames(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.names[node.name.value] = None


def _fields(document: DocumentNode) -> list[str]:
    visitor = _FieldNames()
    visit(document, visitor)
    return list(visitor.names)


if __name__ == "__main__":
    serve("The environment office's evaluations.", build, "/graphql")
