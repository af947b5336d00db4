"""What an expression reads of a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

from connectors.expressions.parsing import ExpressionError, Tree

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Place = tuple[str, ...]
"""The names that lead to a place in a row; positions in lists are left out."""


class Places:
    """What an expression reads of a row."""

    def __init__(self) -> None:
        self._read: set[Place] = set()

    def of_expression(self, tree: Tree) -> frozenset[Place]:
        """The places whose values count. Raises `ExpressionError` where that is the row as a whole."""
        self._end(tree, frozenset({()}))
        if () in self._read:
            raise ExpressionError("it reads the row as a whole: name what it reads of it")
        if any(_SURROGATE.search(name) for place in self._read for name in place):
            raise ExpressionError("a name is no Unicode text")
        if not self._read:
            raise ExpressionError("it reads nothing of the row: use const")
        return frozenset(self._read)

    def _end(self, tree: Tree, at: frozenset[Place]) -> None:
        self._read |= self._lead(tree, at)

    def _lead(self, tree: Tree, at: frozenset[Place]) -> frozenset[Place]:
        """Where a part of the expression leads to from these places; nowhere for what it makes itself."""
        children: Sequence[Any] = tree["children"]
        found: frozenset[Place] = frozenset()
        match tree["type"]:
            case "field":
                found = frozenset((*place, tree["value"]) for place in at)
            case "identity" | "current" | "index" | "slice":
                found = at
            case "subexpression" | "index_expression" | "pipe" | "projection" | "flatten":
                found = reduce(lambda place, child: self._lead(child, place), children, at)
            case "filter_projection":
                items = self._lead(children[0], at)
                self._end(children[2], items)
                found = self._lead(children[1], items)
            case "and_expression" | "or_expression" | "multi_select_list":
                found = found.union(*(self._lead(child, at) for child in children))
            case "function_expression":
                found = self._called(tree["value"], children, at)
            case "value_projection":
                self._end(children[0], at)
                self._end(children[1], found)
            case _:
                for child in children:
                    self._end(child, at)
        return found

    def _called(self, name: str, arguments: Sequence[Any], at: frozenset[Place]) -> frozenset[Place]:
        given = frozenset[Place]().union(*(self._lead(one, at) for one in arguments if one["type"] != "expref"))
        made = [self._lead(one["children"][0], given) for one in arguments if one["type"] == "expref"]
        if name == "map":
            return frozenset[Place]().union(*made)
        self._read.update(*made)
        if name in {"max_by", "min_by", "sort_by", "reverse", "not_null", "to_array"}:
            return given
        self._read |= given
        return frozenset()
