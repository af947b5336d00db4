"""An expression, compiled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connectors.contract import RawRow
from connectors.expressions.evaluation import Interpreter
from connectors.expressions.parsing import Tree, parse_expression
from connectors.expressions.places import Places
from connectors.expressions.values import NotEvaluated
from connectors.paths import reader

_PLAIN_NAME: Final = re.compile(r"[^.\[\]#]*[^.\[\]#0-9][^.\[\]#]*")
"""Names that mean the same in a path."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `path` is the path that it amounts to, None where it is more than that. `read` gives its value in a row, and raises
    `ValueError` or `ArithmeticError` where it has none. `places` are what it reads of a row: dotted, without positions.
    """

    path: str | None
    read: Callable[[RawRow], object]
    places: frozenset[str]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads, of rows that are not nested themselves."""
        return frozenset(place.partition(".")[0] for place in self.places)


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """The expression, compiled. Raises `ExpressionError`."""
    tree = parse_expression(text)
    places = Places().of_expression(tree)
    path = _plain_path(tree)
    read = Interpreter(tree).read if path is None else reader(path, nested=True)
    return Expression(path, read, frozenset(map(".".join, places)))


def why_not(expression: Expression, row: RawRow) -> str:
    """Why the expression has no value in the row, for whoever writes it; empty where it has one, or none is known.

    Tells types, no values.
    """
    try:
        expression.read(row)
    except NotEvaluated as error:
        return str(error)
    except (ValueError, ArithmeticError):
        return ""
    return ""


def _plain_path(tree: Tree) -> str | None:
    """The path for an expression of nothing but names and positions."""
    match tree["type"]:
        case "field" if _PLAIN_NAME.fullmatch(tree["value"]):
            return str(tree["value"])
        case "index" if tree["value"] >= 0:
            return str(tree["value"])
        case "subexpression" | "index_expression":
            steps = [_plain_path(child) for child in tree["children"]]
            known = [step for step in steps if step is not None]
            return ".".join(known) if len(known) == len(steps) else None
    return None
