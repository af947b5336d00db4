"""What a manifest of the kind `graphql` has beside what all have."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from connectors.envelope import Code
from connectors.graphql_text import NAME, check_literal
from connectors.http_connection import HttpConnection
from connectors.manifest import DatasetManifest, Manifest, Name, Part
from connectors.paging import Paging

_PATH: Final = rf"^{NAME}(\.{NAME})*$"
"""Dotted names as GraphQL has them (GraphQL specification, section 2.1.9)."""
_ROW_PATH: Final = re.compile(rf"(\^\.)?{NAME}(\.{NAME})*", re.ASCII)
_TYPE: Final = rf"^(\[{NAME}!?\]|{NAME})!?$"


class GraphqlPaging(Paging):
    """Pages of the list that the rows are, or are nested in, by arguments of a field.

    The paths begin where `within` begins where that field is within it, and at the query's field, or the entity,
    elsewhere.
    """

    field: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None,
        description="Path to the field whose arguments these are, on the way to the rows; the query's own without it.",
    )
    type: Annotated[str, StringConstraints(pattern=_TYPE)] | None = Field(
        default=None, description="Of the argument page, offset or cursor: Int, or String for a cursor."
    )

    @property
    def written_type(self) -> str:
        """The type of the argument that says which page is asked for."""
        return self.type or ("Int" if self.counted else "String")

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in (*self.parameters, *self.read):
            if name is not None and not re.fullmatch(_PATH, name, re.ASCII):
                raise ValueError(f"{name!r} is no name of GraphQL, nor a path of such names")
        return self


class GraphqlQuery(Part):
    """What is asked: a field, whose argument is a list of keys or (in an alias each) one; or entities of a subgraph."""

    field: Annotated[str, StringConstraints(pattern=rf"^{NAME}$")] | None = None
    argument: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None,
        description="field: the argument that carries the keys, or the key; or the path to it in an input object.",
    )
    type: Annotated[str, StringConstraints(pattern=_TYPE)] = "[String!]!"
    entity: Annotated[str, StringConstraints(pattern=rf"^{NAME}$")] | None = Field(
        default=None, description="Instead of a field: the type of the entities of an Apollo Federation subgraph."
    )
    key: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="entity: its key field, which is the company's key."
    )
    constants: dict[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of the field, or key fields of the entity, always the same.",
    )
    arguments: dict[Annotated[str, StringConstraints(pattern=_PATH)], dict[str, Any]] = Field(
        default_factory=dict, description="Constant arguments of fields on the way to the rows, by their paths."
    )
    rows: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="From the field's value, or the entity."
    )
    within: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None, description="Path, in each object there, to the rows nested in it."
    )
    more: Annotated[str, StringConstraints(pattern=_PATH)] | None = Field(
        default=None,
        description="Path to what is true where the list is not whole: beside `within`, or without it `rows`.",
    )
    paging: GraphqlPaging | None = None
    optional: bool = Field(
        default=False, description="Null in the place of a list, or around it, means that there are no rows."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.field is None) == (self.entity is None):
            raise ValueError("needs exactly one of field and entity")
        if (self.field is None) != (self.argument is None) or (self.entity is None) != (self.key is None):
            raise ValueError("field goes with argument, entity with key")
        if self.entity is not None and "type" in self.model_fields_set:
            raise ValueError("type: goes with field")
        for values in ([self.constants] if self.field else []) + list(self.arguments.values()):
            check_literal(values)
        for path in self.arguments:
            if not f"{'.'.join(self._way)}.".startswith(f"{path}."):
                raise ValueError(f"arguments: {path!r} is not on the way to the rows")
        if self.paging is not None:
            self._check_paging(self.paging)
        return self

    def _check_paging(self, paging: GraphqlPaging) -> None:
        """Raises `ValueError` for pages of what has none."""
        if self.more is not None:
            raise ValueError("more: stands in paging, where there is one")
        if paging.field is None and self.entity is not None:
            raise ValueError("paging.field: entities take no arguments")
        if paging.field is not None and not f"{'.'.join(self._way)}.".startswith(f"{paging.field}."):
            raise ValueError(f"paging.field: {paging.field!r} is not on the way to the rows")
        if self.rows is None and not self.pages_within and any(paging.read):
            raise ValueError("paging: nothing stands beside the rows of a field that is a list itself")

    @property
    def pages_within(self) -> bool:
        """Whether it is the lists nested at `within` that come page by page, each object around them having its own."""
        field = self.paging.field if self.paging else None
        steps = len(self.rows.split(".")) if self.rows else 0
        return self.within is not None and field is not None and len(field.split(".")) > steps

    @property
    def _way(self) -> list[str]:
        return [path for path in (self.rows, self.within) if path]

    @property
    def around(self) -> str:
        """What leads from the field's value to what is around the rows: empty, or ending in a point."""
        return f"{self.rows}." if self.rows and self.within else ""

    @property
    def prefix(self) -> str:
        """What leads from the field's value to what a row has: empty, or ending in a point."""
        return "".join(f"{path}." for path in self._way)

    @property
    def takes_list(self) -> bool:
        """Whether one argument carries all keys, and rows have to say whose they are."""
        return self.field is not None and self.type.startswith("[")


class GraphqlErrors(Part):
    """What the codes of errors mean. Any other is a failure: of one company, where the error's path leads to it."""

    code: Name = Field(default="extensions.code", description="Path, in an error, to its code.")
    unknown: tuple[Code, ...] = Field(default=(), description="The agency does not know the company.")
    none: tuple[Code, ...] = Field(default=(), description="The company has no records.")
    busy: tuple[Code, ...] = ()


class GraphqlDataset(DatasetManifest):
    """A dataset behind a GraphQL query, which has no side effects (GraphQL specification, section 6.2.1)."""

    idempotent_by_nature: ClassVar[bool] = True

    query: GraphqlQuery
    errors: GraphqlErrors = Field(default_factory=GraphqlErrors)

    @property
    def read_around(self) -> frozenset[str]:
        """The paths of what is read in answers beside their rows."""
        paging = self.query.paging.read if self.query.paging else ()
        return frozenset(path for path in (*paging, self.query.more) if path)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.batch > 1 and self.query.takes_list and self.key.path is None:
            raise ValueError("key: a batch needs the key's path, to tell whose a row is")
        if self.batch > 1 and self.query.takes_list and (self.errors.unknown or self.errors.none):
            raise ValueError("errors: one of a list cannot tell which company it is about")
        together = self.batch > 1 and self.query.takes_list
        if together and self.query.pages_within and not str(self.key.path).startswith("^."):
            raise ValueError("key: pages of nested lists need the company's key around them: ^.name")
        if self.query.entity is not None and self.filters:
            raise ValueError("filters: entities take no arguments")
        names = [wanted.name for wanted in self.filters.values()]
        if (wrong := next((name for name in names if not re.fullmatch(_PATH, name, re.ASCII)), None)) is not None:
            raise ValueError(f"filters: {wrong!r} is no argument, nor a path to one")
        as_of = (self.as_of.path, self.as_of.column) if self.as_of else ()
        for path in (self.key.path, *as_of, *self.paths()):
            if path is not None and not _ROW_PATH.fullmatch(path):
                raise ValueError(f"{path!r} is no dotted path of GraphQL names")
        return self


class GraphqlManifest(Manifest):
    """An agency that is asked by GraphQL."""

    can_forward: ClassVar[bool] = True

    kind: Literal["graphql"]
    connection: HttpConnection
    datasets: tuple[GraphqlDataset, ...] = Field(min_length=1)
