"""Expressions as they are read: within bounds, and of functions that there are."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import jmespath
from jmespath.exceptions import IncompleteExpressionError, JMESPathError, LexerError, ParseError

from connectors.expressions.functions import ExactFunctions

LONGEST: Final = 1000
"""Characters of an expression."""

DEEPEST: Final = 50
"""How deep an expression may be nested: each level takes a few frames of Python's stack."""

Tree = Mapping[str, Any]
"""A part of an expression, as the library parses it: `type`, `value`, `children`."""


class ExpressionError(ValueError):
    """An expression that is none, or that cannot be allowed; the message says why."""


def parse_expression(text: str) -> Tree:
    """The expression's parts, with exact numbers in them. Raises `ExpressionError`."""
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters")
    try:
        tree: Tree = jmespath.compile(text).parsed
    except IncompleteExpressionError:
        raise ExpressionError("the expression ends too soon") from None
    except LexerError as error:
        hint = "" if text.isascii() else " (names with other letters than a-z stand in double quotes)"
        raise ExpressionError(f"{error.message} at character {error.lex_position + 1}{hint}") from None
    except ParseError as error:
        raise ExpressionError(f"{error.msg} at character {error.lex_position + 1}") from None
    except JMESPathError as error:
        raise ExpressionError(str(error)) from None
    except RecursionError:
        raise ExpressionError(f"nested deeper than {DEEPEST}") from None
    _check(tree)
    return _exact(tree)


def _check(tree: Tree) -> None:
    """Raises `ExpressionError` for an expression that is nested too deep, or for a function that there is not."""
    level = [tree]
    for _ in range(DEEPEST):
        for node in level:
            if node["type"] == "function_expression":
                _check_call(node["value"], len(node["children"]))
        level = [child for node in level for child in node["children"] if isinstance(child, Mapping)]
        if not level:
            return
    raise ExpressionError(f"nested deeper than {DEEPEST}")


def _check_call(name: str, count: int) -> None:
    known = ExactFunctions.FUNCTION_TABLE
    if name not in known:
        raise ExpressionError(f"there is no function {name}()")
    parameters = known[name]["signature"]
    variadic = bool(parameters[-1].get("variadic"))
    if count < len(parameters) or (count > len(parameters) and not variadic):
        bound = "at least " if variadic else ""
        raise ExpressionError(f"{name}() takes {bound}{len(parameters)} argument{'' if len(parameters) == 1 else 's'}")


def _exact(tree: Tree) -> Tree:
    """The same with exact numbers in it. (The library keeps trees, and gives them to others.)"""
    value = tree.get("value")
    children = [_exact(child) if isinstance(child, Mapping) else child for child in tree["children"]]
    return {**tree, "value": _exact_value(value) if tree["type"] == "literal" else value, "children": children}


def _exact_value(value: object) -> object:
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_exact_value(item) for item in value]
        case dict():
            return {name: _exact_value(item) for name, item in value.items()}
    return value
